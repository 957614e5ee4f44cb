// All kernels of core, for the instruction set that this file is compiled for.
#include "kernels/body/elementwise.hpp"
#include "kernels/body/layout.hpp"
#include "kernels/body/product.hpp"
#include "kernels/body/softmax.hpp"
#include "kernels/body/sums.hpp"
#include "kernels/built.hpp"

#include <utility>

namespace gradus::body {
namespace {

template <class T>
constexpr kernels::Kernels<T> make_kernels() {
  kernels::Kernels<T> k{};
  [&k]<std::size_t... f>(std::index_sequence<f...>) { ((k.unary[f] = map<T, static_cast<Unary>(f)>), ...); }
  (std::make_index_sequence<kernels::unary_count>());
  [&k]<std::size_t... f>(std::index_sequence<f...>) { ((k.binary[f] = zip<T, static_cast<Binary>(f)>), ...); }
  (std::make_index_sequence<kernels::binary_count>());
  k.convert = convert<T>, k.clamp = clamp<T>, k.elu = elu<T>, k.elu_backward = elu_backward<T>, k.where = where<T>,
  k.transpose = transpose<T>;
  k.argmax = extremum<T, true>, k.argmin = extremum<T, false>;
  k.product = product<T>, k.sum_of_squares = sum_of_squares<T>;
  k.sum = sum<T>, k.deviations = deviations<T>, k.row_sums = row_sums<T>, k.column_sums = column_sums<T>;
  k.softmax = softmax<T>, k.softmax_backward = softmax_backward<T>;
  k.log_sum_exp = log_sum_exp<T>, k.log_softmax = log_softmax<T>, k.log_softmax_backward = log_softmax_backward<T>;
  k.matmul = matmul<T>, k.gemv = gemv<T>;
  return k;
}

template <class T>
constexpr kernels::Kernels<T> made = make_kernels<T>();

constinit const kernels::Table table{made<float>, made<double>};

}  // namespace
}  // namespace gradus::body

namespace gradus::kernels {

template <>
const Table* built_table<Table, Isa::GRADUS_ISA>() noexcept {
  return &body::table;
}

// clang-format off
#define GRADUS_ELEMENT(Place, array, Function, name)                                                   \
  GRADUS_BUILT((Place<float, Function::name>{}), body::made<float>.array[std::size_t(Function::name)]) \
  GRADUS_BUILT((Place<double, Function::name>{}), body::made<double>.array[std::size_t(Function::name)])
#define GRADUS_UNARY(name) GRADUS_ELEMENT(UnaryPlace, unary, Unary, name)
#define GRADUS_BINARY(name) GRADUS_ELEMENT(BinaryPlace, binary, Binary, name)

GRADUS_UNARY(neg) GRADUS_UNARY(abs) GRADUS_UNARY(sqrt) GRADUS_UNARY(rsqrt) GRADUS_UNARY(reciprocal)
GRADUS_UNARY(square) GRADUS_UNARY(cube) GRADUS_UNARY(relu) GRADUS_UNARY(sign) GRADUS_UNARY(floor) GRADUS_UNARY(ceil)
GRADUS_UNARY(round) GRADUS_UNARY(gelu) GRADUS_UNARY(exp) GRADUS_UNARY(expm1) GRADUS_UNARY(log) GRADUS_UNARY(log1p)
GRADUS_UNARY(tanh) GRADUS_UNARY(sigmoid) GRADUS_UNARY(silu) GRADUS_UNARY(softplus) GRADUS_UNARY(sin) GRADUS_UNARY(cos)
GRADUS_UNARY(erf)
GRADUS_BINARY(add) GRADUS_BINARY(sub) GRADUS_BINARY(mul) GRADUS_BINARY(div) GRADUS_BINARY(maximum)
GRADUS_BINARY(minimum) GRADUS_BINARY(leaky_relu) GRADUS_BINARY(reciprocal_times) GRADUS_BINARY(relu_backward)
GRADUS_BINARY(tanh_backward) GRADUS_BINARY(sigmoid_backward) GRADUS_BINARY(softplus_backward)
GRADUS_BINARY(silu_backward) GRADUS_BINARY(gelu_backward)
GRADUS_KERNEL(Kernels, convert) GRADUS_KERNEL(Kernels, clamp) GRADUS_KERNEL(Kernels, elu)
GRADUS_KERNEL(Kernels, elu_backward) GRADUS_KERNEL(Kernels, where) GRADUS_KERNEL(Kernels, transpose)
GRADUS_KERNEL(Kernels, argmax) GRADUS_KERNEL(Kernels, argmin) GRADUS_KERNEL(Kernels, sum)
GRADUS_KERNEL(Kernels, product) GRADUS_KERNEL(Kernels, sum_of_squares) GRADUS_KERNEL(Kernels, deviations)
GRADUS_KERNEL(Kernels, row_sums) GRADUS_KERNEL(Kernels, column_sums) GRADUS_KERNEL(Kernels, softmax)
GRADUS_KERNEL(Kernels, softmax_backward) GRADUS_KERNEL(Kernels, log_softmax) GRADUS_KERNEL(Kernels, log_sum_exp)
GRADUS_KERNEL(Kernels, log_softmax_backward) GRADUS_KERNEL(Kernels, matmul) GRADUS_KERNEL(Kernels, gemv)
// clang-format on

}  // namespace gradus::kernels
