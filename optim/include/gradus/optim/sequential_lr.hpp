// Schedules one after the other.
#pragma once

#include <gradus/optim/schedule.hpp>

namespace gradus::optim {

/// Hands over from each schedule to the next at an epoch of `milestones`; the next one starts with its epoch 0. A
/// warm-up and then a cosine:
///
///   optim::LinearLR warm_up(optimizer, 0.1, 1.0, 5);
///   optim::CosineAnnealingLR cosine(optimizer, 95);
///   optim::SequentialLR schedule(optimizer, {&warm_up, &cosine}, {5});
///
/// The schedules have to outlive this one, and only this one is stepped and saved. Throws ValueError unless there is
/// one milestone fewer than schedules, milestones rise, and all schedules are different ones of this optimiser. As
/// PyTorch.
class SequentialLR final : public LRScheduler {
 public:
  SequentialLR(Optimizer& optimizer, std::vector<LRScheduler*> schedulers, std::vector<std::int64_t> milestones);
  const char* name() const override { return "SequentialLR"; }
  void step() override;
  Value state_dict() const override;
  void load_state_dict(const Value& state) override;

 private:
  void check() const override;
  void list(FieldList& fields) override { fields("_milestones", milestones_); }
  double lr_at(std::size_t group, std::int64_t) const override { return optimizer().lr(group); }

  std::vector<LRScheduler*> schedulers_;
  std::vector<std::int64_t> milestones_;
};

}  // namespace gradus::optim
