// Element types, chosen at run time, and the plain scalar that meets a tensor in `x * 2`.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
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

namespace detail {
/// Throws RuntimeError: "value cannot be converted to type int64_t without overflow", or, for a C++ integer of 2^63 and
/// more, "Overflow when unpacking long".
[[noreturn]] void refuse_number(double value, std::string_view type);
[[noreturn]] void refuse_unsigned(double value);

template <Number T>
inline constexpr std::string_view cpp_name = std::same_as<T, float>   ? "float"
                                             : std::floating_point<T> ? "double"
                                             : sizeof(T) == 8         ? (std::is_signed_v<T> ? "int64_t" : "uint64_t")
                                             : sizeof(T) == 4         ? (std::is_signed_v<T> ? "int" : "unsigned int")
                                             : std::is_signed_v<T>    ? "a small integer"
                                                                      : "a small unsigned integer";
}  // namespace detail

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

  /// As a T, without its fraction where T is an integer. Throws RuntimeError where T has no such number: what is beyond
  /// its range, and NaN or infinity as an integer. As PyTorch, where an element becomes this number.
  template <Number T>
  constexpr T to() const {
    if constexpr (std::floating_point<T>) {
      constexpr double most = std::numeric_limits<T>::max(), infinity = std::numeric_limits<double>::infinity();
      const double size = real_ < 0 ? -real_ : real_;
      if (size > most && size < infinity) detail::refuse_number(real_, detail::cpp_name<T>);
    }
    return rounded<T>();
  }

  /// The same, but a number beyond the range of float becomes infinite: as PyTorch, where it meets elements in
  /// arithmetic and comparisons.
  template <Number T>
  constexpr T rounded() const {
    if constexpr (std::same_as<T, bool>) {
      return real_ != 0;
    } else if constexpr (std::floating_point<T>) {
      return static_cast<T>(real_);
    } else {
      if (!is_floating(kind_)) return integer<T>();
      constexpr double least = static_cast<double>(std::numeric_limits<T>::min());
      constexpr double beyond = static_cast<double>(std::numeric_limits<T>::max()) + 1;
      const bool fits = (real_ >= least || real_ > least - 1) && real_ < beyond;  // not so for NaN
      if (!fits) detail::refuse_number(real_, detail::cpp_name<T>);
      return static_cast<T>(real_);
    }
  }

 private:
  template <std::integral T>
  constexpr T integer() const {
    if (integer_ < 0 && real_ > 0) detail::refuse_unsigned(real_);
    const T value = static_cast<T>(integer_);
    const bool same = static_cast<std::int64_t>(value) == integer_ && (value < T{0}) == (integer_ < 0);
    if (!same) detail::refuse_number(real_, detail::cpp_name<T>);
    return value;
  }

  Dtype kind_;
  double real_;
  std::int64_t integer_;
};

/// Calls `f` with a null pointer of the element type of `dtype`: `visit(d, [&]<class T>(T*) { … });`.
template <class F>
decltype(auto) visit(Dtype dtype, F&& f) {
  switch (dtype) {
    case boolean: return f(static_cast<bool*>(nullptr));
    case int64: return f(static_cast<std::int64_t*>(nullptr));
    case float32: return f(static_cast<float*>(nullptr));
    case float64: break;
  }
  return f(static_cast<double*>(nullptr));
}

/// The same for a dtype that is known to be floating.
template <class F>
decltype(auto) visit_floating(Dtype dtype, F&& f) {
  return dtype == float32 ? f(static_cast<float*>(nullptr)) : f(static_cast<double*>(nullptr));
}

}  // namespace gradus
