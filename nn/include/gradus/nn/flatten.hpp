// Flatten and Unflatten.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus::nn {

/// Makes one dimension of those from start_dim to end_dim, both included: (N, C, L) becomes (N, C L).
/// y shares the storage of x. Throws IndexError when x lacks one of the dimensions.
class Flatten : public Module {
 public:
  explicit Flatten(std::int64_t start_dim = 1, std::int64_t end_dim = -1) : start_dim_(start_dim), end_dim_(end_dim) {}

  Tensor forward(const Tensor& x) const override { return flatten(x, start_dim_, end_dim_); }
  std::string extra_repr() const override {
    return "start_dim=" + std::to_string(start_dim_) + ", end_dim=" + std::to_string(end_dim_);
  }

 private:
  std::int64_t start_dim_, end_dim_;
};

/// Makes the dimensions `sizes` of one: (N, C L) becomes (N, C, L). One size may be -1.
/// y shares the storage of x. Throws IndexError when x lacks the dimension, RuntimeError when the sizes are not its.
class Unflatten : public Module {
 public:
  Unflatten(std::int64_t dim, const Shape& sizes) : dim_(dim), sizes_(sizes) {}

  Tensor forward(const Tensor& x) const override;
  std::string extra_repr() const override;

 private:
  std::int64_t dim_;
  Shape sizes_;
};

}  // namespace gradus::nn
