#include "state_reader.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/print.hpp>
#include <gradus/nn/parameter.hpp>
#include <gradus/optim/optimizer.hpp>

#include <algorithm>
#include <mutex>
#include <ostream>
#include <set>
#include <unordered_set>

namespace gradus::optim {

using gradus::detail::fail, gradus::detail::message, gradus::detail::throw_if;

namespace {

/// The parameters of all optimisers that are alive.
struct Held {
  std::mutex mutex;
  std::unordered_multiset<const gradus::detail::TensorImpl*> tensors;
};
Held& held() {
  static Held& all = *new Held;  // optimisers may live longer than a variable of this file
  return all;
}

}  // namespace

void Optimizer::refuse_empty(std::size_t count) {
  throw_if<ValueError>(count == 0, "optimizer got an empty parameter list");
}

void Optimizer::add_parameters(const std::vector<Tensor>& params) {
  std::set<const gradus::detail::TensorImpl*> before, now;
  for (const Parameter& parameter : parameters_) before.insert(impl_of(parameter.tensor));
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Tensor& p = params[i];
    const std::string which = message("\nit is parameter ", i, " of group ", group_count());
    throw_if<TypeError>(!p.defined(), "optimizer can only optimize Tensors, but one of the params is undefined", which,
                        "\na layer without a bias has none to give: leave it out");
    throw_if<TypeError>(!is_floating(p.dtype()),
                        "optimizer can only optimize floating Tensors, but one of the params is ", p.dtype(), which);
    if (!p.is_leaf()) {
      fail<ValueError>("can't optimize a non-leaf Tensor", which, ", computed by ", p.grad_fn());
    }
    throw_if<ValueError>(before.contains(impl_of(p)), "some parameters appear in more than one parameter group", which);
    throw_if<ValueError>(!now.insert(impl_of(p)).second,
                         "optimizer contains a parameter group with duplicate parameters", which);
  }
  parameters_.reserve(parameters_.size() + params.size());
  group_ends_.reserve(group_ends_.size() + 1);
  schedules_.emplace_back();
  if (!checked_) stray_before_ = nn::unlisted_with_gradient();
  const std::lock_guard lock(held().mutex);
  for (const Tensor& p : params) {
    held().tensors.insert(impl_of(p));
    parameters_.push_back({.tensor = p});
  }
  group_ends_.push_back(parameters_.size());
}

std::span<Optimizer::Parameter> Optimizer::parameters(std::size_t group) {
  return std::span(parameters_).subspan(first_of(group), size_of(group));
}

const Tensor& Optimizer::gradient_of(const Parameter& p) { return impl_of(p.tensor)->grad; }

Optimizer::~Optimizer() {
  const std::lock_guard lock(held().mutex);
  for (const Parameter& parameter : parameters_) held().tensors.erase(held().tensors.find(impl_of(parameter.tensor)));
}

void Optimizer::check_parameters() {
  const std::uint64_t orphans = nn::orphan_count();
  if (checked_ && orphans == orphan_count_) return;
  for (const Parameter& parameter : parameters_) {
    if (!nn::orphaned(parameter.tensor)) continue;
    fail<RuntimeError>(name(), ": parameter ", &parameter - parameters_.data(), ", of shape ", parameter.tensor.shape(),
                       ", belongs to no module any more, so no loss can reach it\n",
                       "its module was destroyed, or replaced by one of other sizes: make the optimizer after that");
  }
  orphan_count_ = orphans;
  if (checked_) return;
  std::vector<Tensor> stray = nn::unlisted_with_gradient();
  const std::lock_guard lock(held().mutex);
  std::erase_if(stray, [this](const Tensor& x) {
    const auto is_x = [&x](const Tensor& other) { return other.is_same(x); };
    return held().tensors.contains(impl_of(x)) || std::ranges::any_of(stray_before_, is_x);
  });
  if (!stray.empty()) {
    fail<RuntimeError>(name(), ": the loss reached ", stray.size(), " parameters that no module lists and no ",
                       "optimizer holds, the first of shape ", stray[0].shape(),
                       "\nname them in state() of their module, or freeze them with requires_grad_(false) before ",
                       "the forward pass");
  }
  checked_ = true;
  stray_before_.clear();
}

void Optimizer::zero_grad(bool set_to_none) {
  for (const Parameter& parameter : parameters_) {
    Tensor& gradient = impl_of(parameter.tensor)->grad;
    if (set_to_none || !gradient.defined()) {
      gradient = Tensor();
    } else if (gradient.requires_grad()) {
      gradient = zeros_like(gradient);
    } else {
      gradient.zero_();
    }
  }
}

void Optimizer::check_group(std::size_t group) const {
  if (group < group_count()) return;
  fail<IndexError>(name(), ": no parameter group ", group, "\nthere are ", group_count(), ", counted from 0");
}

std::map<std::string, double>& Optimizer::schedule(std::size_t group) {
  check_group(group);
  return schedules_[group];
}

const std::map<std::string, double>& Optimizer::schedule(std::size_t group) const {
  check_group(group);
  return schedules_[group];
}

void Optimizer::refuse_momentum() const {
  fail<ValueError>(name(), " has neither momentum nor betas\nOneCycleLR: set cycle_momentum = false");
}

// --- the state, saved and loaded

using Kind = Value::Kind;

namespace {

std::string group_path(std::size_t group) { return message("param_groups.", group, "."); }

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

// Members are listed by functions that are not const, for loading.
Value Optimizer::saved_options(std::size_t group) const {
  return const_cast<Optimizer&>(*this).option_fields(group).values();
}

Value Optimizer::state_dict() const {
  Value states = Value::dict();
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (parameters_[i].has_state) states[i] = const_cast<Optimizer&>(*this).state_fields(i).values();
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
  throw_if<ValueError>(!is_list(groups) || groups.size() != group_count(),
                       "loaded state dict has a different number of parameter groups\n", name(), " has ",
                       group_count());
  for (std::size_t g = 0; g < group_count(); ++g) {
    const Value& group = groups.as_list()[g];
    if (group.kind() != Kind::dict || !group.contains("params") || !is_list(group.at("params"))) {
      fail<KeyError>("loaded state dict has no list ", group_path(g), "params");
    }
    const std::size_t size = group.at("params").size();
    throw_if<ValueError>(
        size != size_of(g),
        "loaded state dict contains a parameter group that doesn't match the size of optimizer's group\n", "group ", g,
        " has ", size_of(g), " parameters, in the state dict ", size);
  }
}

void Optimizer::load_state_dict(const Value& state) {
  refuse_flat(name(), state);
  StateReader reader;
  const Value* groups = reader.take(state, "param_groups", "param_groups");
  if (!groups) reader.finish(name());
  check_groups(*groups);
  const Value* saved = reader.take(state, "state", "state", false);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const bool there = saved && saved->kind() == Kind::dict && saved->contains(i);
    reader.set(parameters_[i].has_state, there);
    if (there) reader.read(state_fields(i), saved->at(i), message("state.", i, "."), parameters_[i].tensor);
  }
  for (std::size_t g = 0; g < group_count(); ++g) {
    const Value& group = groups->as_list()[g];
    reader.read(option_fields(g), group, group_path(g));
    reader.take(group, "params", group_path(g) + "params");
    reader.set(schedules_[g], read_schedule(reader, group, group_path(g)));
  }
  reader.finish(name());
  reader.exchange([this] { check_options(); });
}

// --- text

namespace {

/// An option as PyTorch prints it.
std::string option_text(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::truth: return value.as_bool() ? "True" : "False";
    case Value::Kind::integer:
    case Value::Kind::real: return format_number(value.as_double());
    case Value::Kind::string: return value.as_string();
    case Value::Kind::tensor: return to_string(value.as_tensor());
    case Value::Kind::list:
    case Value::Kind::tuple: {
      std::string text;
      for (const Value& element : value.as_list()) text += (text.empty() ? "(" : ", ") + option_text(element);
      return text + ")";
    }
    default: return std::string(to_string(value.kind()));
  }
}

}  // namespace

std::string to_string(const Optimizer& optimizer) {
  std::string text = message(optimizer.name(), " (");
  for (std::size_t group = 0; group < optimizer.group_count(); ++group) {
    std::map<std::string, std::string> texts;
    const Value options = optimizer.saved_options(group);
    for (const auto& [name, value] : options.as_dict()) {
      texts.emplace(name.as_string(), option_text(value));
    }
    for (const auto& [name, value] : optimizer.schedule(group)) texts.emplace(name, format_number(value));
    text += message("\nParameter Group ", group, "\n");
    for (const auto& [name, value] : texts) text += message("    ", name, ": ", value, "\n");
  }
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer) { return out << to_string(optimizer); }

}  // namespace gradus::optim
