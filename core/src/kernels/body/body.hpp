// All kernels for the instruction set that this file is compiled for.
#pragma once

#include "batch_norm_channels.hpp"
#include "batch_norm_rows.hpp"
#include "rows.hpp"
#include "steps.hpp"

namespace gradus::body {
namespace {

bool batch_norm(const BatchNormForward& pass, int64_t first, int64_t last) {
  return pass.shape.l == 1 ? batch_norm_rows(pass, first, last) : batch_norm_channels(pass, first, last);
}
void batch_norm_apply(const BatchNormApply& pass, int64_t first, int64_t last) {
  if (pass.shape.l == 1) return normalise_rows(pass, first, last);
  for (int64_t channel = first; channel < last; ++channel) {
    normalise_channel(pass, channel, channel_of(pass.x, pass.shape, channel));
  }
}
void batch_norm_backward(const BatchNormBackward& pass, int64_t first, int64_t last) {
  return pass.shape.l == 1 ? batch_norm_rows_backward(pass, first, last)
                           : batch_norm_channels_backward(pass, first, last);
}

constexpr Table make_table() {
  Table t{};
  t.add = binary<plus>, t.add_scalar = with_scalar<plus>, t.add_row = with_row<plus>;
  t.sub = binary<minus>, t.sub_scalar = with_scalar<minus>, t.sub_row = with_row<minus>;
  t.mul = binary<times>, t.mul_scalar = with_scalar<times>, t.mul_row = with_row<times>;
  t.div = binary<over>, t.div_scalar = with_scalar<over>, t.div_row = with_row<over>;
  t.maximum = binary<larger>, t.maximum_scalar = with_scalar<larger>;
  t.minimum = binary<smaller>, t.minimum_scalar = with_scalar<smaller>;
  t.scalar_sub = scalar_with<minus>, t.scalar_div = scalar_with<over>;
  t.axpy = axpy, t.fill = fill;
  t.neg = neg, t.abs = abs, t.sqrt = sqrt, t.rsqrt = rsqrt, t.square = square;
  t.relu = relu, t.relu_backward = relu_backward;
  t.leaky_relu = leaky_relu, t.leaky_relu_backward = leaky_relu_backward;
  t.exp = each_wide<exp>, t.log = each_wide<log>, t.tanh = each_wide<tanh>, t.sigmoid = each_wide<sigmoid>;
  t.sum = sum, t.column_sums = column_sums;
  t.softmax = softmax, t.softmax_backward = softmax_backward;
  t.log_softmax = log_softmax, t.log_softmax_backward = log_softmax_backward;
  t.log_sum_exp = log_sum_exp, t.cross_entropy_backward = cross_entropy_backward;
  t.gemv = gemv;
  t.batch_norm_running = batch_norm_running;
  t.batch_norm = batch_norm, t.batch_norm_apply = batch_norm_apply, t.batch_norm_backward = batch_norm_backward;
  t.sgd = sgd, t.adam = adam, t.rmsprop = rmsprop;
  return t;
}

}  // namespace
}  // namespace gradus::body
