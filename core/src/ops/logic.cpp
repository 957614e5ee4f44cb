// Bits of integers, and, or, xor, not of truths; what has no slope. Boolean and integer results carry no gradient.
#include "ops/elementwise.hpp"

namespace gradus {

using namespace detail;

namespace {

/// f on the bits of two integers, or on two truths.
template <class F>
Tensor bitwise(const Tensor& a, const Tensor& b, const char* op, F f, const char* function = __builtin_FUNCTION()) {
  check_defined(a, b, function);
  const Dtype dtype = result_type(a, b);
  throw_if<RuntimeError>(is_floating(dtype), "\"bitwise_", op, "_cpu\" not implemented for '", type_name(dtype),
                         "'\nit takes int64 and boolean tensors; a comparison makes one: x > 0");
  if (dtype == int64) {
    using I = std::int64_t;
    return zip<I, I>(a.to(dtype), b.to(dtype), [f](I p, I q) { return f(p, q); });
  }
  return zip<bool, bool>(a, b, [f](bool p, bool q) { return f(int{p}, int{q}) != 0; });
}

Tensor truth(const Tensor& x, const char* op = __builtin_FUNCTION()) {
  check_defined(x, op);
  return x.dtype() == boolean ? x : x != 0;
}

constexpr auto bits_and = [](auto p, auto q) { return p & q; };
constexpr auto bits_or = [](auto p, auto q) { return p | q; };
constexpr auto bits_xor = [](auto p, auto q) { return p ^ q; };

}  // namespace

Tensor operator&(const Tensor& a, const Tensor& b) { return bitwise(a, b, "and", bits_and); }
Tensor operator|(const Tensor& a, const Tensor& b) { return bitwise(a, b, "or", bits_or); }
Tensor operator^(const Tensor& a, const Tensor& b) { return bitwise(a, b, "xor", bits_xor); }
Tensor operator&(const Tensor& a, Scalar b) { return a & number_like(a, b); }
Tensor operator|(const Tensor& a, Scalar b) { return a | number_like(a, b); }
Tensor operator^(const Tensor& a, Scalar b) { return a ^ number_like(a, b); }
Tensor operator~(const Tensor& x) {
  check_defined(x);
  throw_if<TypeError>(is_floating(x.dtype()),
                      "~ (operator.invert) is only implemented on integer and Boolean-type tensors\ngot ", x.dtype());
  if (x.dtype() == boolean) return logical_not(x);
  return map<std::int64_t, std::int64_t>(x, [](std::int64_t p) { return ~p; });
}

Tensor logical_and(const Tensor& a, const Tensor& b) { return truth(a) & truth(b); }
Tensor logical_or(const Tensor& a, const Tensor& b) { return truth(a) | truth(b); }
Tensor logical_xor(const Tensor& a, const Tensor& b) { return truth(a) ^ truth(b); }

namespace {

/// A step function, with gradient 0. An int64 x stays as it is.
Tensor step(const Tensor& x, const char* op, const char* name, UnaryLoop kernel) {
  check_defined(x, op);
  throw_if<RuntimeError>(x.dtype() == boolean, '"', op, "_vml_cpu\" not implemented for 'Bool'");
  Tensor y = x.dtype() == int64 ? clone(x) : map_floating(x, kernel);
  return recorded(y, name, {x}, [](const Tensor& dy) { return zeros_like(dy); });
}

}  // namespace

Tensor floor(const Tensor& x) { return step(x, "floor", "FloorBackward0", loop<Unary::floor>); }
Tensor ceil(const Tensor& x) { return step(x, "ceil", "CeilBackward0", loop<Unary::ceil>); }
Tensor round(const Tensor& x) { return step(x, "round", "RoundBackward0", loop<Unary::round>); }

Tensor sign(const Tensor& x) {
  check_defined(x);
  if (x.dtype() == boolean) return clone(x);
  const auto of_integer = [](std::int64_t p) { return std::int64_t{p > 0} - std::int64_t{p < 0}; };
  Tensor y = x.dtype() == int64 ? map<std::int64_t, std::int64_t>(x, of_integer) : map_floating(x, loop<Unary::sign>);
  return recorded(y, "SignBackward0", {x}, [](const Tensor& dy) { return zeros_like(dy); });
}

}  // namespace gradus
