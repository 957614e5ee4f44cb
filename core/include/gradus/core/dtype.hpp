// Element types, chosen at run time, and the plain scalar that meets a tensor in `x * 2`.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace gradus {

/// Element type of a tensor. The order is the order of promotion: boolean < int64 < float32 < float64.
enum class Dtype : std::uint8_t { boolean, int64, float32, float64 };

inline constexpr Dtype boolean = Dtype::boolean;
inline constexpr Dtype int64 = Dtype::int64;
inline constexpr Dtype float32 = Dtype::float32;
inline constexpr Dtype float64 = Dtype::float64;

/// The C++ types of numbers, bool among them.
template <class T>
concept Number = std::is_arithmetic_v<T>;

/// The C++ types that elements are stored as: bool, std::int64_t, float, double.
template <class T>
concept Element =
    std::same_as<T, bool> || std::same_as<T, std::int64_t> || std::same_as<T, float> || std::same_as<T, double>;

template <Element T>
inline constexpr Dtype dtype_of = std::same_as<T, bool>           ? boolean
                                  : std::same_as<T, std::int64_t> ? int64
                                  : std::same_as<T, float>        ? float32
                                                                  : float64;

constexpr bool is_floating(Dtype dtype) { return dtype >= float32; }

/// Bytes of one element.
constexpr std::size_t item_size(Dtype dtype) {
  constexpr std::size_t sizes[] = {1, 8, 4, 8};
  return sizes[static_cast<int>(dtype)];
}

/// "float32", "int64", …: what follows `torch.` when PyTorch prints the dtype; "bool" for boolean.
constexpr std::string_view to_string(Dtype dtype) {
  constexpr std::string_view names[] = {"bool", "int64", "float32", "float64"};
  return names[static_cast<int>(dtype)];
}

/// The dtype that can hold both, as PyTorch promotes two tensors: the later one in the order above.
constexpr Dtype promote(Dtype a, Dtype b) { return a < b ? b : a; }

/// A number of C++ on its way into an operation. It keeps its kind, because `int64_tensor * 2` stays int64 while
/// `int64_tensor * 2.0` becomes float32.
class Scalar {
 public:
  template <Number T>
  constexpr Scalar(T value)
      : kind_(std::same_as<T, bool>         ? boolean
              : std::is_floating_point_v<T> ? float32
                                            : int64),
        real_(static_cast<double>(value)),
        integer_(std::is_floating_point_v<T> ? 0 : static_cast<std::int64_t>(value)) {}

  /// boolean, int64 or float32 (the default floating dtype); a scalar never makes a float64 of a float32 tensor.
  constexpr Dtype kind() const { return kind_; }

  template <Element T>
  constexpr T to() const {
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(real_);
    return is_floating(kind_) ? static_cast<T>(real_) : static_cast<T>(integer_);
  }

 private:
  Dtype kind_;
  double real_;
  std::int64_t integer_;
};

/// Calls `f` with a null pointer of the element type of `dtype`: `visit(d, [&]<class T>(T*) { … });`.
template <class F>
decltype(auto) visit(Dtype dtype, F&& f) {
  switch (dtype) {
    case boolean:
      return f(static_cast<bool*>(nullptr));
    case int64:
      return f(static_cast<std::int64_t*>(nullptr));
    case float32:
      return f(static_cast<float*>(nullptr));
    case float64:
      break;
  }
  return f(static_cast<double*>(nullptr));
}

/// The same for a dtype that is known to be floating.
template <class F>
decltype(auto) visit_floating(Dtype dtype, F&& f) {
  return dtype == float32 ? f(static_cast<float*>(nullptr)) : f(static_cast<double*>(nullptr));
}

}  // namespace gradus
