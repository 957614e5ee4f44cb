#include <gradus/core/autograd.hpp>
#include <gradus/core/print.hpp>
#include <gradus/nn/module.hpp>

#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <cxxabi.h>

#include <cstdlib>
#include <ostream>
#include <typeinfo>

namespace gradus::nn {

using detail::message;

namespace {

Tensor own_copy(const Tensor& x) {
  if (!x.defined()) return x;
  const NoGradGuard no_grad;
  return x.clone().requires_grad_(x.requires_grad());
}

/// Gives x the elements of `other`, in its own tensor if they fit.
void assign(Tensor& x, const Tensor& other) {
  if (x.is_same(other)) return;
  if (!x.defined() || !other.defined() || x.shape() != other.shape() || x.dtype() != other.dtype()) {
    x = own_copy(other);
    return;
  }
  const NoGradGuard no_grad;
  x.copy_(other).requires_grad_(other.requires_grad());
  x.set_grad({});
}

}  // namespace

Parameter::Parameter(const Parameter& other) : Tensor(own_copy(other)) {}
Parameter& Parameter::operator=(const Parameter& other) {
  assign(*this, other);
  return *this;
}
Buffer::Buffer(const Buffer& other) : Tensor(own_copy(other)) {}
Buffer& Buffer::operator=(const Buffer& other) {
  assign(*this, other);
  return *this;
}

namespace {

void check_name(const char* kind, std::string_view name) {
  if (name.empty()) throw KeyError(message(kind, " name can't be empty string \"\""));
  if (name.find('.') != std::string_view::npos) {
    throw KeyError(message(kind, " name can't contain \".\", got: ", name));
  }
}

}  // namespace

StateList& StateList::operator()(std::string_view name, Parameter& p) {
  check_name("parameter", name);
  if (p.defined()) parameter(name, p);
  return *this;
}
StateList& StateList::operator()(std::string_view name, Buffer& b) {
  check_name("buffer", name);
  if (b.defined()) buffer(name, b, false);
  return *this;
}
StateList& StateList::optional(std::string_view name, Buffer& b) {
  check_name("buffer", name);
  if (b.defined()) buffer(name, b, true);
  return *this;
}
StateList& StateList::operator()(std::string_view name, Module& module) {
  check_name("module", name);
  child(name, module);
  return *this;
}

namespace {

/// Walks a module and all below it, depth first, and calls `on` with the dotted name of everything of one kind.
template <class OnParameter, class OnBuffer, class OnModule>
class Walk final : public StateList {
 public:
  Walk(OnParameter on_parameter, OnBuffer on_buffer, OnModule on_module)
      : on_parameter_(on_parameter), on_buffer_(on_buffer), on_module_(on_module) {}

  void enter(Module& module) {
    on_module_(path_, module);
    module.state(*this);
  }

 private:
  std::string dotted(std::string_view name) const {
    return path_.empty() ? std::string(name) : message(path_, ".", name);
  }
  void parameter(std::string_view name, Parameter& p) override { on_parameter_(dotted(name), p); }
  void buffer(std::string_view name, Buffer& b, bool optional) override { on_buffer_(dotted(name), b, optional); }
  void child(std::string_view name, Module& module) override {
    const std::string outside = std::exchange(path_, dotted(name));
    enter(module);
    path_ = outside;
  }

  OnParameter on_parameter_;
  OnBuffer on_buffer_;
  OnModule on_module_;
  std::string path_;
};

constexpr auto nothing = [](auto&&...) {};

/// The state of a const module is listed through the same function; none of the callers below writes to it.
template <class P, class B, class M>
void walk(const Module& module, P on_parameter, B on_buffer, M on_module) {
  Walk<P, B, M>(on_parameter, on_buffer, on_module).enter(const_cast<Module&>(module));
}

}  // namespace

Tensor Module::forward(const Tensor&) {
  throw NotImplementedError(message("Module [", name(), "] is missing the required \"forward\" function"));
}

std::string Module::name() const {
  int status = 0;
  char* demangled = abi::__cxa_demangle(typeid(*this).name(), nullptr, nullptr, &status);
  std::string full = status == 0 ? demangled : typeid(*this).name();
  std::free(demangled);
  std::size_t begin = full.size();
  for (int depth = 0; begin > 0 && (depth > 0 || full[begin - 1] != ':'); --begin) {
    depth += (full[begin - 1] == '>') - (full[begin - 1] == '<');  // a template's arguments keep their namespaces
  }
  return full.substr(begin);
}

std::vector<std::pair<std::string, Tensor>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Tensor>> found;
  const auto add = [&](std::string name, Parameter& p) {
    for (const auto& [other, tensor] : found) {
      if (tensor.is_same(p)) return;
    }
    found.emplace_back(std::move(name), p);
  };
  walk(*this, add, nothing, nothing);
  return found;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> found;
  for (auto& [name, parameter] : named_parameters()) found.push_back(std::move(parameter));
  return found;
}

std::vector<std::pair<std::string, Tensor>> Module::named_buffers() const {
  std::vector<std::pair<std::string, Tensor>> found;
  walk(
      *this, nothing, [&](std::string name, Buffer& b, bool) { found.emplace_back(std::move(name), b); }, nothing);
  return found;
}

std::vector<Tensor> Module::buffers() const {
  std::vector<Tensor> found;
  walk(
      *this, nothing, [&](const std::string&, Buffer& b, bool) { found.push_back(b); }, nothing);
  return found;
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> found;
  walk(*this, nothing, nothing, [&](const std::string& name, Module& module) { found.emplace_back(name, &module); });
  return found;
}

std::vector<Module*> Module::modules() {
  std::vector<Module*> found;
  walk(*this, nothing, nothing, [&](const std::string&, Module& module) { found.push_back(&module); });
  return found;
}

namespace {

/// The children of one module, without going deeper.
class Children final : public StateList {
 public:
  std::vector<std::pair<std::string, Module*>> found;

 private:
  void parameter(std::string_view, Parameter&) override {}
  void buffer(std::string_view, Buffer&, bool) override {}
  void child(std::string_view name, Module& module) override { found.emplace_back(name, &module); }
};

}  // namespace

std::vector<std::pair<std::string, Module*>> Module::named_children() {
  Children children;
  state(children);
  return std::move(children.found);
}

Module& Module::train(bool mode) {
  for (Module* module : modules()) module->training_ = mode;
  return *this;
}

Module& Module::requires_grad_(bool requires_grad) {
  for (Tensor& parameter : parameters()) parameter.requires_grad_(requires_grad);
  return *this;
}

void Module::zero_grad() {
  walk(
      *this, [](const std::string&, Parameter& p) { p.set_grad({}); }, nothing, nothing);
}

Module& Module::to(Dtype dtype) {
  if (!is_floating(dtype)) throw TypeError(message("Module::to expects float32 or float64, got ", dtype));
  const NoGradGuard no_grad;
  const auto convert = [dtype](Tensor& x) {
    if (!is_floating(x.dtype())) return;
    detail::replace_elements(x, x.to(dtype));
    if (x.grad().defined()) x.set_grad(x.grad().to(dtype));
  };
  walk(
      *this, [&](const std::string&, Parameter& p) { convert(p); },
      [&](const std::string&, Buffer& b, bool) { convert(b); }, nothing);
  return *this;
}

void tie_alike(const Module& from, Module& to) {
  std::vector<const Parameter*> originals;
  std::vector<Parameter*> copies;
  walk(
      from, [&](const std::string&, Parameter& p) { originals.push_back(&p); }, nothing, nothing);
  walk(
      to, [&](const std::string&, Parameter& p) { copies.push_back(&p); }, nothing, nothing);
  for (std::size_t i = 0; i < originals.size() && i < copies.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (originals[i]->is_same(*originals[j])) copies[i]->tie(*copies[j]);
    }
  }
}

// --- state_dict

StateDict Module::state_dict() const {
  StateDict dict;
  const auto add = [&](const std::string& name, const Tensor& x) {
    if (dict.contains(name)) throw KeyError(message("attribute '", name, "' already exists"));
    dict[name] = x.detach();
  };
  walk(
      *this, add, [&](const std::string& name, Buffer& b, bool) { add(name, b); }, nothing);
  return dict;
}

namespace {

struct Slot {
  Tensor into;
  const Tensor* value = nullptr;
};

bool fits(const Tensor& value, const Tensor& into) {
  return value.shape() == into.shape() || (into.dim() == 0 && value.shape() == Shape(1));
}

/// Matches the state of `module` with `from`; complaints go into `report`, values that fit into the result.
std::vector<Slot> match(const Module& module, const StateDict& from, LoadReport& report) {
  std::vector<Slot> slots;
  std::vector<std::string> known;
  const auto take = [&](const std::string& name, Tensor& into, bool optional) {
    known.push_back(name);
    if (!from.contains(name) || !from.at(name).defined()) {
      (optional ? report.defaulted : report.missing).push_back(name);
      return;
    }
    const Tensor& value = from.at(name);
    if (!fits(value, into)) {
      report.mismatched.push_back(
          message("size mismatch for ", name, ": copying a param with shape ", detail::torch_size(value.shape()),
                  " from checkpoint, the shape in current model is ", detail::torch_size(into.shape()), "."));
    } else if (is_floating(value.dtype()) != is_floating(into.dtype())) {
      report.mistyped.push_back(message("dtype mismatch for ", name, ": copying a param of dtype ", value.dtype(),
                                        " from checkpoint, the dtype in current model is ", into.dtype(), "."));
    } else {
      slots.push_back({into, &value});
    }
  };
  walk(
      module, [&](const std::string& name, Parameter& p) { take(name, p, false); },
      [&](const std::string& name, Buffer& b, bool optional) { take(name, b, optional); }, nothing);
  for (const auto& [name, value] : from) {
    bool expected = false;
    for (const std::string& k : known) expected = expected || k == name;
    if (!expected) report.unexpected.push_back(name);
  }
  return slots;
}

std::string quoted(const std::vector<std::string>& names, const char* quote) {
  std::string text;
  for (const std::string& name : names) text += message(text.empty() ? "" : ", ", quote, name, quote);
  return text;
}

}  // namespace

LoadReport Module::load_state_dict(const StateDict& from, LoadOptions options) {
  LoadReport report;
  const std::vector<Slot> slots = match(*this, from, report);
  std::string errors;
  if (options.strict && !report.unexpected.empty()) {
    errors += message("\n\tUnexpected key(s) in state_dict: ", quoted(report.unexpected, "\""), ". ");
  }
  if (options.strict && !report.missing.empty()) {
    errors = message("\n\tMissing key(s) in state_dict: ", quoted(report.missing, "\""), ". ", errors);
  }
  for (const std::string& line : report.mismatched) errors += "\n\t" + line;
  for (const std::string& line : report.mistyped) errors += "\n\t" + line;
  if (!errors.empty()) throw RuntimeError(message("Error(s) in loading state_dict for ", name(), ":", errors));

  const NoGradGuard no_grad;
  for (const Slot& slot : slots) {
    Tensor into = slot.into;
    into.copy_(slot.value->reshape(into.shape()));
  }
  return report;
}

std::string to_string(const LoadReport& report) {
  if (report.missing.empty() && report.unexpected.empty()) return "<All keys matched successfully>";
  return message("_IncompatibleKeys(missing_keys=[", quoted(report.missing, "'"), "], unexpected_keys=[",
                 quoted(report.unexpected, "'"), "])");
}

std::ostream& operator<<(std::ostream& out, const LoadReport& report) { return out << to_string(report); }

// --- text

namespace {

std::string indented(const std::string& text) {
  std::string result = "  ";
  for (char c : text) result += c == '\n' ? "\n  " : std::string(1, c);
  return result;
}

}  // namespace

std::string to_string(const Module& module) {
  const auto children = const_cast<Module&>(module).named_children();
  const std::string extra = module.extra_repr();
  if (children.empty()) return message(module.name(), "(", extra, ")");
  std::string text = module.name() + "(";
  if (!extra.empty()) text += "\n" + indented(extra);
  for (const auto& [name, child] : children) text += "\n" + indented(message("(", name, "): ", to_string(*child)));
  return text + "\n)";
}

std::ostream& operator<<(std::ostream& out, const Module& module) { return out << to_string(module); }

std::string to_string(const Parameter& parameter) {
  return "Parameter containing:\n" + gradus::to_string(static_cast<const Tensor&>(parameter));
}

std::ostream& operator<<(std::ostream& out, const Parameter& parameter) { return out << to_string(parameter); }

}  // namespace gradus::nn
