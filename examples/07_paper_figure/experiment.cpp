#include "experiment.hpp"

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

/// Batches in random order, epoch after epoch; what is left of an epoch and fills no batch is passed over.
class Batches {
 public:
  explicit Batches(const Images& images) : images_(images) {}
  Images next() {
    if (!order_.defined() || position_ + batch_size > order_.numel()) {
      order_ = randperm(images_.y.numel());
      position_ = 0;
    }
    const Tensor rows = order_.narrow(0, position_, batch_size);
    position_ += batch_size;
    return {images_.x.index_select(0, rows), images_.y.index_select(0, rows)};
  }

 private:
  const Images& images_;
  Tensor order_;
  std::int64_t position_ = 0;
};

void append_column(std::vector<float>& values, const Tensor& x, std::int64_t column) {
  const auto elements = x.data<float>();
  for (std::int64_t row = 0; row < x.size(0); ++row) {
    values.push_back(elements[static_cast<std::size_t>(row * x.size(1) + column)]);
  }
}

}  // namespace

ImageSet binarised(const ImageSet& images, double threshold) {
  ImageSet binary = images;
  for (Images* part : {&binary.train, &binary.test}) part->x = (part->x > threshold).to(float32);
  return binary;
}

Curve train(const ImageSet& images, bool batch_norm, const Settings& settings, Progress& progress) {
  Net net(images.height * images.width, batch_norm);
  manual_seed(settings.seed);  // both networks draw equally many weights, and then the same batches
  initialise(net, settings.init_std);
  optim::SGD optimizer(net.parameters(), {.lr = settings.lr});
  Batches batches(images.train);

  Curve curve;
  std::vector<float> watched;
  for (std::int64_t step = 1; step <= settings.steps; ++step) {
    const auto [x, y] = batches.next();
    optimizer.zero_grad();
    const Tensor sigmoid_input = net.below(x);
    const Tensor loss = nn::functional::cross_entropy(net.above(sigmoid_input), y);
    loss.backward();
    optimizer.step();

    if (!std::isfinite(loss.item()) || !isfinite(sigmoid_input).all().item<bool>()) {
      throw ValueError("the training diverged at step " + std::to_string(step) + "\ntake a smaller --lr or --init-std");
    }
    append_column(watched, sigmoid_input, settings.unit);
    if (step % settings.eval_every == 0 || step == settings.steps) {
      curve.push_back({step, accuracy(net, images.test), percentiles(watched)});
      watched.clear();
    }
    progress.step(curve.empty() ? 0 : curve.back().test_accuracy);
  }
  return curve;
}
