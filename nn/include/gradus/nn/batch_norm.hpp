// BatchNorm1d. The derivation of its backward pass, with the names the code uses, is in nn/README.md.
#pragma once

#include <gradus/nn/all_reduce.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>

namespace gradus::nn {

/// What a training batch with NaN or infinity does to the running buffers, which it must never enter.
enum class NonFinite {
  raise,  ///< ValueError, before anything changes
  skip    ///< y and its gradients are computed, NaN and all; the buffers and the counter stay
};

struct BatchNormOptions {
  double eps = 1e-5;
  std::optional<double> momentum = 0.1;  ///< weight of the new batch; nullopt: cumulative mean over all batches
  bool affine = true;                    ///< learn weight and bias
  bool track_running_stats = true;       ///< keep running_mean, running_var, num_batches_tracked
  Dtype dtype = float32;
  NonFinite non_finite = NonFinite::raise;
  std::shared_ptr<AllReduce> sync = {};  ///< in training, the batch is that of all these processes together
};

namespace functional {

class EvaluationCache;

struct BatchNormState {
  Tensor running_mean = {};  ///< (C), written to in training
  Tensor running_var = {};   ///< (C)
  Tensor weight = {};        ///< (C), undefined: 1
  Tensor bias = {};          ///< (C), undefined: 0
};

struct BatchNormCall {
  bool training = false;
  double momentum = 0.1;
  double eps = 1e-5;
  NonFinite non_finite = NonFinite::raise;
  AllReduce* sync = nullptr;  ///< in training, M counts the values in all these processes; outlives the graph
};

/// y = (x - mean) / sqrt(var + eps) * weight + bias, per channel.
///
/// Training, or without running buffers: mean and var = sum (x - mean)^2 / M of the batch, M = N L values a channel;
/// then running_mean += momentum (mean - running_mean), running_var += momentum (var M / (M - 1) - running_var).
/// Otherwise: mean = running_mean, var = running_var, constants for the gradient.
///
/// Which variance where? Biased (/ M) in y, unbiased (/ (M - 1)) in running_var, which holds no eps.
/// Which way does momentum go? It is the weight of this batch.
/// Why not one value per channel? x - mean is 0 and so is var: y would be bias for every x.
/// Why does evaluation give other gradients? dx = dy weight / sqrt(running_var + eps): mean and var do not depend on x.
/// What stops the buffers? `training = false`, momentum 0, or leaving them out; NoGradGuard and requires_grad do not.
///
/// x (N, C) or (N, C, L), floating; y as x. Sums are carried in double and each element is rounded once.
/// Saves x, weight, and mean and 1 / sqrt(var + eps) in double.
/// Throws ValueError for another rank, for eps below 0 or momentum outside [0, 1], for one value per channel in
/// training and, see NonFinite, for a batch that is not finite, and in evaluation where running_var + eps is negative
/// or NaN; RuntimeError for another dtype, shape or number of channels, and for running buffers that want a gradient.
/// The buffers are then unchanged: they are written last. A batch without values leaves them as they are.
/// Source: Ioffe & Szegedy 2015, algorithms 1 and 2; as PyTorch, but for what BatchNorm1d lists below.
Tensor batch_norm(const Tensor& x, const BatchNormState& state, const BatchNormCall& call);

}  // namespace functional

/// Normalises every channel over the batch, then scales and shifts it by what it has learned.
///
/// y = (x - mean) / sqrt(var + eps) * weight + bias; x, y (N, C) or (N, C, L); weight, bias (C).
///
///                   statistics used     running buffers          gradient of the statistics
///   training        of the batch        updated                  yes
///   eval, tracking  running buffers     unchanged                none: dx = dy weight / sqrt(running_var + eps)
///   not tracking    of the batch        there are none           yes
///
/// Which variance where? Biased (/ M) to normalise, unbiased (/ (M - 1)) into running_var.
/// Which way does momentum go? new = (1 - momentum) old + momentum batch; what Keras calls 0.99 is 0.01 here.
/// Why not one value per channel? Its variance is 0 and x - mean is 0: 0 / 0. Drop the last batch, or call eval().
/// Why does eval() give other gradients? There mean and var are constants; in training x moves them too.
/// Does requires_grad_(false) freeze it? No, the buffers still move in training: freeze() stops them.
///
/// Unlike PyTorch, num_batches_tracked does not count a batch that is then refused, and a batch without values has no
/// part in a cumulative mean.
/// Unlike PyTorch, backward in eval() uses the buffers as its forward pass saw them, whatever has entered them since.
/// Unlike PyTorch, a float32 equal to the mean, as all are in a constant channel, gives exactly bias, without noise.
/// Unlike PyTorch, a batch with NaN or infinity never enters the buffers, see NonFinite.
/// Threads that train through one layer count their batches one after the other; only the order is open.
/// Unlike PyTorch, float32 loses no digits around a large mean: at 1e4, std 1, y has seven of them, there three.
///
/// Throws as functional::batch_norm, and RuntimeError for a negative number of features.
/// Every number of it by hand: examples/06_batch_norm_by_hand.
class BatchNorm1d : public Module {
 public:
  explicit BatchNorm1d(std::int64_t num_features, const BatchNormOptions& options = {});

  void state(StateList& list) override;
  Tensor forward(const Tensor& x) const override;
  std::string extra_repr() const override;

  std::int64_t num_features() const { return num_features_; }
  const BatchNormOptions& options() const { return options_; }
  /// nullopt: the buffers become the mean over all batches since the last reset.
  void set_momentum(std::optional<double> momentum);

  /// From now on the batch is that of all `processes` together, or of this one again. Every process has its own rows,
  /// in any number, also none, and a loss that is the mean over them.
  void set_sync(std::shared_ptr<AllReduce> processes) { options_.sync = std::move(processes); }

  /// Frozen, it computes as in eval() whatever train() says, until freeze(false). Not part of the state_dict.
  BatchNorm1d& freeze(bool frozen = true);
  bool frozen() const { return frozen_; }
  void reset_running_stats();  ///< mean 0, variance 1, no batches

  Parameter weight, bias;            ///< (C); undefined unless affine
  Buffer running_mean, running_var;  ///< (C); undefined unless tracking
  Buffer num_batches_tracked;        ///< int64, 0-d

 private:
  friend Tensor batch_norm_relu(const BatchNorm1d& bn, const Tensor& x);
  Tensor normalise(const Tensor& x, bool then_relu) const;

  std::int64_t num_features_;
  BatchNormOptions options_;
  bool frozen_ = false;
  std::shared_ptr<functional::EvaluationCache> cache_;  // which copies may share: it knows its buffers by their bits
};

/// One Linear that computes bn(linear(x)) as eval() does: weight' = s weight, bias' = s (bias - running_mean) + bn.bias
/// with s = bn.weight / sqrt(running_var + eps) a row. Both arguments stay as they are. It takes x (N, C) only: in
/// (N, C, L) the two work on different dimensions.
/// Throws ValueError when bn has no running buffers or is in training mode, where running_var + eps is not above 0, and
/// when sizes or dtypes differ.
[[nodiscard]] Linear fuse(const Linear& linear, const BatchNorm1d& bn);
/// The same for a convolution; it takes batches (N, C, L) only.
[[nodiscard]] Conv1d fuse(const Conv1d& conv, const BatchNorm1d& bn);
/// The same for every Linear and Conv1d that a BatchNorm1d of its size follows, in Sequentials within this one as well;
/// all other modules, also those derived from these, are copied. Throws ValueError in training mode, and, as the two
/// above, for forward hooks, which copies do not have.
[[nodiscard]] Sequential fuse(const Sequential& net);

/// One run of `recalibrate`: the buffers start anew, and come back as they were unless it is finished.
class Recalibration {
 public:
  explicit Recalibration(Module& module);
  ~Recalibration();
  Recalibration(const Recalibration&) = delete;
  Recalibration& operator=(const Recalibration&) = delete;
  void see(const Tensor& x);
  void finish();

 private:
  struct Layer {
    BatchNorm1d* layer;
    BatchNorm1d before;
  };
  Module& module_;
  std::vector<Layer> layers_;
  bool finished_ = false;
};

/// Estimates the running buffers of every BatchNorm1d in `module` anew, as the mean over `batches`, a range of inputs
/// x. Weights, other layers, frozen layers and all modes stay as they are; the buffers too when a batch is refused, or
/// when none counts because there is none, all are empty or all are skipped: ValueError.
/// Source: Ioffe & Szegedy 2015, algorithm 2, line 10.
template <class Batches>
void recalibrate(Module& module, const Batches& batches) {
  Recalibration run(module);
  for (const Tensor& x : batches) run.see(x);
  run.finish();
}

}  // namespace gradus::nn
