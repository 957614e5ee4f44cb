// Optimiser steps on every instruction set against the same step on one element, bit for bit.
#include "kernel_support.hpp"

#include <array>

namespace gradus::test {
namespace {

using kernels::AdamStep;
using kernels::RmspropStep;
using kernels::SgdStep;

float rounded(double value) { return static_cast<float>(value); }

float with_decay(float g, float p, bool maximize, double decay) {
  if (maximize) g = -g;
  return decay != 0 ? std::fma(rounded(decay), p, g) : g;
}

void sgd_element(float& p, float g, float* b, const SgdStep& s) {
  float d = with_decay(g, p, s.maximize, s.weight_decay);
  if (b) {
    const float kept = rounded(s.momentum) * *b;
    *b = s.first ? d : std::fma(rounded(1 - s.dampening), d, kept);
    d = s.nesterov ? std::fma(rounded(s.momentum), *b, d) : *b;
  }
  p = std::fma(rounded(-s.lr), d, p);
}

void adam_element(float& p, float g, float& m, float& v, float* most, const AdamStep& s) {
  if (s.decoupled) p *= rounded(1 - s.lr * s.weight_decay);
  const float d = with_decay(g, p, s.maximize, s.decoupled ? 0 : s.weight_decay);
  m *= rounded(s.beta1);
  m = std::fma(rounded(1 - s.beta1), d, m);
  v *= rounded(s.beta2);
  const float scaled = rounded(1 - s.beta2) * d;
  v = std::fma(scaled, d, v);
  float size = v;
  if (most) size = *most = std::max(*most, v);
  const float spread = std::sqrt(size) / rounded(std::sqrt(s.correction2)) + rounded(s.eps);
  const float step = rounded(-(s.lr / s.correction1)) * m;
  p += step / spread;
}

void rmsprop_element(float& p, float g, float& v, float* mean, float* b, const RmspropStep& s) {
  const float d = with_decay(g, p, s.maximize, s.weight_decay);
  v *= rounded(s.alpha);
  const float scaled = rounded(1 - s.alpha) * d;
  v = std::fma(scaled, d, v);
  float size = v;
  if (mean) {
    *mean *= rounded(s.alpha);
    *mean = std::fma(rounded(1 - s.alpha), d, *mean);
    size = std::fma(-*mean, *mean, v);
  }
  const float spread = std::sqrt(size) + rounded(s.eps);
  if (b) {
    *b *= rounded(s.momentum);
    *b += d / spread;
    p = std::fma(rounded(-s.lr), *b, p);
  } else {
    const float step = rounded(-s.lr) * d;
    p += step / spread;
  }
}

/// A parameter, its gradient and up to three arrays of state.
struct Arrays {
  std::array<Guarded<float>, 5> array;
  explicit Arrays(std::int64_t n)
      : array{Guarded<float>(n, 1), Guarded<float>(n, 2), Guarded<float>(n, 3), Guarded<float>(n),
              Guarded<float>(n, 5)} {
    for (std::uint32_t i = 0; i < 5; ++i) {
      std::vector<float> values = normal(n, i + 1);
      if (i >= 2) {
        for (float& v : values) v = i == 2 ? std::fabs(v) + 1 : std::fabs(v) * 0.01f;  // squares are not negative
      }
      array[i].fill(values);
    }
  }
  float* operator[](std::size_t i) { return array[i].data(); }
};

class Steps : public testing::TestWithParam<Isa> {
 protected:
  const Table& table = *kernels::table_for(GetParam());

  template <class Kernel, class Element>
  void check(Kernel kernel, Element element) {
    for (const std::int64_t n : kLengths) {
      Arrays got(n), expected(n);
      for (int repetition = 0; repetition < 2; ++repetition) {
        kernel(got, n);
        for (std::int64_t i = 0; i < n; ++i) element(expected, i);
      }
      for (std::size_t i = 0; i < 5; ++i) {
        EXPECT_TRUE(same_bits(got.array[i].values(), expected.array[i].values())) << "array " << i << " of " << n;
      }
    }
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
    check([&](Arrays& a, std::int64_t n) { table.sgd(a[0], a[1], buffer ? a[2] : nullptr, n, step); },
          [&](Arrays& a, std::int64_t i) { sgd_element(a[0][i], a[1][i], buffer ? a[2] + i : nullptr, step); });
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
      check([&](Arrays& a, std::int64_t n) { table.adam(a[0], a[1], a[2], a[3], amsgrad ? a[4] : nullptr, n, step); },
            [&](Arrays& a, std::int64_t i) {
              adam_element(a[0][i], a[1][i], a[2][i], a[3][i], amsgrad ? a[4] + i : nullptr, step);
            });
    }
  }
}

TEST_P(Steps, AdamCorrectsItsAverages) {
  float p = 1, m = 0, v = 0;
  const float g = 0.5f;
  kernels::adam(&p, &g, &m, &v, nullptr, 1,
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
          [&](Arrays& a, std::int64_t n) {
            table.rmsprop(a[0], a[1], a[2], centered ? a[3] : nullptr, buffer ? a[4] : nullptr, n, step);
          },
          [&](Arrays& a, std::int64_t i) {
            rmsprop_element(a[0][i], a[1][i], a[2][i], centered ? a[3] + i : nullptr, buffer ? a[4] + i : nullptr,
                            step);
          });
    }
  }
}

}  // namespace
}  // namespace gradus::test
