// Section 16: what "the batch" means when its rows lie on several machines.
#include "lesson.hpp"

#include <cmath>

namespace lesson {

namespace {

constexpr std::int64_t row_count = 4, rows_each = 2;

/// The numbers of the example with a column for each machine, (2, 2): BatchNorm keeps columns apart, too.
Tensor by_machine(const Tensor& column) { return column.reshape({2, rows_each}).t(); }

/// Below each other again, (4, 1).
Tensor all_rows(const Tensor& x) { return x.t().reshape({row_count, 1}); }

void each_alone(Page& page, const Lesson& lesson) {
  page.say(R"(Large trainings split every batch: of x = 1, 7, 9, 15 the first machine has 1 and 7, the second 9 and 15,
      with dy = 1, -1 and 2, 0, weight = 2, bias = 1, eps = 0. Gradients of weights are added up at the end. But which
      is the batch that BatchNorm normalises? Unless the machines tell each other more, each takes its own rows:)");
  const Expected& whole = lesson.expected;
  const Tensor x = by_machine(lesson.x);
  const Nodes node = lesson.by_hand.forward(x);
  const Derivatives d = lesson.by_hand.backward(by_machine(lesson.dy), node);
  page.table({"x", "xhat, each alone", "xhat, all rows", "dx, each alone", "dx, all rows"}, all_rows(x),
             all_rows(node.xhat), whole.xhat, all_rows(d.x), whole.dx);
  page.near("alone, 1 and 9 are the same to the net, and so are 7 and 15: xhat = -1, 1, -1, 1", all_rows(node.xhat),
            column({-1, 1, -1, 1}), 1e-12);
  page.near("dx = 0: two rows leave no direction to learn in (section 10)", all_rows(d.x), 0, 1e-12);
  page.near("dweight is -4, and should be -0.8", d.weight.sum(), -4, 1e-12);
}

void together(Page& page, const Lesson& lesson) {
  page.say(R"(The remedy is called SyncBatchNorm; in gradus, .sync of nn::BatchNorm1d. The machines exchange four sums:
      forward that of x, from which all know the mean, then that of (x - mean)^2; backward dbias and dweight, for
      equation (15) needs no others. That is four numbers for a channel, however many rows a machine has:)");
  const Expected& whole = lesson.expected;
  const Tensor x = by_machine(lesson.x), dy = by_machine(lesson.dy);
  const Tensor centered = x - whole.mean, xhat = centered * whole.rstd;
  const Tensor sums = stack({x.sum(0), centered.square().sum(0), dy.sum(0), (dy * xhat).sum(0)}, 1), both = sums.sum(0);
  TextTable table({"machine", "sum x", "sum (x - mean)^2", "sum dy", "sum dy xhat"});
  table.row("first", sums[0]);
  table.row("second", sums[1]);
  table.row("both", both);
  page.show(table);
  page.near("mean = 32 / 4 = 8 and var = 100 / 4 = 25, as for the whole batch", both.narrow(0, 0, 2) / row_count,
            tensor({whole.mean, whole.var}, float64), 1e-12);
  page.near("dbias = 2 and dweight = -0.8, too", both.narrow(0, 2, 2), tensor({whole.dbias, whole.dweight}, float64),
            1e-12);
  const Tensor dx = (dy - both[2] / row_count - xhat * both[3] / row_count) * (lesson.example.weight * whole.rstd);
  page.near("dx of every row is that of the whole batch", all_rows(dx), whole.dx, 1e-12);
}

/// The mean over all choices of two rows of (mean of the two - mean of all)^2.
double spread_of_halves(const std::vector<double>& x, double mean) {
  double sum = 0, choices = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j, ++choices) sum += std::pow((x[i] + x[j]) / rows_each - mean, 2);
  }
  return sum / choices;
}

void how_far_off(Page& page, const Lesson& lesson) {
  page.say(R"(How far off are machines that keep to themselves? The mean of n of N rows, drawn at random, misses the
      mean of all by a square of var N / (N - 1) / n (1 - n / N) on average. Of four rows, two can be drawn in six
      ways:)");
  const double theory =
      lesson.expected.var * row_count / (row_count - 1) / rows_each * (1 - static_cast<double>(rows_each) / row_count);
  page.equals("the mean of (mean of two - mean)^2 over the six is 25 4/3 / 2 (1 - 2/4)",
              spread_of_halves(lesson.example.x, lesson.expected.mean), theory);
  page.say(R"(16_data_parallel trains on several machines, over MPI; examples/README.md tells what becomes of a net
      without the four sums, and what they cost.)");
}

}  // namespace

void two_machines(Page& page, const Lesson& lesson) {
  const Lesson whole(default_example, lesson.mistakes);
  each_alone(page, whole);
  together(page, whole);
  how_far_off(page, whole);
}

}  // namespace lesson
