// Making tensors: from numbers, from lists, from memory. Random ones are in random.hpp.
#pragma once

#include <gradus/core/tensor.hpp>

namespace gradus {

/// A number or a nested list of numbers: `{{1, 2}, {3, 4}}`. Only for the duration of the call it is an argument of.
class Nested {
 public:
  template <Number T>
  Nested(T value) : number_(value) {}
  Nested(std::initializer_list<Nested> list) : number_(0), list_(list), is_list_(true) {}

  bool is_list() const { return is_list_; }
  Scalar number() const { return number_; }
  std::span<const Nested> list() const { return {list_.begin(), list_.size()}; }

 private:
  Scalar number_;
  std::initializer_list<Nested> list_;
  bool is_list_ = false;
};

/// A tensor with these elements; without `dtype` it is int64, float32 or boolean after the kind of the numbers.
/// Throws ValueError when the lists are ragged.
Tensor tensor(const Nested& values, std::optional<Dtype> dtype = std::nullopt);
Tensor tensor(std::initializer_list<Nested> values, std::optional<Dtype> dtype = std::nullopt);

/// A copy of `values` in `shape`. Throws RuntimeError unless the numbers agree.
template <Element T>
Tensor from_span(std::span<const T> values, const Shape& shape);
template <Element T>
Tensor from_span(const std::vector<T>& values, const Shape& shape) {
  return from_span(std::span<const T>(values), shape);
}
extern template Tensor from_span(std::span<const bool>, const Shape&);
extern template Tensor from_span(std::span<const std::int64_t>, const Shape&);
extern template Tensor from_span(std::span<const float>, const Shape&);
extern template Tensor from_span(std::span<const double>, const Shape&);

Tensor empty(const Shape& shape, Dtype dtype = float32);  ///< elements not set
Tensor zeros(const Shape& shape, Dtype dtype = float32);
Tensor ones(const Shape& shape, Dtype dtype = float32);
Tensor full(const Shape& shape, Scalar value, std::optional<Dtype> dtype = std::nullopt);  ///< dtype of the value
Tensor eye(std::int64_t n, Dtype dtype = float32);
Tensor empty_like(const Tensor& x);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, Scalar value);
/// start, start + step, … below end; int64 when all three are integers, else float32, as PyTorch.
Tensor arange(Scalar end);
Tensor arange(Scalar start, Scalar end, Scalar step = 1, std::optional<Dtype> dtype = std::nullopt);
/// `steps` numbers from start to end, both included.
Tensor linspace(double start, double end, std::int64_t steps, Dtype dtype = float32);

}  // namespace gradus
