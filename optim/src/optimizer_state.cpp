// The state of an optimiser as a state_dict. The keys are those of PyTorch's nested one, joined by dots:
// "state.0.momentum_buffer", "param_groups.0.lr".
#include <gradus/optim/optimizer.hpp>

#include "field_list.hpp"
#include "message.hpp"

#include <numeric>

namespace gradus::optim {

using gradus::detail::message;
using gradus::detail::torch_size;

namespace {

std::string state_prefix(std::size_t parameter) { return message("state.", parameter, "."); }
std::string group_prefix(std::size_t group) { return message("param_groups.", group, "."); }

/// A copy of a saved buffer in the dtype of its parameter; undefined, with or without an error, when it is not there.
Tensor read_buffer(StateReader& from, const std::string& key, bool must_exist, const Tensor& parameter) {
  const Tensor* saved = must_exist ? from.take(key) : from.take_if_there(key);
  if (!saved) return Tensor();
  if (saved->shape() != parameter.shape()) {
    from.error(message("size mismatch for ", key, ": copying a param with shape ", torch_size(saved->shape()),
                       " from checkpoint, the shape in current model is ", torch_size(parameter.shape()), "."));
    return Tensor();
  }
  if (!is_floating(saved->dtype())) {
    from.error(message("dtype mismatch for ", key, ": expected a floating tensor, got ", saved->dtype(), "."));
    return Tensor();
  }
  return saved->to(parameter.dtype()).detach().clone();
}

std::int64_t read_steps(StateReader& from, const std::string& key) {
  const Tensor* saved = from.take(key);
  if (!saved) return 0;
  if (saved->numel() == 1 && saved->item() >= 0) return saved->item<std::int64_t>();
  from.error(message("mismatch for ", key, ": expected one number of steps, not negative."));
  return 0;
}

bool has_prefix(const StateDict& state, const std::string& prefix) {
  for (const auto& [name, tensor] : state) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

/// The numbers that a scheduler left in a group: those that are no options.
std::map<std::string, double> read_schedule(StateReader& from, const std::string& prefix) {
  std::map<std::string, double> schedule;
  for (const auto& [name, tensor] : from.state()) {
    if (!name.starts_with(prefix) || from.taken(name) || tensor.dtype() != float64 || tensor.dim() != 0) continue;
    schedule[name.substr(prefix.size())] = tensor.item();
    from.take(name);
  }
  return schedule;
}

}  // namespace

StateDict Optimizer::state_dict() const {
  StateDict result;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const ParameterState& state = states_[i];
    if (state.steps == 0) continue;
    if (names_.saves_steps) result[state_prefix(i) + "step"] = full({}, state.steps);
    for (std::size_t b = 0; b < state.buffers.size(); ++b) {
      if (state.buffers[b].defined()) result[state_prefix(i) + names_.buffers[b]] = state.buffers[b].clone();
    }
  }
  std::int64_t first = 0;
  for (std::size_t group = 0; group < group_count(); ++group) {
    FieldWriter writer(result, group_prefix(group));
    list_options(group, writer);
    for (auto [name, value] : schedules_[group]) writer(name, value);
    std::vector<std::int64_t> params(size_of(group));
    std::iota(params.begin(), params.end(), first);
    first += static_cast<std::int64_t>(params.size());
    writer("params", params);
  }
  return result;
}

void Optimizer::check_groups(StateReader& from) const {
  if (!has_prefix(from.state(), group_prefix(group_count() - 1)) || has_prefix(from.state(), group_prefix(group_count()))) {
    throw ValueError(message("loaded state dict has a different number of parameter groups\n", name(), " has ", group_count()));
  }
  for (std::size_t group = 0; group < group_count(); ++group) {
    const Tensor* params = from.take(group_prefix(group) + "params");
    const auto size = static_cast<std::int64_t>(size_of(group));
    if (params && params->numel() != size) {
      throw ValueError(message("loaded state dict contains a parameter group that doesn't match the size of optimizer's group\n",
                               "group ", group, " has ", size, " parameters, in the state dict ", params->numel()));
    }
  }
}

void Optimizer::load_state_dict(const StateDict& state) {
  StateReader reader(state);
  check_groups(reader);

  std::vector<ParameterState> states;
  for (std::size_t i = 0; i < states_.size(); ++i) {
    ParameterState& loaded = states.emplace_back();
    loaded.parameter = states_[i].parameter;
    if (!has_prefix(state, state_prefix(i))) continue;
    loaded.steps = names_.saves_steps ? read_steps(reader, state_prefix(i) + "step") : 1;
    for (std::size_t b = 0; b < loaded.buffers.size() && names_.buffers[b]; ++b) {
      loaded.buffers[b] =
          read_buffer(reader, state_prefix(i) + names_.buffers[b], b < names_.always, loaded.parameter);
    }
  }

  std::vector<FieldReader> options;
  std::vector<FieldList*> lists;
  std::vector<std::map<std::string, double>> schedules;
  for (std::size_t group = 0; group < group_count(); ++group) {
    options.emplace_back(reader, group_prefix(group));
    list_options(group, options.back());
    schedules.push_back(read_schedule(reader, group_prefix(group)));
  }
  for (FieldReader& list : options) lists.push_back(&list);
  reader.finish(name());
  load_options(lists);
  states_ = std::move(states);
  schedules_ = std::move(schedules);
}

}  // namespace gradus::optim
