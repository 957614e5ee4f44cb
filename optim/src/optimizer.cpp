#include <gradus/optim/optimizer.hpp>

#include "field_list.hpp"
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
  for (const ParameterState& state : states_) before.insert(impl_of(state.parameter));
  for (std::size_t i = 0; i < params.size(); ++i) {
    const Tensor& p = params[i];
    const std::string which = message("\nit is parameter ", i, " of group ", group_count());
    if (!p.defined()) {
      throw TypeError("optimizer can only optimize Tensors, but one of the params is NoneType" + which);
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
  states_.reserve(states_.size() + params.size());
  group_ends_.reserve(group_ends_.size() + 1);
  schedules_.emplace_back();
  for (const Tensor& p : params) states_.push_back({.parameter = p, .buffers = {}});
  group_ends_.push_back(states_.size());
}

std::span<ParameterState> Optimizer::states(std::size_t group) {
  return std::span(states_).subspan(group_ends_[group] - size_of(group), size_of(group));
}

std::size_t Optimizer::size_of(std::size_t group) const {
  return group_ends_[group] - (group == 0 ? 0 : group_ends_[group - 1]);
}

void Optimizer::zero_grad(bool set_to_none) {
  for (ParameterState& state : states_) {
    Tensor& gradient = impl_of(state.parameter)->grad;
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

namespace {

/// The fields as text, sorted by name.
class FieldTexts final : public FieldList {
 public:
  std::map<std::string, std::string> texts;

 private:
  void add(std::string_view name, std::string text) { texts.emplace(name, std::move(text)); }
  void field(std::string_view name, bool& value) override { add(name, value ? "True" : "False"); }
  void field(std::string_view name, double& value) override { add(name, format_number(value)); }
  void field(std::string_view name, std::array<double, 2>& values) override {
    add(name, "(" + format_number(values[0]) + ", " + format_number(values[1]) + ")");
  }
  void field(std::string_view name, Unused value) override { add(name, value == Unused::None ? "None" : "False"); }
  void field(std::string_view, std::int64_t&) override {}  // no option is one of these
  void field(std::string_view, std::vector<double>&) override {}
  void field(std::string_view, std::vector<std::int64_t>&) override {}
};

}  // namespace

std::string to_string(const Optimizer& optimizer) {
  std::string text = message(optimizer.name(), " (");
  for (std::size_t group = 0; group < optimizer.group_count(); ++group) {
    FieldTexts fields;
    optimizer.list_options(group, fields);
    for (const auto& [name, value] : optimizer.schedule(group)) fields.texts.emplace(name, format_number(value));
    text += message("\nParameter Group ", group, "\n");
    for (const auto& [name, value] : fields.texts) text += message("    ", name, ": ", value, "\n");
  }
  return text + ")";
}

std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer) { return out << to_string(optimizer); }

}  // namespace gradus::optim
