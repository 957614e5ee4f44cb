// All kernels of nn, for the instruction set that this file is compiled for.
#include "kernels/batch_norm_channels.hpp"
#include "kernels/batch_norm_rows.hpp"
#include "kernels/built.hpp"
#include "kernels/convolution_body.hpp"
#include "kernels/cross_entropy_body.hpp"
#include "kernels/dense_body.hpp"
#include "kernels/layer_norm_body.hpp"

namespace gradus::body {
namespace {

template <class T>
bool batch_norm(const BatchNormForward<T>& pass, int64_t first, int64_t last, T* scratch) {
  return pass.shape.l == 1 ? batch_norm_rows(pass, first, last) : batch_norm_channels(pass, first, last, scratch);
}
template <class T>
void batch_norm_apply(const BatchNormForward<T>& pass, int64_t first, int64_t last) {
  return pass.shape.l == 1 ? normalise_rows(pass, first, last) : normalise_channels(pass, first, last);
}
template <class T>
void batch_norm_backward(const BatchNormBackward<T>& pass, int64_t first, int64_t last, T* scratch) {
  return pass.shape.l == 1 ? batch_norm_rows_backward(pass, first, last)
                           : batch_norm_channels_backward(pass, first, last, scratch);
}

template <class T>
void batch_norm_input_gradient(const BatchNormBackward<T>& pass) {
  input_gradient_rows(pass, 0, pass.shape.c);
}

template <class T>
constexpr nn::kernels::Kernels<T> made{
    batch_norm_running<T>,        batch_norm<T>,    batch_norm_apply<T>,    batch_norm_backward<T>,
    batch_norm_input_gradient<T>, layer_norm<T>,    layer_norm_backward<T>, cross_entropy_backward<T>,
    binary_cross_entropy<T>,      weighted_sums<T>, row_products<T>,
};

constinit const nn::kernels::Table table{made<float>, made<double>};

}  // namespace
}  // namespace gradus::body

namespace gradus::kernels {

template <>
const nn::kernels::Table* built_table<nn::kernels::Table, Isa::GRADUS_ISA>() noexcept {
  return &body::table;
}

template <>
const nn::kernels::DenseTable* built_table<nn::kernels::DenseTable, Isa::GRADUS_ISA>() noexcept {
  return &body::dense_table;
}

// clang-format off
GRADUS_KERNEL(nn::kernels::Kernels, batch_norm_running) GRADUS_KERNEL(nn::kernels::Kernels, batch_norm)
GRADUS_KERNEL(nn::kernels::Kernels, batch_norm_apply) GRADUS_KERNEL(nn::kernels::Kernels, batch_norm_backward)
GRADUS_KERNEL(nn::kernels::Kernels, batch_norm_input_gradient)
GRADUS_KERNEL(nn::kernels::Kernels, layer_norm) GRADUS_KERNEL(nn::kernels::Kernels, layer_norm_backward)
GRADUS_KERNEL(nn::kernels::Kernels, cross_entropy_backward)
GRADUS_KERNEL(nn::kernels::Kernels, binary_cross_entropy)
GRADUS_KERNEL(nn::kernels::Kernels, weighted_sums) GRADUS_KERNEL(nn::kernels::Kernels, row_products)
// clang-format on

}  // namespace gradus::kernels
