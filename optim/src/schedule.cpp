#include "state_reader.hpp"
#include "tensor/message.hpp"

#include <gradus/optim/schedule.hpp>

namespace gradus::optim {

using gradus::detail::fail, gradus::detail::throw_if;

double LRScheduler::base_lr(std::size_t group) const {
  if (group < base_lrs_.size()) return base_lrs_[group];
  const auto& notes = optimizer_.schedule(group);
  const auto noted = notes.find("initial_lr");
  return noted == notes.end() ? optimizer_.lr(group) : noted->second;
}

void LRScheduler::list_fields(bool base_lrs) {
  list(fields_);
  if (base_lrs) fields_("base_lrs", base_lrs_);
  fields_("last_epoch", last_epoch_).optional("_last_lr", last_lr_);
}

void LRScheduler::start() {
  check();
  list_fields(true);
  go_to(0);
}

void LRScheduler::step() {
  throw_if<RuntimeError>(fields_.fields().empty(), name(),
                         ": its constructor did not call start(), which has to be its last line");
  go_to(last_epoch_ + 1);
}

void LRScheduler::go_to(std::int64_t epoch, bool restarts) {
  for (std::size_t group = base_lrs_.size(); group < optimizer_.group_count(); ++group) {
    base_lrs_.push_back(first_lr(group));
    optimizer_.schedule(group)["initial_lr"] = base_lrs_.back();
  }
  std::vector<double> rates, before;
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group) {
    rates.push_back(restarts ? restart_lr(group) : lr_at(group, epoch));
  }
  try {
    for (std::size_t group = 0; group < rates.size(); ++group) {
      before.push_back(optimizer_.lr(group));
      if (const auto momentum = momentum_at(group, epoch)) optimizer_.set_momentum(group, *momentum);
      optimizer_.set_lr(group, rates[group]);
    }
  } catch (...) {
    for (std::size_t group = 0; group < before.size(); ++group) optimizer_.set_lr(group, before[group]);
    throw;
  }
  went_to(epoch);
}

void LRScheduler::went_to(std::int64_t epoch) {
  last_epoch_ = epoch;
  last_lr_.clear();
  for (std::size_t group = 0; group < optimizer_.group_count(); ++group) last_lr_.push_back(optimizer_.lr(group));
}

double LRScheduler::restart_lr(std::size_t group) const {
  const double present = optimizer_.lr(group);
  optimizer_.set_lr(group, base_lr(group));
  const double first = lr_at(group, 0);
  optimizer_.set_lr(group, present);
  return first;
}

Value LRScheduler::state_dict() const { return fields_.values(); }

namespace {

/// Refuses what is neither listed nor a name of PyTorch's own bookkeeping: the state of another kind of schedule.
void find_unexpected(StateReader& reader, const Value& state) {
  if (state.kind() != Value::Kind::dict) return;
  for (const auto& [key, value] : state.as_dict()) {
    const std::string name = key.kind() == Value::Kind::string ? key.as_string() : std::to_string(key.as_int());
    if (!name.starts_with('_') && name != "verbose" && !reader.taken(name)) reader.unexpected(name);
  }
}

}  // namespace

void LRScheduler::load_state_dict(const Value& state) {
  refuse_flat(name(), state);
  StateReader reader;
  reader.read(fields_, state, "");
  find_unexpected(reader, state);
  reader.finish(name());
  reader.exchange([this] {
    if (last_epoch_ < first_epoch_) fail<ValueError>(name(), ": last_epoch is ", last_epoch_);
    throw_if<RuntimeError>(base_lrs_.size() > optimizer_.group_count(), "Error(s) in loading state_dict for ", name(),
                           ":\n\tmismatch for base_lrs: expected ", optimizer_.group_count(), " numbers, got ",
                           base_lrs_.size(), ".");
    check();
  });
}

std::vector<double> PerGroup::expand(std::size_t groups, const char* name) const {
  if (for_all_) return std::vector<double>(groups, values_.front());
  if (values_.size() == groups) return values_;
  fail<ValueError>("expected ", groups, " values for ", name, ", got ", values_.size());
}

}  // namespace gradus::optim
