// Whole trainings beside PyTorch's: same seed, same draws, same curve.
#include "golden.hpp"
#include "near.hpp"

#include <gradus/core/data.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/functional.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/sgd.hpp>

#include <gtest/gtest.h>

#include <algorithm>

namespace gradus {
namespace {

using test::golden_tensor;
using test::relative_distance;

void expect_state(const nn::Module& net, const test::json& expected, double tolerance,
                  const std::vector<std::string>& except = {}) {
  const StateDict state = net.state_dict();
  ASSERT_EQ(state.size(), expected.size());
  for (const auto& [name, value] : state) {
    if (std::find(except.begin(), except.end(), name) != except.end()) continue;
    const Tensor recorded = golden_tensor(expected.at(name));
    if (value.dtype() == int64) {
      EXPECT_TRUE(equal(value, recorded)) << name;
    } else {
      EXPECT_LE(relative_distance(value, recorded), tolerance) << name;
    }
  }
}

double relative(double got, double recorded) { return std::abs(got - recorded) / std::abs(recorded); }

void expect_first_rows(const Tensor& logits, const test::json& expected, double tolerance) {
  const Tensor recorded = golden_tensor(expected);
  EXPECT_LE(relative_distance(logits.narrow(0, 0, recorded.size(0)), recorded), tolerance);
}

TEST(TrainingFixture, TwentyStepsOfAPerceptron) {
  const test::json& mlp = test::load_golden("training.json").at("mlp");
  const Tensor input = golden_tensor(mlp.at("input")), labels = golden_tensor(mlp.at("labels"));
  const std::int64_t batch = mlp.at("batch"), rows = input.size(0);
  // In float32 PyTorch's run ends 4.5e-7 from its own in float64 (running_var), ours 3.1e-7: each product of matrices
  // is rounded in another order.
  const test::json& in_double = mlp.at("runs").back();
  ASSERT_EQ(in_double.at("dtype"), "float64");
  for (const test::json& run : mlp.at("runs")) {
    const bool single = run.at("dtype") == "float32";
    SCOPED_TRACE(run.at("dtype"));
    manual_seed(mlp.at("seed").get<std::int64_t>());
    const Shape first = golden_tensor(run.at("final").at("0.weight")).shape();
    const std::int64_t classes = golden_tensor(run.at("final").at("3.bias")).numel();
    nn::Sequential net{nn::Linear(first[1], first[0]), nn::BatchNorm1d(first[0]), nn::ReLU(),
                       nn::Linear(first[0], classes)};
    if (single) expect_state(net, run.at("initial"), 0);
    net.to(single ? float32 : float64);
    optim::SGD optimizer(net.parameters(), {.lr = 0.05, .momentum = 0.9});

    const auto losses = run.at("losses").get<std::vector<double>>();
    const auto correct = run.at("correct").get<std::vector<int>>();
    const double tolerance = single ? 5e-7 : 1e-12;
    const Tensor data = input.to(single ? float32 : float64);
    for (std::size_t step = 0; step < losses.size(); ++step) {
      const std::int64_t start = static_cast<std::int64_t>(step) * batch % rows;
      const Tensor y = labels.narrow(0, start, batch);
      optimizer.zero_grad();
      const Tensor logits = net(data.narrow(0, start, batch));
      const Tensor loss = nn::functional::cross_entropy(logits, y);
      loss.backward();
      optimizer.step();
      EXPECT_LE(relative(loss.item(), losses[step]), tolerance) << step;
      EXPECT_EQ((logits.argmax(1) == y).sum().item<int>(), correct[step]) << step;
    }
    expect_state(net, run.at("final"), single ? 6e-7 : 1e-12);
    expect_state(net, in_double.at("final"), single ? 3.5e-7 : 1e-12);
    net.eval();
    EXPECT_LE(relative(nn::functional::cross_entropy(net(data), labels).item(), run.at("eval_loss")), tolerance);
    expect_first_rows(net(data), run.at("eval_logits_first_rows"), single ? 4.5e-7 : 1e-12);
  }
}

TEST(TrainingFixture, DataInitShuffleAndDropoutFromOneSeed) {
  const test::json& end = test::load_golden("training.json").at("end_to_end");
  manual_seed(end.at("seed").get<std::int64_t>());
  const std::int64_t rows = end.at("n");
  const auto sizes = end.at("sizes").get<std::vector<std::int64_t>>();
  const Tensor x = randn({rows, sizes[0]}), y = randint(sizes[2], {rows});
  EXPECT_TRUE(equal(x, golden_tensor(end.at("X"))));
  EXPECT_TRUE(equal(y, golden_tensor(end.at("Y"))));
  nn::Sequential net{nn::Linear(sizes[0], sizes[1]), nn::BatchNorm1d(sizes[1]), nn::ReLU(),
                     nn::Dropout(end.at("p").get<double>()), nn::Linear(sizes[1], sizes[2])};
  optim::Adam optimizer(net.parameters(), {.lr = end.at("lr")});
  DataLoader loader(TensorDataset(x, y, arange(rows)), {.batch_size = end.at("batch"), .shuffle = true});

  std::size_t step = 0;
  for (int epoch = 0; epoch < end.at("epochs").get<int>(); ++epoch) {
    for (const auto& [inputs, labels, numbers] : loader) {
      const test::json& recorded = end.at("steps").at(step++);
      const auto indices = recorded.at("indices").get<std::vector<std::int64_t>>();
      EXPECT_TRUE(equal(numbers, from_span(indices, static_cast<std::int64_t>(indices.size())))) << step;
      optimizer.zero_grad();
      const Tensor loss = nn::functional::cross_entropy(net(inputs), labels);
      loss.backward();
      optimizer.step();
      EXPECT_LE(relative(loss.item(), recorded.at("loss")), 2e-7) << step;
    }
  }
  EXPECT_EQ(step, end.at("steps").size());
  // Adam scales up how products of matrices are rounded: by the kernel of OpenBLAS, weights are 1.5e-7 to 6.2e-7 away.
  // A bias before BatchNorm has the gradient 0; Adam scales its rounding noise up to whole steps, which the mean
  // follows.
  expect_state(net, end.at("final"), 8e-7, {"0.bias", "1.running_mean"});
  const Tensor after = golden_tensor(end.at("rand_after"));
  EXPECT_TRUE(equal(rand(after.shape()), after));
  net.eval();
  for (const char* name : {"0.bias", "1.running_mean"})
    net.state_dict()[name].copy_(golden_tensor(end.at("final").at(name)));
  expect_first_rows(net(x), end.at("eval_logits_first_rows"), 6e-7);
}

}  // namespace
}  // namespace gradus
