#include "common.hpp"

#include <gradus/optim/one_cycle_lr.hpp>

#include <algorithm>
#include <numbers>

namespace gradus::optim {

namespace {

std::int64_t positive(const char* name, std::int64_t value) {
  if (value > 0) return value;
  fail<ValueError>("Expected positive integer ", name, ", but got ", value);
}

std::int64_t total_steps(const OneCycleOptions& options) {
  if (options.total_steps) return positive("total_steps", *options.total_steps);
  throw_if<ValueError>(!options.epochs || !options.steps_per_epoch,
                       "You must define either total_steps OR (epochs AND steps_per_epoch)");
  return positive("epochs", *options.epochs) * positive("steps_per_epoch", *options.steps_per_epoch);
}

}  // namespace

OneCycleLR::OneCycleLR(Optimizer& optimizer, const OneCycleOptions& options)
    : LRScheduler(optimizer),
      total_steps_(total_steps(options)),
      pct_start_(options.pct_start),
      linear_(options.anneal_strategy == Anneal::linear),
      cycle_momentum_(options.cycle_momentum),
      three_phase_(options.three_phase),
      max_lrs_(options.max_lr.expand(optimizer.group_count(), "max_lr")),
      max_momentums_(options.max_momentum.expand(optimizer.group_count(), "max_momentum")),
      base_momentums_(options.base_momentum.expand(optimizer.group_count(), "base_momentum")) {
  for (const double max_lr : max_lrs_) {
    initial_lrs_.push_back(max_lr / options.div_factor);
    min_lrs_.push_back(initial_lrs_.back() / options.final_div_factor);
  }
  start();
  for (std::size_t group = 0; group < max_lrs_.size(); ++group) {
    auto& notes = optimizer.schedule(group);
    notes["max_lr"] = max_lrs_[group];
    notes["min_lr"] = min_lrs_[group];
    if (!cycle_momentum_) continue;
    notes["max_momentum"] = max_momentums_[group];
    notes["base_momentum"] = base_momentums_[group];
  }
}

void OneCycleLR::check() const {
  positive("total_steps", total_steps_);
  throw_if<ValueError>(!(0 <= pct_start_ && pct_start_ <= 1), "Expected float between 0 and 1 pct_start, but got ",
                       PythonFloat{pct_start_});
  for (const auto* rates : {&max_lrs_, &initial_lrs_, &min_lrs_}) {
    for (const double lr : *rates) require_non_negative("learning rate", lr);
  }
  for (const auto* momentums : {&max_momentums_, &base_momentums_}) {
    for (const double momentum : *momentums) {
      throw_if<ValueError>(!(0 <= momentum && momentum < 1), "Invalid momentum value: ", PythonFloat{momentum});
    }
  }
}

void OneCycleLR::list(FieldList& fields) {
  fields("total_steps", total_steps_)("pct_start", pct_start_)("linear", linear_)("cycle_momentum", cycle_momentum_);
  fields("three_phase", three_phase_)("initial_lrs", initial_lrs_)("max_lrs", max_lrs_);
  fields("min_lrs", min_lrs_)("max_momentums", max_momentums_);
  fields("base_momentums", base_momentums_);
}

double OneCycleLR::first_lr(std::size_t group) const {
  if (group < initial_lrs_.size()) return initial_lrs_[group];
  fail<KeyError>("OneCycleLR: no max_lr for parameter group ", group, ", which was added later\nadd all groups first, ",
                 "and then make the schedule, with one max_lr for each.");
}

OneCycleLR::Place OneCycleLR::place_of(std::int64_t step) const {
  throw_if<ValueError>(step > total_steps_, "Tried to step ", step + 1,
                       " times. The specified number of total steps is ", total_steps_);
  const double total = static_cast<double>(total_steps_), at = static_cast<double>(step);
  const double ends[] = {pct_start_ * total - 1, three_phase_ ? 2 * pct_start_ * total - 2 : total - 1, total - 1};
  const std::size_t last = three_phase_ ? 2 : 1;
  std::size_t phase = 0;
  while (phase < last && at > ends[phase]) ++phase;
  const double start = phase == 0 ? 0 : ends[phase - 1], length = ends[phase] - start;
  return {phase, length == 0 ? 1 : (at - start) / length};
}

double OneCycleLR::anneal(double from, double to, double part) const {
  if (linear_) return (to - from) * std::min(part, 1.0) + from;  // one step past the end the line would go on
  return to + (from - to) / 2 * (std::cos(std::numbers::pi * part) + 1);
}

double OneCycleLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const auto [phase, part] = place_of(epoch);
  const double initial = initial_lrs_[group], max = max_lrs_[group], min = min_lrs_[group];
  const double corners[] = {initial, max, three_phase_ ? initial : min, min};
  return anneal(corners[phase], corners[phase + 1], part);
}

std::optional<double> OneCycleLR::momentum_at(std::size_t group, std::int64_t epoch) const {
  if (!cycle_momentum_) return {};
  const auto [phase, part] = place_of(epoch);
  const double max = max_momentums_[group], base = base_momentums_[group];
  const double corners[] = {max, base, max, max};
  return anneal(corners[phase], corners[phase + 1], part);
}

}  // namespace gradus::optim
