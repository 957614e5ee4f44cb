// All kernels of core, for the instruction set that this file is compiled for.
#include "kernels/body/elementwise.hpp"
#include "kernels/body/layout.hpp"
#include "kernels/body/product.hpp"
#include "kernels/body/softmax.hpp"
#include "kernels/body/sums.hpp"

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
  k.clamp = clamp<T>, k.elu = elu<T>, k.elu_backward = elu_backward<T>, k.where = where<T>, k.transpose = transpose<T>;
  k.argmax = extremum<T, true>, k.argmin = extremum<T, false>;
  k.product = product<T>, k.sum_of_squares = sum_of_squares<T>;
  k.sum = sum<T>, k.row_sums = row_sums<T>, k.column_sums = column_sums<T>;
  k.softmax = softmax<T>, k.softmax_backward = softmax_backward<T>;
  k.log_softmax = log_softmax<T>, k.log_softmax_backward = log_softmax_backward<T>;
  k.matmul = matmul<T>, k.gemv = gemv<T>;
  return k;
}

constinit const kernels::Table table{make_kernels<float>(), make_kernels<double>()};

}  // namespace
}  // namespace gradus::body

namespace gradus::kernels {

template <>
const Table* built_table<Table, Isa::GRADUS_ISA>() noexcept {
  return &body::table;
}

}  // namespace gradus::kernels
