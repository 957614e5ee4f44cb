// Optimiser steps on every instruction set against the same step on one element, bit for bit.
#include "kernel_support.hpp"
#include "kernels/steps_table.hpp"

#include <gradus/core/parallel.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/rmsprop.hpp>
#include <gradus/optim/sgd.hpp>

#include <array>

namespace gradus::test {
namespace {

using optim::kernels::AdamStep;
using optim::kernels::RmspropStep;
using optim::kernels::SgdStep;

template <class T>
T rounded(double value) {
  return static_cast<T>(value);
}

template <class T>
T with_decay(T g, T p, bool maximize, double decay) {
  if (maximize) g = -g;
  return decay != 0 ? std::fma(rounded<T>(decay), p, g) : g;
}

template <class T>
void sgd_element(T& p, T g, T* b, const SgdStep& s) {
  T d = with_decay(g, p, s.maximize, s.weight_decay);
  if (b) {
    const T kept = rounded<T>(s.momentum) * *b;
    *b = s.first ? d : std::fma(rounded<T>(1 - s.dampening), d, kept);
    d = s.nesterov ? std::fma(rounded<T>(s.momentum), *b, d) : *b;
  }
  p = std::fma(rounded<T>(-s.lr), d, p);
}

template <class T>
void adam_element(T& p, T g, T& m, T& v, T* most, const AdamStep& s) {
  if (s.decoupled) p *= rounded<T>(1 - s.lr * s.weight_decay);
  const T d = with_decay(g, p, s.maximize, s.decoupled ? 0 : s.weight_decay);
  m *= rounded<T>(s.beta1);
  m = std::fma(rounded<T>(1 - s.beta1), d, m);
  v *= rounded<T>(s.beta2);
  const T scaled = rounded<T>(1 - s.beta2) * d;
  v = std::fma(scaled, d, v);
  T size = v;
  if (most) size = *most = std::max(*most, v);
  const T spread = std::sqrt(size) / rounded<T>(std::sqrt(s.correction2)) + rounded<T>(s.eps);
  const T step = rounded<T>(-(s.lr / s.correction1)) * m;
  p += step / spread;
}

template <class T>
void rmsprop_element(T& p, T g, T& v, T* mean, T* b, const RmspropStep& s) {
  const T d = with_decay(g, p, s.maximize, s.weight_decay);
  v *= rounded<T>(s.alpha);
  const T scaled = rounded<T>(1 - s.alpha) * d;
  v = std::fma(scaled, d, v);
  T size = v;
  if (mean) {
    *mean *= rounded<T>(s.alpha);
    *mean = std::fma(rounded<T>(1 - s.alpha), d, *mean);
    size = std::fma(-*mean, *mean, v);
  }
  const T spread = std::sqrt(size) + rounded<T>(s.eps);
  if (b) {
    *b *= rounded<T>(s.momentum);
    *b += d / spread;
    p = std::fma(rounded<T>(-s.lr), *b, p);
  } else {
    const T step = rounded<T>(-s.lr) * d;
    p += step / spread;
  }
}

/// A parameter, its gradient and up to three arrays of state.
template <class T>
struct Arrays {
  std::array<Guarded<T>, 5> array;
  explicit Arrays(std::int64_t n)
      : array{Guarded<T>(n, 1), Guarded<T>(n, 2), Guarded<T>(n, 3), Guarded<T>(n), Guarded<T>(n, 5)} {
    for (std::uint32_t i = 0; i < 5; ++i) {
      std::vector<T> values = normal<T>(n, i + 1);
      if (i >= 2) {
        for (T& v : values) v = i == 2 ? std::fabs(v) + 1 : std::fabs(v) / 100;  // squares are not negative
      }
      array[i].fill(values);
    }
  }
  T* operator[](std::size_t i) { return array[i].data(); }
};

class Steps : public testing::TestWithParam<Isa> {
 protected:
  template <class Kernel, class Element>
  void check(Kernel kernel, Element element) {
    for_both_widths([&]<class T>(T*) {
      const auto& kernels = kernels::table_for<optim::kernels::Table>(GetParam())->of<T>();
      for (const std::int64_t n : usual_lengths) {
        Arrays<T> got(n), expected(n);
        for (int repetition = 0; repetition < 2; ++repetition) {
          kernel(kernels, got, n);
          for (std::int64_t i = 0; i < n; ++i) element(expected, i);
        }
        for (std::size_t i = 0; i < 5; ++i) {
          EXPECT_TRUE(same_bits(got.array[i].values(), expected.array[i].values())) << "array " << i << " of " << n;
        }
      }
    });
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Steps, testing::ValuesIn(isas()));

TEST_P(Steps, Sgd) {
  const SgdStep steps[] = {{.lr = 0.1},
                           {.lr = 0.1, .weight_decay = 0.01, .maximize = true},
                           {.lr = 0.03, .momentum = 0.9},
                           {.lr = 0.03, .momentum = 0.9, .first = true},
                           {.lr = 0.03, .momentum = 0.9, .dampening = 0.3, .weight_decay = 0.1},
                           {.lr = 0.03, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true, .maximize = true}};
  for (const SgdStep& step : steps) {
    const bool buffer = step.momentum != 0;
    check(
        [&](const auto& kernel, auto& a, std::int64_t n) { kernel.sgd(a[0], a[1], buffer ? a[2] : nullptr, n, step); },
        [&](auto& a, std::int64_t i) { sgd_element(a[0][i], a[1][i], buffer ? a[2] + i : nullptr, step); });
  }
}

TEST_P(Steps, Adam) {
  const AdamStep steps[] = {
      {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8},
      {.lr = 0.1, .beta1 = 0.8, .beta2 = 0.99, .eps = 1e-3, .weight_decay = 0.01, .maximize = true},
      {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01, .decoupled = true}};
  for (AdamStep step : steps) {
    step.correction1 = 0.271;
    step.correction2 = 0.002997;
    for (const bool amsgrad : {false, true}) {
      check([&](const auto& kernel, auto& a,
                std::int64_t n) { kernel.adam(a[0], a[1], a[2], a[3], amsgrad ? a[4] : nullptr, n, step); },
            [&](auto& a, std::int64_t i) {
              adam_element(a[0][i], a[1][i], a[2][i], a[3][i], amsgrad ? a[4] + i : nullptr, step);
            });
    }
  }
}

TEST_P(Steps, AdamCorrectsItsAverages) {
  float p = 1, m = 0, v = 0;
  const float g = 0.5f;
  kernels::table_for<optim::kernels::Table>(GetParam())
      ->f32.adam(&p, &g, &m, &v, nullptr, 1,
                 {.lr = 0.25, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .correction1 = 0.1, .correction2 = 0.001});
  EXPECT_FLOAT_EQ(p, 0.75f) << "the first step has the length lr";
  EXPECT_FLOAT_EQ(m, 0.05f);
  EXPECT_FLOAT_EQ(v, 0.00025f);
}

TEST_P(Steps, Rmsprop) {
  const RmspropStep steps[] = {{.lr = 0.1, .alpha = 0.99, .eps = 1e-8},
                               {.lr = 0.1, .alpha = 0.9, .eps = 1e-3, .weight_decay = 0.01, .momentum = 0.9},
                               {.lr = 0.1, .alpha = 0.9, .eps = 1e-3, .maximize = true}};
  for (const RmspropStep& step : steps) {
    for (const bool centered : {false, true}) {
      const bool buffer = step.momentum != 0;
      check(
          [&](const auto& kernel, auto& a, std::int64_t n) {
            kernel.rmsprop(a[0], a[1], a[2], centered ? a[3] : nullptr, buffer ? a[4] : nullptr, n, step);
          },
          [&](auto& a, std::int64_t i) {
            rmsprop_element(a[0][i], a[1][i], a[2][i], centered ? a[3] + i : nullptr, buffer ? a[4] + i : nullptr,
                            step);
          });
    }
  }
}

using StepThreads = Threaded;

TEST_F(StepThreads, ChangeNoBit) {
  const std::int64_t n = 300'007;
  const std::vector<float> g = normal(n, 10);
  std::vector<float> start = normal(n, 11);
  for (float& v : start) v = std::fabs(v);
  expect_equal("steps", [&] {
    const Tensor p = from_span(start, n).requires_grad_();
    p.set_grad(from_span(g, n));
    optim::SGD({p}, {.lr = 0.1, .momentum = 0.9}).step();
    optim::Adam({p}, {.lr = 0.1}).step();
    optim::RMSprop({p}, {.lr = 0.1, .momentum = 0.5, .centered = true}).step();
    return p.to_vector<float>();
  });
}

}  // namespace
}  // namespace gradus::test
