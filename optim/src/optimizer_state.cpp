// The state of an optimiser, as PyTorch nests it:
//   {"state": {0: {"momentum_buffer": tensor, …}, …}, "param_groups": [{"lr": 0.1, …, "params": [0, 1]}, …]}
#include <gradus/optim/optimizer.hpp>

#include "flat_state.hpp"
#include "state_reader.hpp"
#include "tensor/message.hpp"

namespace gradus::optim {

using gradus::detail::message;
using gradus::detail::torch_size;

namespace {

std::string state_path(std::size_t parameter) { return message("state.", parameter, "."); }
std::string group_path(std::size_t group) { return message("param_groups.", group, "."); }

Value save_steps(std::int64_t steps, StateNames::Steps kind) {
  if (kind == StateNames::Steps::integer) return steps;
  constexpr std::int64_t exact = 1 << 24;  // up to here float32, which PyTorch counts in, holds every integer
  return full({}, steps, steps <= exact ? float32 : float64);
}

std::int64_t read_steps(StateReader& reader, const Value& saved, const std::string& path) {
  const Value* value = reader.take(saved, "step", path);
  if (!value) return 0;
  const auto steps = as_integer(*value);
  if (steps && *steps >= 0) return *steps;
  reader.error(path, "a number of steps", *value);
  return 0;
}

/// A copy of a saved buffer in the dtype of its parameter; undefined when it is not there or does not fit.
Tensor read_buffer(StateReader& reader, const Value& saved, const char* name, const std::string& path, bool needed,
                   const Tensor& parameter) {
  const Value* value = reader.take(saved, name, path, needed);
  if (!value) return Tensor();
  if (value->kind() != Value::Kind::tensor || !is_floating(value->as_tensor().dtype())) {
    reader.error(path, "a floating tensor", *value);
    return Tensor();
  }
  const Tensor& tensor = value->as_tensor();
  if (tensor.shape() != parameter.shape()) {
    reader.error(message("size mismatch for ", path, ": copying a param with shape ", torch_size(tensor.shape()),
                         " from checkpoint, the shape in current model is ", torch_size(parameter.shape()), "."));
    return Tensor();
  }
  return tensor.detach().to(parameter.dtype()).clone();
}

/// Numbers in a group that are no options: what schedulers keep there.
std::map<std::string, double> read_schedule(StateReader& reader, const Value& group, const std::string& path) {
  std::map<std::string, double> schedule;
  for (const auto& [key, value] : group.as_dict()) {
    if (key.kind() != Value::Kind::string || reader.taken(path + key.as_string())) continue;
    if (const auto number = as_number(value)) {
      schedule[key.as_string()] = *number;
      reader.take(group, key, path + key.as_string());
    }
  }
  return schedule;
}

}  // namespace

Value Optimizer::to_pytorch() const {
  Value states = Value::dict();
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ParameterState& state = states_[i];
    if (state.steps == 0) continue;
    Value& saved = states[i] = Value::dict();
    if (names_.steps != StateNames::Steps::not_saved) saved["step"] = save_steps(state.steps, names_.steps);
    for (std::size_t b = 0; b < state.buffers.size() && names_.buffers[b]; ++b) {
      if (state.buffers[b].defined()) saved[names_.buffers[b]] = state.buffers[b].clone();
    }
    if (saved.size() == 0) saved[names_.buffers[0]] = Value();
  }
  Value groups = Value::list();
  std::int64_t next = 0;
  for (std::size_t group = 0; group < group_count(); ++group) {
    FieldWriter writer;
    list_options(group, writer);
    for (auto [name, value] : schedules_[group]) writer(name, value);
    Value params = Value::list();
    for (std::size_t i = 0; i < size_of(group); ++i) params.as_list().emplace_back(next++);
    writer.fields["params"] = params;
    groups.as_list().push_back(writer.fields);
  }
  return Value::dict({{"state", states}, {"param_groups", groups}});
}

StateDict Optimizer::state_dict() const { return flatten(to_pytorch()); }

void Optimizer::load_pytorch(const Value& state) { load(state, {}); }
void Optimizer::load_state_dict(const StateDict& state) { load(unflatten(state), state); }

void Optimizer::check_groups(const Value& groups) const {
  if (!element(groups, 0) || groups.size() != group_count()) {
    throw ValueError(
        message("loaded state dict has a different number of parameter groups\n", name(), " has ", group_count()));
  }
  for (std::size_t g = 0; g < group_count(); ++g) {
    const Value* group = element(groups, static_cast<std::int64_t>(g));
    if (!group || group->kind() != Value::Kind::dict || !group->contains("params")) {
      throw KeyError(message("loaded state dict has no ", group_path(g), "params"));
    }
    const Value& params = group->at("params");
    const bool flat = params.kind() == Value::Kind::tensor;
    const auto size = flat ? static_cast<std::size_t>(params.as_tensor().numel()) : params.size();
    if (size != size_of(g)) {
      throw ValueError(
          message("loaded state dict contains a parameter group that doesn't match the size of optimizer's group\n",
                  "group ", g, " has ", size_of(g), " parameters, in the state dict ", size));
    }
  }
}

std::vector<ParameterState> Optimizer::read_states(StateReader& reader, const Value& saved) const {
  std::vector<ParameterState> states;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    ParameterState& state = states.emplace_back();
    state.parameter = states_[i].parameter;
    if (saved.is_none() || !saved.contains(i)) continue;
    const Value& own = saved.at(i);
    const bool counts = names_.steps != StateNames::Steps::not_saved;
    state.steps = counts ? read_steps(reader, own, state_path(i) + "step") : 1;
    for (std::size_t b = 0; b < state.buffers.size() && names_.buffers[b]; ++b) {
      const char* name = names_.buffers[b];
      state.buffers[b] = read_buffer(reader, own, name, state_path(i) + name, b < names_.always, state.parameter);
    }
  }
  return states;
}

void Optimizer::load(const Value& state, const StateDict& names) {
  StateReader reader(!names.empty());
  const Value* groups = reader.take(state, "param_groups", "param_groups.");
  if (!groups) reader.finish(name());
  check_groups(*groups);
  const Value* saved = reader.take(state, "state", "state.", false);
  std::vector<ParameterState> states = read_states(reader, saved ? *saved : Value::dict());

  std::vector<FieldReader> fields;
  std::vector<std::map<std::string, double>> schedules;
  for (std::size_t g = 0; g < group_count(); ++g) {
    const Value& group = *element(*groups, static_cast<std::int64_t>(g));
    list_options(g, fields.emplace_back(reader, group, group_path(g)));
    reader.take(group, "params", group_path(g) + "params");
    schedules.push_back(read_schedule(reader, group, group_path(g)));
  }
  reader.finish(name(), names);

  std::vector<FieldList*> lists;
  for (FieldReader& list : fields) lists.push_back(&list);
  load_options(lists);
  states_ = std::move(states);
  schedules_ = std::move(schedules);
}

}  // namespace gradus::optim
