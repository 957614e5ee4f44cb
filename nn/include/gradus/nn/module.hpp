// Module: a layer or a network. It names its state once, in `state`; parameters, buffers, saving, loading, printing,
// converting and the train/eval switch all read that list.
#pragma once

#include <gradus/core/state_dict.hpp>
#include <gradus/nn/parameter.hpp>

#include <atomic>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus::nn {

/// What `Module::state` hands its members to, in the order in which they appear in a state_dict: own parameters, own
/// buffers, children. Undefined tensors (a bias that was left out) are passed over. What is listed is used after
/// state() has returned: it has to live as long as the module, as its members do.
class StateList {
 public:
  StateList& operator()(std::string_view name, Parameter& parameter);
  StateList& operator()(std::string_view name, Buffer& buffer);
  StateList& operator()(std::string_view name, Module& child);
  /// A buffer that files of older versions lack: loading without it keeps the value and reports it as defaulted.
  StateList& optional(std::string_view name, Buffer& buffer);

  /// What was listed: one of the three pointers is not null.
  struct Member {
    std::string name;
    Parameter* parameter = nullptr;
    Buffer* buffer = nullptr;
    Module* module = nullptr;
    bool optional = false;
    Tensor* tensor() const { return parameter ? parameter : static_cast<Tensor*>(buffer); }
  };
  std::vector<Member> members;

 private:
  StateList& add(const char* kind, Member member);
};

struct LoadOptions {
  bool strict = true;  ///< refuse missing and unexpected keys too
};

/// What loading a state_dict met. `mismatched` and `mistyped` hold one sentence a key.
struct LoadReport {
  std::vector<std::string> missing, unexpected, mismatched, mistyped, defaulted;
};
/// "<All keys matched successfully>" or "_IncompatibleKeys(missing_keys=[…], unexpected_keys=[…])", as PyTorch.
std::string to_string(const LoadReport& report);
std::ostream& operator<<(std::ostream& out, const LoadReport& report);

using ForwardHook = detail::Hook<Module&, const Tensor&, const Tensor&>;  // of a module, its input and its output

/// A forward hook: see Module. `remove` ends it; it is harmless when the module or the hook is gone.
class HookHandle {
 public:
  void remove();

 private:
  friend class Module;
  explicit HookHandle(std::weak_ptr<ForwardHook> hook) : hook_(std::move(hook)) {}
  std::weak_ptr<ForwardHook> hook_;
};

/// Base of every layer. A module of your own lists its state once and says what it computes:
///
///   struct Net : nn::Module {
///     nn::Linear hidden{64, 100};
///     nn::BatchNorm1d norm{100};
///     nn::Linear out{100, 10};
///     void state(nn::StateList& list) override { list("hidden", hidden)("norm", norm)("out", out); }
///     Tensor forward(const Tensor& x) const override { return out(relu(norm(hidden(x)))); }
///   };
///
/// Modules are values: `Net copy = net;` trains on its own, and `net = copy;` brings its values back. A copy has no
/// hooks, and its parameters are tied as those it was copied from, from its first call or walk on.
class Module {
 public:
  Module() = default;
  Module(const Module& other);
  Module(Module&& other) noexcept;
  Module& operator=(const Module& other);
  Module& operator=(Module&& other);
  virtual ~Module();

  /// Lists parameters, buffers and children by name. Names are not empty, hold no dot and differ: else KeyError.
  virtual void state(StateList&) {}
  /// A module defines one of these: the second one when members of its own change, which no const module has then.
  /// Throws NotImplementedError when it defines neither.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverloaded-virtual"  // for whoever overrides one of the two
#endif
  virtual Tensor forward(const Tensor& x) const;
  virtual Tensor forward(const Tensor& x) { return std::as_const(*this).forward(x); }
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
  /// forward, between the hooks.
  Tensor operator()(const Tensor& x) const;

  /// From now on every call first computes `x = f(module, x)`. f may return nothing: then x stays.
  template <class F>
  HookHandle register_forward_pre_hook(F f) {
    return add_hook(before_, [f = std::move(f)](Module& m, const Tensor& x, const Tensor&) mutable { return f(m, x); });
  }
  /// From now on every call then computes `y = f(module, x, y)`. f may return nothing: then y stays.
  template <class F>
  HookHandle register_forward_hook(F f) {
    return add_hook(after_, std::move(f));
  }

  /// Whether a call would run a hook.
  bool has_forward_hooks() const;

  /// The name that is printed; by default that of the C++ class without its namespace.
  virtual std::string name() const;
  /// What is printed between the brackets, e.g. "p=0.5, inplace=False".
  virtual std::string extra_repr() const { return ""; }

  /// A tied parameter is listed once, under its first name.
  std::vector<Tensor> parameters() const;
  /// Those for which keep(name, parameter) holds.
  template <class F>
  std::vector<Tensor> parameters(F keep) const {
    std::vector<Tensor> kept;
    for (const auto& [name, parameter] : named_parameters()) {
      if (keep(name, parameter)) kept.push_back(parameter);
    }
    return kept;
  }
  std::vector<std::pair<std::string, Tensor>> named_parameters() const;
  std::vector<Tensor> buffers() const;
  std::vector<std::pair<std::string, Tensor>> named_buffers() const;
  /// This module and all below it, depth first; the name of this one is empty.
  std::vector<std::pair<std::string, Module*>> named_modules();
  std::vector<Module*> modules();
  /// The modules directly below.
  std::vector<std::pair<std::string, Module*>> named_children();

  /// Parameters and buffers by dotted name, as handles outside the graph: they follow further training.
  [[nodiscard]] StateDict state_dict() const;
  /// Copies the values of `from` into the parameters and buffers, converting between floating dtypes. All or nothing:
  /// when anything but what `strict = false` forgives is wrong, throws RuntimeError with one line a kind of mistake, in
  /// PyTorch's words, and changes nothing.
  LoadReport load_state_dict(const StateDict& from, LoadOptions options = {});

  bool training() const { return training_; }
  Module& train(bool mode = true);  ///< of this module and all below it
  Module& eval() { return train(false); }
  Module& requires_grad_(bool requires_grad = true);
  void zero_grad();  ///< forgets the gradients of all parameters
  /// Converts floating parameters and buffers; handles and optimisers keep pointing to them.
  Module& to(Dtype dtype);
  /// Calls f(module) for every module below, children before parents, and then for this one.
  template <class F>
  Module& apply(F&& f) {
    for (const auto& [name, child] : named_children()) child->apply(f);
    f(*this);
    return *this;
  }

 private:
  friend class EvalGuard;
  using HookList = std::vector<std::shared_ptr<ForwardHook>>;
  template <class F>
  HookHandle add_hook(HookList& list, F f) {
    while (!list.empty() && list.back()->removed) list.pop_back();
    list.push_back(std::make_shared<detail::HookOf<F, Module&, const Tensor&, const Tensor&>>(std::move(f)));
    return HookHandle(list.back());
  }
  friend void settle_ties(const Module& module);
  static void tie_copies(std::span<Parameter* const> copies);

  bool training_ = true;
  mutable std::atomic<bool> fresh_copy_ = false;  // its parameters are still to be tied as those it was copied from
  HookList before_, after_;
};

/// While alive, a module and all below it are in eval mode; then each is back in its own.
///
///   nn::EvalGuard eval(net);
///   const NoGradGuard no_grad;
///   const Tensor classes = net(x).argmax(1);
class EvalGuard {
 public:
  [[nodiscard]] explicit EvalGuard(Module& module);
  ~EvalGuard();
  EvalGuard(const EvalGuard&) = delete;
  EvalGuard& operator=(const EvalGuard&) = delete;

 private:
  std::vector<std::pair<Module*, bool>> before_;
};

/// A copy, for where one must be asked for: `net.push_back(nn::clone(block))`.
template <class M>
[[nodiscard]] M clone(const M& module) {
  M copy = module;
  settle_ties(copy);
  return copy;
}

/// The parameters for two groups of an optimiser: weight decay is for matrices, not for biases and the weights of
/// normalisations, which have one dimension.
struct DecayGroups {
  std::vector<Tensor> decay, no_decay;
};
DecayGroups decay_groups(const Module& module);

/// The layers, one a line, as PyTorch prints them.
std::string to_string(const Module& module);
std::ostream& operator<<(std::ostream& out, const Module& module);
/// One line a module with the number of its own parameters, and their sum; a tied parameter counts once.
std::string summary(const Module& module);

}  // namespace gradus::nn
