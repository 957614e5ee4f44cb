#include <gradus/optim/optimizer.hpp>

#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/print.hpp>

#include <ostream>
#include <set>

namespace gradus::optim {

using gradus::detail::message;

void Optimizer::refuse_empty(std::size_t count) {
  if (count == 0) throw ValueError("optimizer got an empty parameter list");
}

void Optimizer::add_parameters(const std::vector<Tensor>& params) {
  std::set<const gradus::detail::TensorImpl*> before, now;
  for (const Parameter& parameter : parameters_) before.insert(impl_of(parameter.tensor));
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Tensor& p = params[i];
    const std::string which = message("\nit is parameter ", i, " of group ", group_count());
    if (!p.defined()) {
      throw TypeError("optimizer can only optimize Tensors, but one of the params is undefined" + which +
                      "\na layer without a bias has none to give: leave it out");
    }
    if (!is_floating(p.dtype())) {
      throw TypeError(
          message("optimizer can only optimize floating Tensors, but one of the params is ", p.dtype(), which));
    }
    if (!p.is_leaf()) {
      throw ValueError(message("can't optimize a non-leaf Tensor", which, ", computed by ", p.grad_fn()));
    }
    if (before.contains(impl_of(p))) {
      throw ValueError("some parameters appear in more than one parameter group" + which);
    }
    if (!now.insert(impl_of(p)).second) {
      throw ValueError("optimizer contains a parameter group with duplicate parameters" + which);
    }
  }
  parameters_.reserve(parameters_.size() + params.size());
  group_ends_.reserve(group_ends_.size() + 1);
  schedules_.emplace_back();
  for (const Tensor& p : params) parameters_.push_back({.tensor = p});
  group_ends_.push_back(parameters_.size());
}

std::span<Optimizer::Parameter> Optimizer::parameters(std::size_t group) {
  return std::span(parameters_).subspan(first_of(group), size_of(group));
}

void Optimizer::check_owners() const {
  for (const Parameter& parameter : parameters_) {
    // The group and the list above hold a handle each.
    if (impl_of(parameter.tensor)->grad.defined() || impl_of(parameter.tensor)->owners > 2) continue;
    const auto number = &parameter - parameters_.data();
    throw RuntimeError(message(
        name(), ": parameter ", number, ", of shape ", parameter.tensor.shape(),
        ", belongs to no module any more, so no loss can reach it\nits module was destroyed or replaced, as by ",
        "`net = std::move(best)` or `layer = nn::Linear(...)`: make the optimizer after that, or assign a copy, ",
        "`net = best`, which keeps the tensors."));
  }
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
  throw IndexError(message(name(), ": no parameter group ", group, "\nthere are ", group_count(), ", counted from 0"));
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
  throw ValueError(message(name(), " has neither momentum nor betas\nOneCycleLR: set cycle_momentum = false"));
}

namespace {

/// An option as PyTorch prints it.
std::string option_text(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::truth:
      return value.as_bool() ? "True" : "False";
    case Value::Kind::integer:
    case Value::Kind::real:
      return format_number(value.as_double());
    case Value::Kind::string:
      return value.as_string();
    case Value::Kind::tensor:
      return to_string(value.as_tensor());
    case Value::Kind::list:
    case Value::Kind::tuple: {
      std::string text;
      for (const Value& element : value.as_list()) text += (text.empty() ? "(" : ", ") + option_text(element);
      return text + ")";
    }
    default:
      return std::string(to_string(value.kind()));
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
