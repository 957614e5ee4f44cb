// Shapes, and lists of dimensions: up to eight numbers, stored in place.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace gradus {

namespace detail {
[[noreturn]] void refuse_unsigned(double value);
}  // namespace detail

/// An integer of any type that is not bool: `x.softmax(true)` and `x.sum(true)` do not compile. Throws RuntimeError for
/// 2^63 and more, as `i - 1` is for an unsigned i of 0.
class Integer {
 public:
  template <std::integral T>
  requires(!std::same_as<T, bool>) constexpr Integer(T value) : value_(static_cast<std::int64_t>(value)) {
    if (std::unsigned_integral<T> && value_ < 0) detail::refuse_unsigned(static_cast<double>(value));
  }
  constexpr operator std::int64_t() const { return value_; }

 private:
  std::int64_t value_;
};

/// The extents of a tensor, outermost first; `{}` is the shape of a 0-d tensor. Also used, as `Dims`, for a list of
/// dimensions such as the axes of a reduction, where negative numbers count from the end.
/// Throws RuntimeError for more than `max_rank` numbers.
class Shape {
 public:
  static constexpr int max_rank = 8;

  constexpr Shape() = default;
  template <std::integral T>
  requires(!std::same_as<T, bool>) constexpr Shape(T extent) : Shape(Integer(extent)) {}
  constexpr Shape(Integer extent) : rank_(1), extents_{extent} {}
  Shape(std::initializer_list<Integer> extents);
  Shape(std::span<const std::int64_t> extents);
  Shape(const std::vector<std::int64_t>& extents) : Shape(std::span<const std::int64_t>(extents)) {}

  int rank() const { return rank_; }
  bool empty() const { return rank_ == 0; }
  std::int64_t operator[](int i) const { return extents_[i]; }
  std::int64_t& operator[](int i) { return extents_[i]; }
  const std::int64_t* begin() const { return extents_; }
  const std::int64_t* end() const { return extents_ + rank_; }

  void push_back(std::int64_t extent);
  void insert(int position, std::int64_t extent);
  void erase(int position);

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    for (int i = 0; i < a.rank_; ++i) {
      if (a.extents_[i] != b.extents_[i]) return false;
    }
    return true;
  }

 private:
  int rank_ = 0;
  std::int64_t extents_[max_rank] = {};
};

using Dims = Shape;

/// "[2, 3]", "[]".
std::string to_string(const Shape& shape);

/// Number of elements. Throws RuntimeError for a negative extent or when the product does not fit in 63 bits.
std::int64_t numel(const Shape& shape);

/// The shape both broadcast to, as NumPy and PyTorch. Throws RuntimeError naming the last dimension that does not fit.
Shape broadcast_shapes(const Shape& a, const Shape& b);

/// `dim` counted from the front: -1 becomes rank - 1. A 0-d tensor has the dimensions -1 and 0.
/// Throws IndexError when out of range.
int normalize_dim(std::int64_t dim, int rank);

}  // namespace gradus
