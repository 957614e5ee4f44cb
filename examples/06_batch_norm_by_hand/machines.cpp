// Section 16: what "the batch" means when its rows lie on several machines.
#include "sections.hpp"

#include <array>
#include <cmath>

using namespace gradus;

namespace lesson {

namespace {

const Example default_example;
constexpr std::int64_t row_count = 4, rows_each = 2;

/// The sums of equations (1), (2), (8) and (9) over some of the rows, given the mean and rstd of all.
struct Sums {
  double x, square, dy, dy_xhat;

  friend Sums operator+(const Sums& a, const Sums& b) {
    return {a.x + b.x, a.square + b.square, a.dy + b.dy, a.dy_xhat + b.dy_xhat};
  }
};

struct Machine {
  Machine(std::int64_t number, const ByHand& layer, const Expected& whole)
      : x(column(default_example.x).narrow(0, number * rows_each, rows_each)),
        dy(column(default_example.dy).narrow(0, number * rows_each, rows_each)),
        alone(layer.forward(x)),
        gradient(layer.backward(dy, alone)),
        xhat((x - whole.mean) * whole.rstd),
        sums{x.sum().item(), (x - whole.mean).square().sum().item(), dy.sum().item(), (dy * xhat).sum().item()} {}

  /// Equation (15) with the sums of all machines.
  Tensor dx(const Sums& all, double rstd) const {
    return (dy - all.dy / row_count - xhat * (all.dy_xhat / row_count)) * (default_example.weight * rstd);
  }

  Tensor x, dy;          // its rows, (2, 1)
  Nodes alone;           // normalised by its own statistics
  Derivatives gradient;  // of that
  Tensor xhat;           // normalised by those of all rows
  Sums sums;
};

using Machines = std::array<Machine, 2>;

void each_alone(Page& page, const Machines& machines, const Expected& whole) {
  page.say(
      "Large trainings split every batch: of x = 1, 7, 9, 15 the first machine has 1 and 7, the second 9 and 15, with "
      "dy = 1, -1 and 2, 0, weight = 2, bias = 1, eps = 0. Gradients of weights are added up at the end. But which is "
      "the batch that BatchNorm normalises? Unless the machines tell each other more, each takes its own rows:");
  const Tensor x = cat({machines[0].x, machines[1].x}), xhat = cat({machines[0].alone.xhat, machines[1].alone.xhat}),
               dx = cat({machines[0].gradient.x, machines[1].gradient.x});
  Table table({"x", "xhat, each alone", "xhat, all rows", "dx, each alone", "dx, all rows"});
  table.rows(x, xhat, whole.xhat, dx, whole.dx);
  page.show(table);
  page.near("alone, 1 and 9 are the same to the net, and so are 7 and 15: xhat = -1, 1, -1, 1", xhat,
            column({-1, 1, -1, 1}), 1e-12);
  page.near("dx = 0: two rows leave no direction to learn in (section 10)", dx, 0, 1e-12);
  page.near("dweight is -4, and should be -0.8", machines[0].gradient.weight + machines[1].gradient.weight, -4, 1e-12);
}

void together(Page& page, const Machines& machines, const Expected& whole) {
  page.say(
      "The remedy is called SyncBatchNorm; in gradus, .sync of nn::BatchNorm1d. The machines exchange four sums: "
      "forward that of x, from which all know the mean, then that of (x - mean)^2; backward dbias and dweight, for "
      "equation (15) needs no others. That is four numbers for a channel, however many rows a machine has:");
  const Sums all = machines[0].sums + machines[1].sums;
  Table table({"machine", "sum x", "sum (x - mean)^2", "sum dy", "sum dy xhat"});
  const auto row = [&](const char* name, const Sums& s) { table.row(name, s.x, s.square, s.dy, s.dy_xhat); };
  row("first", machines[0].sums);
  row("second", machines[1].sums);
  row("both", all);
  page.show(table);
  page.near("mean = 32 / 4 = 8 and var = 100 / 4 = 25, as for the whole batch",
            column({all.x / row_count, all.square / row_count}), column({whole.mean, whole.var}), 1e-12);
  page.near("dbias = 2 and dweight = -0.8, too", column({all.dy, all.dy_xhat}), column({whole.dbias, whole.dweight}),
            1e-12);
  page.near("dx of every row is that of the whole batch",
            cat({machines[0].dx(all, whole.rstd), machines[1].dx(all, whole.rstd)}), whole.dx, 1e-12);
}

/// The mean over all choices of two rows of (mean of the two - mean of all)^2.
double spread_of_halves(const std::vector<double>& x, double mean) {
  double sum = 0, choices = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j, ++choices) sum += std::pow((x[i] + x[j]) / rows_each - mean, 2);
  }
  return sum / choices;
}

void how_far_off(Page& page, const Expected& whole) {
  page.say(
      "How far off are machines that keep to themselves? The mean of n of N rows, drawn at random, misses the mean of "
      "all by a square of var N / (N - 1) / n (1 - n / N) on average. Of four rows, two can be drawn in six ways:");
  const double theory =
      whole.var * row_count / (row_count - 1) / rows_each * (1 - static_cast<double>(rows_each) / row_count);
  page.equals("the mean of (mean of two - mean)^2 over the six is 25 4/3 / 2 (1 - 2/4)",
              spread_of_halves(default_example.x, whole.mean), theory);
  page.say(
      "16_data_parallel trains on several machines, over MPI; examples/README.md tells what becomes of a net without "
      "the four sums, and what they cost.");
}

}  // namespace

void two_machines(Page& page, const Lesson& lesson) {
  const Expected whole(default_example);
  const ByHand layer{column({default_example.weight}), column({default_example.bias}), default_example.eps,
                     lesson.mistakes};
  const Machines machines{Machine(0, layer, whole), Machine(1, layer, whole)};
  each_alone(page, machines, whole);
  together(page, machines, whole);
  how_far_off(page, whole);
}

}  // namespace lesson
