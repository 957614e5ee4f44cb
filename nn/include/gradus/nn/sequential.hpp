// Sequential: modules one after the other.
#pragma once

#include <gradus/nn/module.hpp>

#include <concepts>
#include <memory>

namespace gradus::nn {

/// A module of any type, held by value: copying it copies the module, and so does assigning it to one of its type.
class AnyModule {
 public:
  template <std::derived_from<Module> M>
  AnyModule(M module) : module_(std::make_unique<M>(std::move(module))), copy_(copy<M>), assign_(assign<M>) {}
  AnyModule(const AnyModule& other)
      : module_(other.copy_(*other.module_)), copy_(other.copy_), assign_(other.assign_) {}
  AnyModule(AnyModule&&) noexcept = default;
  AnyModule& operator=(const AnyModule& other) {
    if (module_ && assign_ == other.assign_ && assign_(*module_, *other.module_)) return *this;
    return *this = AnyModule(other);
  }
  AnyModule& operator=(AnyModule&&) noexcept = default;
  ~AnyModule() = default;

  Module& operator*() const { return *module_; }
  Module* operator->() const { return module_.get(); }

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
  std::unique_ptr<Module> (*copy_)(const Module&);
  bool (*assign_)(Module& to, const Module& from);
};

/// y = last(… second(first(x))). The children are named "0", "1", … unless they are given names:
///
///   nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm1d(3), nn::ReLU(), nn::Linear(3, 1)};
///   nn::Sequential named({{"hidden", nn::Linear(2, 3)}, {"act", nn::ReLU()}});
///
/// Write braces: they make the modules from left to right, and so draw the initial values in PyTorch's order, while the
/// arguments in brackets of a call may be made in any order.
class Sequential : public Module {
 public:
  Sequential() = default;
  template <std::derived_from<Module>... M>
  explicit Sequential(M... modules) requires(sizeof...(M) > 1 ||
                                             (sizeof...(M) == 1 && !(std::same_as<M, Sequential> || ...))) {
    (push_back(AnyModule(std::move(modules))), ...);
  }
  Sequential(std::initializer_list<std::pair<std::string, AnyModule>> modules);

  /// Appends a module. Throws KeyError when the name is empty, holds a dot or is taken, as PyTorch.
  Sequential& push_back(std::string name, AnyModule module);
  Sequential& push_back(AnyModule module);

  void state(StateList& list) override;
  Tensor forward(const Tensor& x) override;

  std::size_t size() const { return children_.size(); }
  std::span<const std::pair<std::string, AnyModule>> children() const { return children_; }
  Module& operator[](std::size_t index) const;  ///< Throws IndexError.
  /// The module at `index` as what it is: `net.at<nn::BatchNorm1d>(1).running_mean`. Throws IndexError, TypeError.
  template <std::derived_from<Module> M>
  M& at(std::size_t index) const {
    if (auto* module = dynamic_cast<M*>(&(*this)[index])) return *module;
    refuse_type(index);
  }

 private:
  [[noreturn]] void refuse_type(std::size_t index) const;
  std::vector<std::pair<std::string, AnyModule>> children_;
};

}  // namespace gradus::nn
