// Schedules of the learning rate.
#pragma once

#include <gradus/optim/optimizer.hpp>

#include <optional>

namespace gradus::optim {

/// Base of every schedule. A schedule belongs to one optimiser, which has to outlive it, and turns the rate of those
/// groups that the optimiser has by then. The constructor sets the rates of epoch 0, each `step` goes on by one epoch:
///
///   optim::CosineAnnealingLR schedule(optimizer, 20);
///   for (int epoch = 0; epoch < 20; ++epoch) {
///     train(model, optimizer);
///     schedule.step();
///   }
///
/// All but OneCycleLR compute the next rate from the present one, so a rate that was changed by hand, or by a second
/// schedule, stays changed. Everything is computed in double, to the bit as PyTorch. Constructors throw ValueError for
/// parameters that make no sense.
class LRScheduler {
 public:
  LRScheduler(const LRScheduler&) = delete;
  LRScheduler& operator=(const LRScheduler&) = delete;
  virtual ~LRScheduler() = default;

  virtual const char* name() const = 0;
  void step();
  std::int64_t last_epoch() const { return last_epoch_; }          ///< epochs done
  const std::vector<double>& last_lr() const { return last_lr_; }  ///< the rates that the last step set, one a group

  /// The parameters of the schedule and how far it is. The rates themselves are in the state of the optimiser.
  StateDict state_dict() const;
  /// Takes over a state. All or nothing: throws RuntimeError, with all that is wrong, for the state of another kind of
  /// schedule or for another number of groups.
  void load_state_dict(const StateDict& state);
  /// The same as the dict that `state_dict()` of PyTorch returns.
  Value to_pytorch() const;
  void load_pytorch(const Value& state);

 protected:
  explicit LRScheduler(Optimizer& optimizer) : optimizer_(optimizer) {}
  /// The end of every constructor: checks the parameters, notes the first rates and sets those of epoch 0.
  void start();
  Optimizer& optimizer() const { return optimizer_; }
  double base_lr(std::size_t group) const { return base_lrs_[group]; }

 private:
  virtual void check() const = 0;
  virtual void list(FieldList& list) = 0;
  virtual double first_lr(std::size_t group) const;
  virtual double lr_at(std::size_t group, std::int64_t epoch) const = 0;
  virtual std::optional<double> momentum_at(std::size_t, std::int64_t) const { return {}; }
  void list_all(FieldList& list);
  void load(const Value& state, const StateDict& names);
  void apply(std::int64_t epoch);

  Optimizer& optimizer_;
  std::int64_t last_epoch_ = 0;
  std::vector<double> base_lrs_, last_lr_;
};

/// lr = lr gamma after every `step_size` epochs.
class StepLR final : public LRScheduler {
 public:
  StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma = 0.1);
  const char* name() const override { return "StepLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::int64_t step_size_;
  double gamma_;
};

/// lr = lr gamma^k after an epoch that occurs k times in `milestones`.
class MultiStepLR final : public LRScheduler {
 public:
  MultiStepLR(Optimizer& optimizer, std::vector<std::int64_t> milestones, double gamma = 0.1);
  const char* name() const override { return "MultiStepLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::vector<std::int64_t> milestones_;
  double gamma_;
};

/// lr = lr gamma after every epoch.
class ExponentialLR final : public LRScheduler {
 public:
  ExponentialLR(Optimizer& optimizer, double gamma);
  const char* name() const override { return "ExponentialLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  double gamma_;
};

/// Half a cosine wave from the first rate lr0 down to eta_min in T_max epochs, after epoch e
///
///   lr = eta_min + (lr0 - eta_min) (1 + cos(pi e / T_max)) / 2,
///
/// and up again if it goes on. Source: Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm
/// restarts", equation 5, without the restarts.
class CosineAnnealingLR final : public LRScheduler {
 public:
  CosineAnnealingLR(Optimizer& optimizer, std::int64_t T_max, double eta_min = 0);
  const char* name() const override { return "CosineAnnealingLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::int64_t T_max_;
  double eta_min_;
};

/// One number for all parameter groups, or a list with one for each.
class PerGroup {
 public:
  PerGroup() = default;
  PerGroup(double value) : values_{value}, for_all_(true) {}
  PerGroup(std::initializer_list<double> values) : values_(values) {}
  PerGroup(std::vector<double> values) : values_(std::move(values)) {}

  /// One number for each of `groups`. Throws ValueError when there are others; `name` says of what.
  std::vector<double> expand(std::size_t groups, const char* name) const;

 private:
  std::vector<double> values_;
  bool for_all_ = false;
};

enum class Anneal { cos, linear };

struct OneCycleOptions {
  PerGroup max_lr = {};                          ///< the rate at the peak
  std::optional<std::int64_t> total_steps = {};  ///< may be left out if both of the next two are given:
  std::optional<std::int64_t> epochs = {};       ///< total_steps = epochs * steps_per_epoch
  std::optional<std::int64_t> steps_per_epoch = {};
  double pct_start = 0.3;  ///< the part of the steps on the way up, from 0 to 1
  Anneal anneal_strategy = Anneal::cos;
  bool cycle_momentum = true;  ///< momentum (beta1 of Adam) falls while the rate rises
  PerGroup base_momentum = 0.85;
  PerGroup max_momentum = 0.95;
  double div_factor = 25;         ///< the first rate is max_lr / div_factor
  double final_div_factor = 1e4;  ///< the last is the first / final_div_factor
  bool three_phase = false;       ///< down to the first rate as fast as up, and in a third phase to the last
};

/// One rise of the rate from the first to max_lr and one fall to the last, while momentum goes from max_momentum to
/// base_momentum and back. To be stepped after every batch. One `step` after the last is tolerated, a second one throws
/// ValueError. Source: Smith, Topin (2018), "Super-convergence: very fast training of neural networks using large
/// learning rates"; phases as PyTorch.
class OneCycleLR final : public LRScheduler {
 public:
  OneCycleLR(Optimizer& optimizer, const OneCycleOptions& options);
  const char* name() const override { return "OneCycleLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double first_lr(std::size_t group) const override { return initial_lrs_[group]; }
  double lr_at(std::size_t group, std::int64_t epoch) const override;
  std::optional<double> momentum_at(std::size_t group, std::int64_t epoch) const override;

  struct Place {
    std::size_t phase;
    double part;  // of the phase, from 0 to 1
  };
  Place place_of(std::int64_t step) const;
  double anneal(double from, double to, double part) const;

  std::int64_t total_steps_;
  double pct_start_;
  bool linear_, cycle_momentum_, three_phase_;
  std::vector<double> initial_lrs_, max_lrs_, min_lrs_, max_momentums_, base_momentums_;
};

}  // namespace gradus::optim
