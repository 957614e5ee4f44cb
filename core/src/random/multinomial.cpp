// multinomial: the draws of PyTorch.
#include "random/fill.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/autograd.hpp>

#include <algorithm>
#include <cmath>

namespace gradus {

using namespace detail;

namespace {

void check(const Tensor& weights, std::int64_t num_samples, bool replacement) {
  throw_if<RuntimeError>(weights.dim() != 1 && weights.dim() != 2,
                         "prob_dist must be 1 or 2 dim\nmultinomial: the weights have the shape ", weights.shape());
  throw_if<RuntimeError>(!is_floating(weights.dtype()),
                         "multinomial only supports floating-point dtypes for input, got: ", type_name(weights.dtype()),
                         "\nconvert first: weights.to(float32)");
  throw_if<RuntimeError>(num_samples <= 0, "cannot sample n_sample <= 0 samples\nmultinomial: asked for ", num_samples);
  if (!replacement && num_samples > weights.size(-1)) {
    fail<RuntimeError>("cannot sample n_sample > prob_dist.size(-1) samples without replacement\nmultinomial: ",
                       num_samples, " samples of ", weights.size(-1), " places");
  }
}

/// Throws PyTorch's texts, which differ.
template <class T>
void check_row(const T* weights, std::int64_t n, bool replacement) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(weights[i] >= 0) || std::isinf(weights[i])) {
      const char* what = !replacement     ? "probability tensor contains either `inf`, `nan` or element < 0"
                         : weights[i] < 0 ? "invalid multinomial distribution (encountering probability entry < 0)"
                                          : "invalid multinomial distribution (encountering probability entry = "
                                            "infinity or NaN)";
      fail<RuntimeError>(what, "\nmultinomial: weight ", i, " is ", static_cast<double>(weights[i]));
    }
    sum += static_cast<double>(weights[i]);
  }
  throw_if<RuntimeError>(!(sum > 0), "invalid multinomial distribution (sum of probabilities <= 0)");
}

/// By the place where the running sum passes a uniform number.
template <class T>
void draw_with_replacement(const T* weights, std::int64_t n, std::int64_t* out, std::int64_t samples,
                           Generator& generator) {
  std::vector<T> running(static_cast<std::size_t>(n));
  T sum = 0;
  for (std::int64_t i = 0; i < n; ++i) running[static_cast<std::size_t>(i)] = sum += weights[i];
  for (T& r : running) r /= sum;
  running.back() = 1;
  for (std::int64_t k = 0; k < samples; ++k) {
    const double u = generator.next_double();
    const auto place =
        std::lower_bound(running.begin(), running.end(), u, [](T r, double v) { return static_cast<double>(r) < v; });
    out[k] = place - running.begin();
  }
}

/// The places where weight / exponential number is largest.
Tensor draw_distinct(const Tensor& weights, std::int64_t samples, Generator& generator) {
  const Tensor exponential = empty_like(weights);
  visit_floating(weights.dtype(), [&]<class T>(T*) {
    T* to = elements<T>(exponential);
    for (std::int64_t i = 0; i < weights.numel(); ++i) to[i] = static_cast<T>(-std::log(1 - generator.next_double()));
  });
  const Tensor race = weights / exponential;
  return samples == 1 ? argmax(race, -1, true) : topk(race, samples).indices;
}

}  // namespace

Tensor multinomial(const Tensor& weights_, std::int64_t num_samples, bool replacement, Generator& generator) {
  check_defined(weights_);
  const NoGradGuard no_grad;
  const Tensor weights = weights_.detach();
  check(weights, num_samples, replacement);
  Shape shape = weights.shape();
  const std::int64_t n = weights.size(-1), rows = n == 0 ? 0 : weights.numel() / n;
  shape[shape.rank() - 1] = num_samples;
  Tensor places = empty(shape, int64);
  const Turn turn(generator);
  return visit_floating(weights.dtype(), [&]<class T>(T*) {
    for (std::int64_t i = 0; i < rows; ++i) check_row(elements<T>(weights) + i * n, n, replacement);
    if (!replacement && rows > 0) return draw_distinct(weights, num_samples, generator);
    for (std::int64_t i = 0; i < rows; ++i) {
      draw_with_replacement(elements<T>(weights) + i * n, n, elements<std::int64_t>(places) + i * num_samples,
                            num_samples, generator);
    }
    return places;
  });
}

}  // namespace gradus
