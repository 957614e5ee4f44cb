// Module: a layer or a network. It names its state once, in `state`; parameters, buffers, saving, loading, printing,
// converting and the train/eval switch all read that list.
#pragma once

#include <gradus/core/state_dict.hpp>
#include <gradus/core/tensor.hpp>

#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gradus::nn {

class Module;

/// A tensor that a module learns. A Tensor made from it is another handle of it; a copy of the Parameter, and so of the
/// module that holds it, has elements of its own and no gradient.
///
/// Assigned to a Parameter of the same shape and dtype, a copy writes its elements there, and optimisers and other
/// handles go on with them: `Net best = net; … net = best;`. A temporary, `p = Parameter(x)`, puts its tensor in place.
class Parameter : public Tensor {
 public:
  Parameter() = default;
  explicit Parameter(Tensor values) : Tensor(std::move(values)) { requires_grad_(); }
  Parameter(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&&) noexcept = default;
  ~Parameter() = default;
  /// From here on this is a handle of `other`'s tensor: tied weights.
  void tie(const Parameter& other) { Tensor::operator=(other); }
};

/// A tensor that belongs to a module's state but is not learned. Copied and assigned as a Parameter is.
class Buffer : public Tensor {
 public:
  Buffer() = default;
  explicit Buffer(Tensor values) : Tensor(std::move(values)) {}
  Buffer(const Buffer& other);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(const Buffer& other);
  Buffer& operator=(Buffer&&) noexcept = default;
  ~Buffer() = default;
};

/// What `Module::state` hands its members to, in the order in which they appear in a state_dict: own parameters, own
/// buffers, children. Undefined tensors (a bias that was left out) are passed over.
class StateList {
 public:
  StateList& operator()(std::string_view name, Parameter& parameter);
  StateList& operator()(std::string_view name, Buffer& buffer);
  StateList& operator()(std::string_view name, Module& child);
  /// A buffer that files of older versions lack: loading without it keeps the value and reports it as defaulted.
  StateList& optional(std::string_view name, Buffer& buffer);

 protected:
  ~StateList() = default;
  virtual void parameter(std::string_view name, Parameter& parameter) = 0;
  virtual void buffer(std::string_view name, Buffer& buffer, bool optional) = 0;
  virtual void child(std::string_view name, Module& module) = 0;
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

/// Base of every layer. A module of your own lists its state once and says what it computes:
///
///   struct Net : nn::Module {
///     nn::Linear hidden{64, 100};
///     nn::BatchNorm1d norm{100};
///     nn::Linear out{100, 10};
///     void state(nn::StateList& list) override { list("hidden", hidden)("norm", norm)("out", out); }
///     Tensor forward(const Tensor& x) override { return out(relu(norm(hidden(x)))); }
///   };
///
/// Modules are values: `Net copy = net;` trains on its own, and `net = copy;` brings its values back.
class Module {
 public:
  virtual ~Module() = default;

  /// Lists parameters, buffers and children by name. Names are not empty, hold no dot and differ: else KeyError.
  virtual void state(StateList&) {}
  /// Throws NotImplementedError unless the module defines it.
  virtual Tensor forward(const Tensor& x);
  Tensor operator()(const Tensor& x) { return forward(x); }

  /// The name that is printed; by default that of the C++ class without its namespace.
  virtual std::string name() const;
  /// What is printed between the brackets, e.g. "p=0.5, inplace=False".
  virtual std::string extra_repr() const { return ""; }

  /// A tied parameter is listed once, under its first name.
  std::vector<Tensor> parameters() const;
  std::vector<std::pair<std::string, Tensor>> named_parameters() const;
  std::vector<Tensor> buffers() const;
  std::vector<std::pair<std::string, Tensor>> named_buffers() const;
  /// This module and all below it, depth first; the name of this one is empty.
  std::vector<std::pair<std::string, Module*>> named_modules();
  std::vector<Module*> modules();
  /// The modules directly below.
  std::vector<std::pair<std::string, Module*>> named_children();

  /// Parameters and buffers by dotted name, as handles outside the graph: they follow further training.
  StateDict state_dict() const;
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
  bool training_ = true;
};

/// Ties those parameters of `to` whose counterparts in `from`, a module of the same make, are tied.
void tie_alike(const Module& from, Module& to);

/// A module with elements of its own, whose tied parameters are tied among themselves.
template <class M>
M clone(const M& module) {
  M copy = module;
  tie_alike(module, copy);
  return copy;
}

/// The layers, one a line, as PyTorch prints them.
std::string to_string(const Module& module);
std::ostream& operator<<(std::ostream& out, const Module& module);
/// "Parameter containing:" and the tensor.
std::string to_string(const Parameter& parameter);
std::ostream& operator<<(std::ostream& out, const Parameter& parameter);

}  // namespace gradus::nn
