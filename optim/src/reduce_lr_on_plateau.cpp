#include "common.hpp"

#include <gradus/optim/reduce_lr_on_plateau.hpp>

#include <algorithm>
#include <limits>

namespace gradus::optim {

namespace {
constexpr double infinity = std::numeric_limits<double>::infinity();
}

ReduceLROnPlateau::ReduceLROnPlateau(Optimizer& optimizer, const PlateauOptions& options)
    : LRScheduler(optimizer),
      mode_(options.mode == PlateauMode::min ? "min" : "max"),
      threshold_mode_(options.threshold_mode == ThresholdMode::rel ? "rel" : "abs"),
      factor_(options.factor),
      threshold_(options.threshold),
      eps_(options.eps),
      best_(mode_ == "min" ? infinity : -infinity),
      mode_worse_(best_),
      patience_(options.patience),
      cooldown_(options.cooldown),
      min_lrs_(options.min_lr.expand(optimizer.group_count(), "min_lr")) {
  check();
  list_fields(false);
  went_to(0);
}

void ReduceLROnPlateau::check() const {
  require_non_negative("factor", factor_);
  throw_if<ValueError>(factor_ >= 1, "Factor should be < 1.0, got ", PythonFloat{factor_});
  throw_if<ValueError>(mode_ != "min" && mode_ != "max", "mode ", mode_, " is unknown!");
  throw_if<ValueError>(threshold_mode_ != "rel" && threshold_mode_ != "abs", "threshold mode ", threshold_mode_,
                       " is unknown!");
  require_non_negative("threshold", threshold_);
  require_non_negative("eps", eps_);
  throw_if<ValueError>(min_lrs_.empty(), "ReduceLROnPlateau: min_lrs is empty");
  for (const double min_lr : min_lrs_) require_non_negative("min_lr", min_lr);
}

void ReduceLROnPlateau::list(FieldList& fields) {
  fields("factor", factor_)("min_lrs", min_lrs_)("patience", patience_)("cooldown", cooldown_);
  fields("cooldown_counter", cooldown_counter_)("mode", mode_)("threshold", threshold_);
  fields("threshold_mode", threshold_mode_)("best", best_)("num_bad_epochs", num_bad_epochs_);
  fields("mode_worse", mode_worse_)("eps", eps_);
}

bool ReduceLROnPlateau::better(double metric) const {
  const bool relative = threshold_mode_ == "rel";
  if (mode_ == "min") return metric < (relative ? best_ * (1 - threshold_) : best_ - threshold_);
  return metric > (relative ? best_ * (threshold_ + 1) : best_ + threshold_);
}

double ReduceLROnPlateau::lr_at(std::size_t group, std::int64_t) const {
  // A group that was added later has the bound of the last one.
  const double lr = optimizer().lr(group), bound = min_lrs_[std::min(group, min_lrs_.size() - 1)];
  const double reduced = std::max(lr * factor_, bound);
  return lr - reduced > eps_ ? reduced : lr;
}

void ReduceLROnPlateau::step(double metric) {
  const bool improved = better(metric);
  if (improved) best_ = metric;
  num_bad_epochs_ = improved ? 0 : num_bad_epochs_ + 1;
  if (cooldown_counter_ > 0) {
    --cooldown_counter_;
    num_bad_epochs_ = 0;
  }
  const std::int64_t epoch = last_epoch() + 1;
  if (num_bad_epochs_ <= patience_) return went_to(epoch);
  go_to(epoch);
  cooldown_counter_ = cooldown_;
  num_bad_epochs_ = 0;
}

void ReduceLROnPlateau::step() {
  throw ValueError("ReduceLROnPlateau.step: expected the number that is to improve, got none\ncall step(loss)");
}

}  // namespace gradus::optim
