// Modules in a row: Sequential calls them one after the other, ModuleList only keeps them, as ParameterList does
// parameters.
#pragma once

#include <gradus/nn/module.hpp>

#include <concepts>
#include <memory>
#include <typeinfo>

namespace gradus::nn {

template <class M>
concept SomeModule = std::derived_from<std::remove_cv_t<M>, Module>;

/// A module of any type, held by value: copying it copies the module, and so does assigning it to one of its type.
class AnyModule {
 public:
  /// Takes over a temporary. A module that has a name is handed over with std::move(module), or copied with
  /// nn::clone(module): taken as it is it would be copied in silence, and its own handle would never get a gradient.
  template <class M>
  requires std::derived_from<M, Module> AnyModule(M&& module)
      : module_(std::make_unique<M>(std::move(module))), type_(&typeid(M)), copy_(copy<M>), assign_(assign<M>) {}
  template <SomeModule M>
  AnyModule(M& module) = delete;  // write std::move(module), or nn::clone(module)
  AnyModule(const AnyModule& other)
      : module_(other.copy_(*other.module_)), type_(other.type_), copy_(other.copy_), assign_(other.assign_) {}
  AnyModule(AnyModule&&) noexcept = default;
  AnyModule& operator=(const AnyModule& other) {
    if (same_type(other) && assign_(*module_, *other.module_)) return *this;
    return *this = AnyModule(other);
  }
  AnyModule& operator=(AnyModule&&) noexcept = default;
  ~AnyModule() = default;

  Module& operator*() const { return *module_; }
  Module* operator->() const { return module_.get(); }
  const std::type_info& type() const { return *type_; }
  bool same_type(const AnyModule& other) const { return module_ && *type_ == *other.type_; }

 private:
  template <class M>
  static std::unique_ptr<Module> copy(const Module& module) {
    return std::make_unique<M>(static_cast<const M&>(module));
  }
  /// False, with nothing done, for a module that cannot be assigned.
  template <class M>
  static bool assign(Module& to, const Module& from) {
    if constexpr (std::is_copy_assignable_v<M>) static_cast<M&>(to) = static_cast<const M&>(from);
    return std::is_copy_assignable_v<M>;
  }

  std::unique_ptr<Module> module_;
  const std::type_info* type_;
  std::unique_ptr<Module> (*copy_)(const Module&);
  bool (*assign_)(Module& to, const Module& from);
};

/// What stands in the braces of a Sequential: a module, or {"name", module}.
struct ModuleItem {
  template <class M>
  requires std::constructible_from<AnyModule, M> ModuleItem(M&& module_) : module(std::forward<M>(module_)) {}
  ModuleItem(std::string name_, AnyModule module_) : name(std::move(name_)), module(std::move(module_)) {}
  std::string name;
  mutable AnyModule module;  // an initializer_list hands out constants; they are emptied all the same
};

/// Modules in order, named "0", "1", … unless they are given names. Assigned to one of the same make, it writes its
/// values into the tensors there.
class ModuleContainer : public Module {
 public:
  ModuleContainer() = default;
  ModuleContainer(std::initializer_list<ModuleItem> modules) { add_all(modules); }
  ModuleContainer(const ModuleContainer&) = default;
  ModuleContainer(ModuleContainer&&) noexcept = default;
  ModuleContainer& operator=(ModuleContainer other);
  ~ModuleContainer() override = default;

  void state(StateList& list) override;

  std::size_t size() const { return children_.size(); }
  std::span<const std::pair<std::string, AnyModule>> children() const { return children_; }
  Module& operator[](std::size_t index) const;  ///< Throws IndexError.
  /// The module at `index` as what it is: `net.at<nn::BatchNorm1d>(1).running_mean`. Throws IndexError, TypeError.
  template <std::derived_from<Module> M>
  M& at(std::size_t index) const {
    if (auto* module = dynamic_cast<M*>(&(*this)[index])) return *module;
    refuse_type(index);
  }

 protected:
  void add(std::string name, AnyModule module);
  void add_all(std::initializer_list<ModuleItem> modules);

 private:
  [[noreturn]] void refuse_type(std::size_t index) const;
  std::vector<std::pair<std::string, AnyModule>> children_;
};

/// y = last(… second(first(x))):
///
///   nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm1d(3), nn::ReLU(), nn::Linear(3, 1)};
///   nn::Sequential named{{"hidden", nn::Linear(2, 3)}, {"act", nn::ReLU()}};
///
/// Braces make the modules from left to right, and so draw the initial values in PyTorch's order. Parentheses, which
/// may draw them in any order, do not compile. Braces around one Sequential copy or move it.
///
/// A BatchNorm1d and the ReLU behind it become one node of the graph, with the values and gradients of two. They stay
/// two where one of them has a forward hook or is of a derived type, with set_sync, for an empty batch, and for a
/// TraceGuard.
class Sequential : public ModuleContainer {
 public:
  Sequential() = default;
  Sequential(std::initializer_list<ModuleItem> modules);
  template <class... M>
  requires(sizeof...(M) > 0 && (std::derived_from<std::remove_cvref_t<M>, Module> && ...) &&
           !(sizeof...(M) == 1 && (std::derived_from<std::remove_cvref_t<M>, Sequential> && ...))) Sequential(M&&...)
  = delete;  // write braces, and std::move(layer) or nn::clone(layer) for a layer that has a name

  /// Appends a module. Throws KeyError when the name is empty, holds a dot or is taken, as PyTorch.
  Sequential& push_back(std::string name, AnyModule module);
  Sequential& push_back(AnyModule module);

  Tensor forward(const Tensor& x) const override;
};

/// Modules that a module of your own calls as it likes: `for (auto& [name, layer] : layers.children()) x =
/// (*layer)(x)`.
class ModuleList : public ModuleContainer {
 public:
  using ModuleContainer::ModuleContainer;
  ModuleList& append(AnyModule module);
};

/// Parameters named "0", "1", …, for a module of your own: `nn::ParameterList gains{ones({3}), ones({4})};`.
class ParameterList : public Module {
 public:
  ParameterList() = default;
  ParameterList(std::initializer_list<Tensor> values);
  ParameterList& append(Tensor values);
  void state(StateList& list) override;
  std::string extra_repr() const override;

  std::size_t size() const { return parameters_.size(); }
  Parameter& operator[](std::size_t index);  ///< Throws IndexError.
  const Parameter& operator[](std::size_t index) const;

 private:
  std::vector<Parameter> parameters_;
};

}  // namespace gradus::nn
