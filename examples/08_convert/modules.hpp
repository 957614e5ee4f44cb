// The modules behind the names of a state_dict: "0.weight" and "0.bias" are of the module "0".
#pragma once

#include <gradus/gradus.hpp>

/// "blocks.2.norm" as "blocks.2" and "norm"; of a tensor, its module and its own name.
struct DottedName {
  explicit DottedName(const std::string& path);
  std::string parent, own;
};

/// The number that `name` is, as modules in a Sequential are called.
std::optional<std::int64_t> as_index(const std::string& name);

/// Why a module cannot be fused.
struct NotFused {
  std::string reason;
};

class Modules {
 public:
  /// `keeps_order`: whether the tensors stand in the order of the modules.
  Modules(const gradus::StateDict& weights, bool keeps_order);

  const std::vector<std::string>& names() const { return names_; }
  gradus::Tensor get(const std::string& module, const char* name) const;  ///< undefined when it is not there
  bool is_linear(const std::string& module) const;                        ///< has a weight of two dimensions
  bool is_norm(const std::string& module) const;                          ///< has running buffers
  bool fit(const std::string& linear, const std::string& norm) const;     ///< as many outputs as features

  /// The Linear that a BatchNorm1d follows, as far as names and sizes tell. Throws NotFused.
  std::string linear_before(const std::string& norm) const;

  // The modules of those names. Throw NotFused when their tensors do not fit each other.
  gradus::nn::Linear make_linear(const std::string& name) const;
  gradus::nn::BatchNorm1d make_norm(const std::string& name, double eps) const;

 private:
  const gradus::StateDict& weights_;
  bool keeps_order_;
  std::vector<std::string> names_;  // in the order of the file
};
