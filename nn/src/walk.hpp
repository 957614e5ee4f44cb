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

/// Walks a module and all below it, depth first, and calls `on` with the dotted name of everything of one kind.
template <class OnParameter, class OnBuffer, class OnModule>
class Walk final : public StateList {
 public:
  Walk(OnParameter on_parameter, OnBuffer on_buffer, OnModule on_module)
      : on_parameter_(on_parameter), on_buffer_(on_buffer), on_module_(on_module) {}

  void enter(Module& module) {
    settle_ties(module);
    on_module_(path_, module);
    module.state(*this);
  }

 private:
  std::string dotted(std::string_view name) const {
    return path_.empty() ? std::string(name) : detail::message(path_, ".", name);
  }
  void parameter(std::string_view name, Parameter& p) override {
    mark_listed(p);
    on_parameter_(dotted(name), p);
  }
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

/// The state of a const module is listed through the same function; none of the callers writes to it then.
template <class P, class B, class M>
void walk(const Module& module, P on_parameter, B on_buffer, M on_module) {
  Walk<P, B, M>(on_parameter, on_buffer, on_module).enter(const_cast<Module&>(module));
}

}  // namespace gradus::nn
