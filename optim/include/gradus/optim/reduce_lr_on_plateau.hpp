// A schedule that follows a number, e.g. the loss on held-out data.
#pragma once

#include <gradus/optim/schedule.hpp>

namespace gradus::optim {

enum class PlateauMode { min, max };    ///< whether a smaller or a larger number is better
enum class ThresholdMode { rel, abs };  ///< of what is best, or as it is

struct PlateauOptions {
  PlateauMode mode = PlateauMode::min;
  double factor = 0.1;         ///< lr = lr factor, below 1
  std::int64_t patience = 10;  ///< so many epochs without improvement are accepted
  double threshold = 1e-4;     ///< what is better by less is no improvement
  ThresholdMode threshold_mode = ThresholdMode::rel;
  std::int64_t cooldown = 0;  ///< epochs after a reduction in which nothing is counted
  PerGroup min_lr = 0;
  double eps = 1e-8;  ///< a smaller reduction is not made
};

/// Reduces the rate when a number has stopped to improve:
///
///   optim::ReduceLROnPlateau schedule(optimizer, {.patience = 3});
///   … schedule.step(validation_loss);
///
/// NaN is no improvement. Every epoch needs its number: `step()` of the base class throws ValueError. As PyTorch.
class ReduceLROnPlateau final : public LRScheduler {
 public:
  explicit ReduceLROnPlateau(Optimizer& optimizer, const PlateauOptions& options = {});
  const char* name() const override { return "ReduceLROnPlateau"; }
  void step(double metric);
  void step(const Tensor& metric) { step(metric.item()); }

 private:
  void step() override;
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;
  bool better(double metric) const;

  std::string mode_, threshold_mode_;
  double factor_, threshold_, eps_, best_, mode_worse_;
  std::int64_t patience_, cooldown_, cooldown_counter_ = 0, num_bad_epochs_ = 0;
  std::vector<double> min_lrs_;
};

}  // namespace gradus::optim
