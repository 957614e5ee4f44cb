#include "tensor/message.hpp"

#include <gradus/optim/sequential_lr.hpp>

#include <algorithm>
#include <functional>

namespace gradus::optim {

using gradus::detail::fail, gradus::detail::throw_if;

SequentialLR::SequentialLR(Optimizer& optimizer, std::vector<LRScheduler*> schedulers,
                           std::vector<std::int64_t> milestones)
    : LRScheduler(optimizer), schedulers_(std::move(schedulers)), milestones_(std::move(milestones)) {
  check();
  list_fields(false);
  for (std::size_t group = 0; group < optimizer.group_count(); ++group) {
    optimizer.set_lr(group, base_lr(group));  // what the constructors did to it is undone
  }
  for (LRScheduler* scheduler : schedulers_) scheduler->last_epoch_ = scheduler->first_epoch_ = -1;
  schedulers_[0]->go_to(0);
  went_to(0);
}

void SequentialLR::check() const {
  throw_if<ValueError>(
      milestones_.size() + 1 != schedulers_.size(),
      "Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone ",
      "points, but got number of schedulers ", schedulers_.size(), " and the number of milestones to be equal to ",
      milestones_.size());
  for (std::size_t i = 0; i < schedulers_.size(); ++i) {
    const bool again =
        std::find(schedulers_.begin(), schedulers_.begin() + i, schedulers_[i]) != schedulers_.begin() + i;
    if (!schedulers_[i] || again || &schedulers_[i]->optimizer() != &optimizer()) {
      fail<ValueError>(
          "Sequential Schedulers expects all schedulers to belong to the same optimizer, but got schedulers at ",
          "index ", i, " to be ",
          !schedulers_[i] ? "null"
          : again         ? "there twice"
                          : "of another optimizer");
    }
  }
  throw_if<ValueError>(
      !std::ranges::is_sorted(milestones_, std::less_equal<>()) || (!milestones_.empty() && milestones_[0] <= 0),
      "SequentialLR: expected positive milestones, each larger than the one before");
}

void SequentialLR::step() {
  const std::int64_t epoch = last_epoch() + 1;
  const auto next = std::ranges::upper_bound(milestones_, epoch);
  LRScheduler& scheduler = *schedulers_[static_cast<std::size_t>(next - milestones_.begin())];
  if (next != milestones_.begin() && *(next - 1) == epoch) {
    scheduler.go_to(0, true);
  } else {
    scheduler.step();
  }
  went_to(epoch);
}

Value SequentialLR::state_dict() const {
  Value state = LRScheduler::state_dict();
  Value& all = state["_schedulers"] = Value::list();
  for (const LRScheduler* scheduler : schedulers_) all.as_list().push_back(scheduler->state_dict());
  return state;
}

void SequentialLR::load_state_dict(const Value& state) {
  const bool good = state.kind() == Value::Kind::dict && state.contains("_schedulers") &&
                    state.at("_schedulers").kind() == Value::Kind::list &&
                    state.at("_schedulers").size() == schedulers_.size();
  throw_if<RuntimeError>(!good,
                         "Error(s) in loading state_dict for SequentialLR:\n\texpected a list \"_schedulers\" of ",
                         schedulers_.size(), " states.");
  const Value before = state_dict();
  const auto load = [this](const Value& from) {
    for (std::size_t i = 0; i < schedulers_.size(); ++i) {
      schedulers_[i]->load_state_dict(from.at("_schedulers").as_list()[i]);
    }
    LRScheduler::load_state_dict(from);
  };
  try {
    load(state);
  } catch (...) {
    load(before);
    throw;
  }
}

}  // namespace gradus::optim
