// A schedule of one rise and one fall.
#pragma once

#include <gradus/optim/schedule.hpp>

namespace gradus::optim {

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
/// ValueError. A group that is added later has no max_lr: KeyError in the next step. Source: Smith, Topin (2018),
/// "Super-convergence: very fast training of neural networks using large learning rates"; phases as PyTorch.
class OneCycleLR final : public LRScheduler {
 public:
  OneCycleLR(Optimizer& optimizer, const OneCycleOptions& options);
  const char* name() const override { return "OneCycleLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double first_lr(std::size_t group) const override;
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
