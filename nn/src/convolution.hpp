// The loops of Conv1d: a convolution and its two gradients, over the elements of tensors.
#pragma once

#include <gradus/core/shape.hpp>

namespace gradus::nn {

struct Geometry {
  std::int64_t samples, channels, length;  // of x
  std::int64_t filters, kernel, places;    // of weight and y
  std::int64_t stride, before, dilation, groups;

  std::int64_t channels_of_group() const { return channels / groups; }
  std::int64_t filters_of_group() const { return filters / groups; }
  std::int64_t patch() const { return channels_of_group() * kernel; }
  Shape x_shape() const { return {samples, channels, length}; }
  Shape y_shape() const { return {samples, filters, places}; }
  Shape weight_shape() const { return {filters, channels_of_group(), kernel}; }
};

/// y[n, o, l] = bias[o] + sum over c, k of weight[o, c, k] x[n, c, l stride + k dilation - before]; bias may be null.
template <class T>
void convolve(T* y, const T* x, const T* weight, const T* bias, const Geometry& g);

/// Its derivatives by x and by weight, times dy.
template <class T>
void convolve_input_gradient(T* dx, const T* dy, const T* weight, const Geometry& g);
template <class T>
void convolve_weight_gradient(T* dw, const T* dy, const T* x, const Geometry& g);

}  // namespace gradus::nn
