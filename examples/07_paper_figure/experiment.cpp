#include "paper_figure.hpp"
#include "percentiles.hpp"
#include "training.hpp"

#include <gradus/gradus.hpp>

#include <cmath>

using namespace gradus;

namespace {

struct Net : nn::Module {
  nn::Sequential below;  // x -> the inputs of the last hidden layer's sigmoids
  nn::Sequential above{nn::Sigmoid(), nn::Linear(hidden_units, 10)};  // these inputs -> logits

  /// BatchNorm stands before the sigmoid, where its bias replaces that of the layer (section 3.2 of the paper).
  Net(std::int64_t pixels, bool batch_norm) {
    for (const std::int64_t inputs : {pixels, hidden_units, hidden_units}) {
      if (below.size() > 0) below.push_back(nn::Sigmoid());
      below.push_back(nn::Linear(inputs, hidden_units, {.bias = !batch_norm}));
      // That a training diverges is for its loss to tell.
      if (batch_norm) below.push_back(nn::BatchNorm1d(hidden_units, {.non_finite = nn::NonFinite::skip}));
    }
  }
  void state(nn::StateList& list) override { list("below", below)("above", above); }
  Tensor forward(const Tensor& x) const override { return above(below(x)); }
};

/// "initialized to small random Gaussian values"
void initialise(Net& net, double std) {
  net.apply([std](nn::Module& module) {
    auto* linear = dynamic_cast<nn::Linear*>(&module);
    if (!linear) return;
    nn::init::normal_(linear->weight, 0, std);
    if (linear->bias.defined()) nn::init::zeros_(linear->bias);
  });
}

}  // namespace

ImageSet binarised(const ImageSet& images, double threshold) {
  ImageSet binary = images;
  for (Images* part : {&binary.train, &binary.test}) part->x = (part->x > threshold).to(float32);
  return binary;
}

Tensor train(const ImageSet& images, bool batch_norm, const Settings& settings, Progress& progress) {
  Net net(images.height * images.width, batch_norm);
  manual_seed(settings.seed);  // both networks draw equally many weights, and then the same batches
  initialise(net, settings.init_std);
  optim::SGD optimizer(net.parameters(), {.lr = settings.lr});
  DataLoader loader(TensorDataset(images.train.x, images.train.y),
                    {.batch_size = batch_size, .shuffle = true, .drop_last = true});

  auto batch = loader.begin();
  std::vector<double> points;
  std::vector<float> watched;
  double accuracy = 0;
  for (std::int64_t step = 1; step <= settings.steps; ++step, ++batch) {
    if (batch == loader.end()) batch = loader.begin();
    const auto& [x, y] = *batch;
    optimizer.zero_grad();
    const Tensor sigmoid_input = net.below(x);
    const Tensor loss = nn::functional::cross_entropy(net.above(sigmoid_input), y);
    loss.backward();
    optimizer.step();

    if (!std::isfinite(loss.item()) || !isfinite(sigmoid_input).all().item<bool>()) {
      throw ValueError("the training diverged at step " + std::to_string(step) + "\ntake a smaller --lr or --init-std");
    }
    const auto inputs = sigmoid_input.select(1, settings.unit).to_vector<float>();
    watched.insert(watched.end(), inputs.begin(), inputs.end());
    if (step % settings.eval_every == 0 || step == settings.steps) {
      accuracy = evaluate(net, images.test.x, images.test.y).accuracy;
      const auto [p15, p50, p85] = percentiles(watched);
      points.insert(points.end(), {static_cast<double>(step), accuracy, p15, p50, p85});
      watched.clear();
    }
    progress.step(accuracy);
  }
  return from_span(points, {static_cast<std::int64_t>(points.size()) / 5, 5});
}
