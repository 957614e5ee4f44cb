// The state of an optimiser, saved and loaded.
#include "state_reader.hpp"
#include "tensor/message.hpp"

#include <gradus/optim/optimizer.hpp>

namespace gradus::optim {

using gradus::detail::message;
using Kind = Value::Kind;

namespace {

std::string group_path(std::size_t group) { return message("param_groups.", group, "."); }

bool is_list(const Value& value) { return value.kind() == Kind::list || value.kind() == Kind::tuple; }

/// Numbers in a group that are no options: what schedules keep there.
std::map<std::string, double> read_schedule(const StateReader& reader, const Value& group, const std::string& path) {
  std::map<std::string, double> schedule;
  for (const auto& [key, value] : group.as_dict()) {
    if (key.kind() != Kind::string || reader.taken(path + key.as_string())) continue;
    if (value.kind() == Kind::integer || value.kind() == Kind::real) schedule[key.as_string()] = value.as_double();
  }
  return schedule;
}

}  // namespace

Value Optimizer::state_dict() const {
  Value states = Value::dict();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].has_state) states[i] = saved_state(i);
  }
  Value groups = Value::list();
  for (std::size_t group = 0; group < group_count(); ++group) {
    Value saved = saved_options(group);
    for (const auto& [name, value] : schedules_[group]) saved[name] = value;
    Value& params = saved["params"] = Value::list();
    for (std::size_t i = first_of(group); i < group_ends_[group]; ++i) params.as_list().emplace_back(i);
    groups.as_list().push_back(std::move(saved));
  }
  return Value::dict({{"state", states}, {"param_groups", groups}});
}

void Optimizer::check_groups(const Value& groups) const {
  if (!is_list(groups) || groups.size() != group_count()) {
    throw ValueError(
        message("loaded state dict has a different number of parameter groups\n", name(), " has ", group_count()));
  }
  for (std::size_t g = 0; g < group_count(); ++g) {
    const Value& group = groups.as_list()[g];
    if (group.kind() != Kind::dict || !group.contains("params") || !is_list(group.at("params"))) {
      throw KeyError(message("loaded state dict has no list ", group_path(g), "params"));
    }
    if (const std::size_t size = group.at("params").size(); size != size_of(g)) {
      throw ValueError(
          message("loaded state dict contains a parameter group that doesn't match the size of optimizer's group\n",
                  "group ", g, " has ", size_of(g), " parameters, in the state dict ", size));
    }
  }
}

void Optimizer::read_state(StateReader& reader, const Value& saved, std::size_t parameter) {
  const bool there = saved.kind() == Kind::dict && saved.contains(parameter);
  reader.set(parameters_[parameter].has_state, there);
  if (!there) return;
  reader.read(state_fields(parameter), saved.at(parameter), message("state.", parameter, "."),
              parameters_[parameter].tensor);
}

void Optimizer::load_state_dict(const Value& state) {
  refuse_flat(name(), state);
  StateReader reader;
  const Value* groups = reader.take(state, "param_groups", "param_groups");
  if (!groups) reader.finish(name());
  check_groups(*groups);
  const Value* saved = reader.take(state, "state", "state", false);
  for (std::size_t i = 0; i < parameters_.size(); ++i) read_state(reader, saved ? *saved : Value(), i);
  for (std::size_t g = 0; g < group_count(); ++g) {
    const Value& group = groups->as_list()[g];
    reader.read(option_fields(g), group, group_path(g));
    reader.take(group, "params", group_path(g) + "params");
    reader.set(schedules_[g], read_schedule(reader, group, group_path(g)));
  }
  reader.finish(name());
  reader.exchange();
  try {
    check_options();
  } catch (...) {
    reader.exchange();
    throw;
  }
}

}  // namespace gradus::optim
