// What the page shows: BatchNorm on a few numbers, and two nets that learn.
#pragma once

#include <gradus/core/random.hpp>
#include <gradus/nn/sequential.hpp>
#include <gradus/optim/sgd.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace live {

// --- model.cpp: every value and every gradient of BatchNorm, from gradus's own graph

/// Lines of a name and numbers in, lines of a name and numbers out, 17 digits each.
///
/// Request: `x` and `dy` (1 to 16 numbers each, as many), `weight`, `bias`, `eps`, `training` (1 or 0), `momentum`,
/// `running_mean`, `running_var`, `batches`, `sum` (1: the loss is sum(y), whatever dy is), `drop_mean`, `drop_var`.
/// Response: `value NAME`, `grad NAME` and `difference NAME` for x, the nodes, weight and bias, in the order of
/// forward; `path direct`, `path var`, `path mean` and `dx`, where a dropped path is 0; `right`, the dx of autograd;
/// `after`: the running mean, variance and number of batches after a training step; `refused TEXT` if nn::BatchNorm1d
/// refuses the batch. `error TEXT` alone if the request makes no sense.
std::string compute(const std::string& request);

// --- trainer.cpp: two nets, one with BatchNorm and one without, that learn the same points side by side

enum class Points { moons, spirals };

struct ComparisonOptions {
  Points points = Points::moons;
  std::int64_t depth = 3;  ///< hidden layers, 1 to 8
  double lr = 0.1;         ///< learning rate of SGD, above 0
  std::uint64_t seed = 0;
};

/// Steps of SGD (momentum 0.9, batches of 64 drawn anew) for `depth` hidden layers of 16 ReLUs on points of the plane
/// in two classes. Throws ValueError for options out of range.
class Comparison {
 public:
  explicit Comparison(const ComparisonOptions& options);

  void step();  ///< one step of both nets, on the same batch
  double loss(int net) const { return runners_[net].loss; }
  /// The probability of class 1 at n x n points of the square [-2, 2]^2, row by row from the top; in evaluation mode.
  std::vector<float> regions(int net, std::int64_t n);
  /// The input of the first ReLU of the last hidden layer, for the last batch.
  std::vector<float> hidden(int net);
  /// All points: x, y, class, three numbers each.
  std::vector<float> points() const;

 private:
  struct Runner {
    gradus::nn::Sequential net;
    std::unique_ptr<gradus::optim::SGD> optimizer;
    double loss = 0;
  };

  std::vector<Runner> runners_;
  gradus::Generator generator_;
  gradus::Tensor x_, y_;              // (512, 2), (512)
  gradus::Tensor batch_x_, batch_y_;  // (64, 2), (64)
};

}  // namespace live
