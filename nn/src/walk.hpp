// How everything that a module can be asked reads its state.
#pragma once

#include "tensor/message.hpp"

#include <gradus/nn/module.hpp>

#include <typeinfo>

namespace gradus::nn {

/// The module as an M, not as something derived from it, which may compute something else.
template <class M>
const M* exactly(const Module& module) {
  return typeid(module) == typeid(M) ? static_cast<const M*>(&module) : nullptr;
}

/// A module has listed this Parameter in its state.
void mark_listed(Parameter& parameter);

/// Ties the parameters of a copy as those of the original are. Done once; later calls only test a flag.
void settle_ties(const Module& module);

constexpr auto nothing = [](auto&&...) {};

/// Hands what one module lists to a function for its kind, each with its name.
template <class OnParameter, class OnBuffer, class OnChild>
class Listed final : public StateList {
 public:
  Listed(Module& module, OnParameter on_parameter, OnBuffer on_buffer, OnChild on_child)
      : on_parameter_(on_parameter), on_buffer_(on_buffer), on_child_(on_child) {
    module.state(*this);
  }

 private:
  void parameter(std::string_view name, Parameter& p) override { on_parameter_(name, p); }
  void buffer(std::string_view name, Buffer& b, bool optional) override { on_buffer_(name, b, optional); }
  void child(std::string_view name, Module& module) override { on_child_(name, module); }

  OnParameter on_parameter_;
  OnBuffer on_buffer_;
  OnChild on_child_;
};

/// Walks a module, whose name is `path`, and all below it, depth first, and calls `on` with the dotted name of
/// everything of one kind.
template <class P, class B, class M>
void walk(Module& module, const std::string& path, P& on_parameter, B& on_buffer, M& on_module) {
  const auto dotted = [&path](std::string_view name) {
    return path.empty() ? std::string(name) : detail::message(path, ".", name);
  };
  settle_ties(module);
  on_module(path, module);
  Listed(
      module,
      [&](std::string_view name, Parameter& p) {
        mark_listed(p);
        on_parameter(dotted(name), p);
      },
      [&](std::string_view name, Buffer& b, bool optional) { on_buffer(dotted(name), b, optional); },
      [&](std::string_view name, Module& child) { walk(child, dotted(name), on_parameter, on_buffer, on_module); });
}

/// The state of a const module is listed through the same function; none of the callers writes to it then.
template <class P, class B, class M>
void walk(const Module& module, P on_parameter, B on_buffer, M on_module) {
  walk(const_cast<Module&>(module), "", on_parameter, on_buffer, on_module);
}

}  // namespace gradus::nn
