// Sections 10, 11 and 16: what the batch does to its members, in training, in evaluation, and on several machines.
#include "lesson.hpp"

#include <algorithm>
#include <cmath>

namespace lesson {

namespace {

/// The layer of the default example, without eps or with PyTorch's.
ByHand default_layer(double eps, const Mistakes& mistakes) { return Lesson({.eps = eps}, mistakes).by_hand; }

void batch_of_one(Page& page, const Mistakes& mistakes) {
  page.say(R"(N = 1. Then mean = x and var = 0: x - mean is 0 and so is the deviation: 0/0. With eps it is 0/sqrt(eps),
      so xhat = 0 and y = bias for every x: nothing of x is left, and nothing could be learned. In training gradus
      refuses such a batch, as PyTorch does, before any buffer has changed:)");
  nn::BatchNorm1d layer(1, {.dtype = float64});
  std::string refusal;
  try {
    layer(column({7}));
  } catch (const ValueError& e) {
    refusal = e.what();
  }
  refusal = refusal.substr(0, refusal.find('\n'));
  page.say("\"" + refusal + "\"");
  const Nodes node = default_layer(1e-5, {}).forward(column({7}));
  page.claim(
      "by hand with eps = 1e-5, x = 7 gives y = bias and dx = 0",
      node.y.item() == default_example.bias && default_layer(1e-5, mistakes).backward(column({3}), node).x.item() == 0);
  page.claim("nn::BatchNorm1d refuses it, and counts no batch",
             refusal.starts_with("Expected more than 1 value per channel when training") &&
                 layer.num_batches_tracked.item<int>() == 0);
}

void batch_of_two(Page& page, const Mistakes& mistakes) {
  page.say(R"(N = 2. Two values lie one deviation above and below their mean, wherever they are: xhat says which is the
      larger and nothing else. dx has N - 2 = 0 directions left. With eps = 0:)");
  const ByHand layer = default_layer(0, mistakes);
  const Tensor x = tensor({{3, -50, 8}, {4, 50, 2}}, float64), dy = column({1, -0.5}).expand({2, 3});
  const Nodes node = layer.forward(x);
  const Tensor dx = layer.backward(dy, node).x;
  page.table({"x", "", "dy", "", "xhat", "", "dx by hand", ""}, x.t(), dy.t(), node.xhat.t(), dx.t());
  page.near("xhat = 1 and -1", node.xhat.abs(), ones({2, 3}, float64), 1e-12);
  page.near("dx = 0, whatever dy is", dx, 0, 1e-12);
}

/// What becomes of one example, x = 1, and of dy, in many random batches.
struct Company {
  double spread_of_mean, spread_of_xhat, kept;
};

Company company(const ByHand& layer, const Tensor& all, std::int64_t n, std::int64_t batches, Generator& seed) {
  std::vector<Tensor> x, dy;  // a column for each batch
  for (std::int64_t i = 0; i < batches; ++i) {
    x.push_back(cat({column({1}), all.index_select(0, randperm(all.size(0), seed).narrow(0, 0, n - 1))}));
    dy.push_back(randn({n, 1}, float64, seed));
  }
  const Nodes node = layer.forward(cat(x, 1));
  const Tensor full_size = layer.weight * node.rstd * cat(dy, 1), dx = layer.backward(cat(dy, 1), node).x;
  const Tensor share = dx.square().sum(0) / full_size.square().sum(0);
  return {node.mean.var({0, 1}, false).sqrt().item(), node.xhat[0].var({0}, false).sqrt().item(),
          share.mean().sqrt().item()};
}

void larger_batches(Page& page, const Mistakes& mistakes) {
  page.say(R"(Larger batches. One example, x = 1, meets random others out of 1800 standard normal values, 200 times
      (seed 10). How much do the mean of the batch and its own xhat vary? And how much of dy survives, |dx| / (weight
      rstd |dy|)? On the average sqrt((N - 2) / N), for two of N directions are lost.)");
  Generator seed(10);
  const Tensor all = randn({1800, 1}, float64, seed);
  TextTable table({"N", "spread of mean", "of its xhat", "kept of dy", "sqrt((N - 2) / N)"}, 4);
  double kept_off = 0;
  Company last = {INFINITY, INFINITY, 0};
  bool calmer = true;
  for (const std::int64_t n : {2, 4, 60, 1801}) {
    const Company c = company(default_layer(1e-5, mistakes), all, n, n == 1801 ? 5 : 200, seed);
    const double expected = std::sqrt(static_cast<double>(n - 2) / static_cast<double>(n));
    table.row(n == 1801 ? "all" : std::to_string(n), c.spread_of_mean, c.spread_of_xhat, c.kept, expected);
    kept_off = std::max(kept_off, std::abs(c.kept - expected));
    calmer = calmer && c.spread_of_mean < last.spread_of_mean && c.spread_of_xhat < last.spread_of_xhat;
    last = c;
  }
  page.show(table);
  page.claim("the share of dy that survives is what counting directions says, within 0.05", kept_off < 0.05);
  page.claim("the larger the batch, the less an example depends on its company", calmer);
}

/// Shows and returns the Jacobian dy/dx, from unit vectors: `backward(e)` is row e of it.
template <class F>
Tensor show_jacobian(Page& page, const char* title, std::int64_t n, F backward) {
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < n; ++i) rows.push_back(backward(eye(n, float64)[i].reshape({n, 1})).reshape({n}));
  Tensor jacobian = stack(rows);
  std::vector<std::string> headings(rows.size());
  headings[0] = title;
  page.table(headings, jacobian);
  return jacobian;
}

/// Any vector, without what it has of a constant and of xhat.
Tensor at_right_angles(const Tensor& xhat) {
  std::vector<double> any;
  for (int i = 0; i < static_cast<int>(xhat.numel()); ++i) any.push_back(i * i % 3);
  const Tensor v = column(any) - column(any).mean();
  return v - xhat * ((v * xhat).sum() / xhat.square().sum());
}

void directions(Page& page, const Lesson& lesson, const Tensor& in_training, const Tensor& in_evaluation) {
  const Tensor& xhat = lesson.expected.xhat;
  const double scale = lesson.example.weight * lesson.expected.rstd;
  page.say(
      "What the matrix of training does to vectors: a constant and xhat are the two directions that y ignores; at "
      "right angles to both, it only multiplies by weight rstd = " +
      text_of(scale) + ". Its rank is two less than N, but for eps.");
  const Tensor across = at_right_angles(xhat);
  page.near("constant: times 0", in_training.matmul(ones_like(xhat)), 0);
  page.near("xhat: times weight rstd eps / (var + eps) = " + text_of(lesson.dx_along_xhat()), in_training.matmul(xhat),
            xhat * lesson.dx_along_xhat());
  page.near("at right angles to both, " + text_of(across) + ": times weight rstd", in_training.matmul(across),
            across * scale);
  page.near("the matrix of evaluation is weight / sqrt(running_var + eps) on the diagonal, 0 elsewhere", in_evaluation,
            eye(lesson.x.size(0), float64) * scale);
}

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

void batch_sizes(Page& page, const Lesson& lesson) {
  batch_of_one(page, lesson.mistakes);
  batch_of_two(page, lesson.mistakes);
  larger_batches(page, lesson.mistakes);
}

void train_and_eval(Page& page, const Lesson& lesson) {
  page.say(R"(Evaluation normalises by the running buffers, which are constants: two of the three paths of section 3 are
      gone. To compare nothing but the derivatives, let the buffers hold exactly the mean and the variance of this
      batch; then y is the same in both modes, and dx is not:)");
  nn::BatchNorm1d layer = lesson.library_layer();
  layer.running_mean.fill_(lesson.expected.mean);
  layer.running_var.fill_(lesson.expected.var);
  layer.eval();
  const auto eval_backward = [&](const Tensor& dy) { return gradient_of(layer, lesson.x, dy); };
  const auto train_backward = [&](const Tensor& dy) { return lesson.by_hand.dx(lesson.x, dy); };
  const Tensor dx_train = train_backward(lesson.dy), dx_eval = eval_backward(lesson.dy);
  const Tensor y_train = lesson.by_hand.forward(lesson.x).y, y_eval = layer(lesson.x);
  page.table({"x", "dy", "y, training", "y, evaluation", "dx, training", "dx, evaluation"}, lesson.x, lesson.dy,
             y_train, y_eval, dx_train, dx_eval);
  page.near("y is the same", y_eval, y_train);
  page.equals("dx in evaluation is the direct path, weight rstd dy", dx_eval, lesson.expected.direct);
  page.near("dx in training is " + text_of(lesson.expected.dx), dx_train, lesson.expected.dx);
  page.say(R"(The whole derivative of y by x is a matrix. In training every y depends on every x; in evaluation each y
      depends on its own x alone.)");
  const std::int64_t n = lesson.x.size(0);
  const Tensor in_training = show_jacobian(page, "dy/dx, training, by hand", n, train_backward);
  directions(page, lesson, in_training, show_jacobian(page, "dy/dx, evaluation", n, eval_backward));
}

void two_machines(Page& page, const Lesson& lesson) {
  const Lesson whole(default_example, lesson.mistakes);
  each_alone(page, whole);
  together(page, whole);
  how_far_off(page, whole);
}

}  // namespace lesson
