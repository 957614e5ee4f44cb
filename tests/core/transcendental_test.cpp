// exp, log, what is made of them, sin, cos and erf on every instruction set: how far from the exact value, the same
// bits everywhere.
#include "kernel_support.hpp"

#include <numbers>

namespace gradus::test {
namespace {

using kernels::Unary;

struct Function {
  const char* name;
  Unary kernel;
  long double (*exact)(long double);
};
constexpr Function all_functions[] = {
    {"exp", Unary::exp, [](long double x) { return std::exp(x); }},
    {"expm1", Unary::expm1, [](long double x) { return std::expm1(x); }},
    {"log", Unary::log, [](long double x) { return std::log(x); }},
    {"log1p", Unary::log1p, [](long double x) { return std::log1p(x); }},
    {"sin", Unary::sin, [](long double x) { return std::sin(x); }},
    {"cos", Unary::cos, [](long double x) { return std::cos(x); }},
    {"erf", Unary::erf, [](long double x) { return std::erf(x); }},
    {"tanh", Unary::tanh, [](long double x) { return std::tanh(x); }},
    {"sigmoid", Unary::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }},
    {"silu", Unary::silu, [](long double x) { return x / (1 + std::exp(-x)); }},
    {"softplus", Unary::softplus, [](long double x) { return x > 20 ? x : std::log1p(std::exp(x)); }},
};

template <class T>
std::vector<T> apply(Isa isa, Unary f, const std::vector<T>& x) {
  Guarded<T> y(static_cast<std::int64_t>(x.size()), 1);
  kernels_of<T>(isa).unary[static_cast<std::size_t>(f)](y.data(), x.data(), static_cast<std::int64_t>(x.size()));
  return y.values();
}

class Transcendental : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Transcendental, testing::ValuesIn(isas()));

/// Numbers of a coarse net over all bit patterns, denormals, infinities and NaN included.
template <class T>
std::vector<T> all_over() {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits step = static_cast<Bits>(-1) / 65537;
  std::vector<T> x;
  for (Bits i = 0; i < 65537; ++i) x.push_back(std::bit_cast<T>(static_cast<Bits>(i * step)));
  for (const double scale : {0.01, 3.0, 300.0}) {
    const std::vector<T> more = normal<T>(20000, 1, 0, scale);
    x.insert(x.end(), more.begin(), more.end());
  }
  const std::vector<T> more = awkward<T>(1000, 1);
  x.insert(x.end(), more.begin(), more.end());
  return x;
}

template <class T>
double worst_ulps(Isa isa, const Function& f, const std::vector<T>& x) {
  const std::vector<T> y = apply(isa, f.kernel, x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool of_sigmoid = f.kernel == Unary::sigmoid || f.kernel == Unary::silu;
    if (of_sigmoid && -x[i] > 709 && sizeof(T) == 8) continue;  // exp(-x) overflows, as in PyTorch
    const double error = ulps(y[i], f.exact(x[i]));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}

TEST_P(Transcendental, FloatsAreWithin051Ulp) {
  const auto x = all_over<float>();
  for (const Function& f : all_functions) EXPECT_LE(worst_ulps(GetParam(), f, x), 0.51) << f.name;
}

TEST_P(Transcendental, DoublesAreWithinAFewUlps) {
  const auto x = all_over<double>();
  for (const Function& f : all_functions) {
    const bool direct = f.kernel == Unary::exp || f.kernel == Unary::log;  // the others round two or three times more
    EXPECT_LE(worst_ulps(GetParam(), f, x), direct ? 1 : 2.5) << f.name;
  }
}

TEST_P(Transcendental, HasTheSameBitsAsPlain) {
  for_both_widths([&]<class T>(T*) {
    const auto x = all_over<T>();
    for (const Function& f : all_functions) {
      EXPECT_TRUE(same_bits(apply(GetParam(), f.kernel, x), apply(reference(), f.kernel, x))) << f.name;
    }
  });
}

TEST_P(Transcendental, KnowsItsSpecialValues) {
  for_both_widths([&]<class T>(T*) {
    const auto at = [&](Unary f, double x) { return apply<T>(GetParam(), f, {static_cast<T>(x)})[0]; };
    EXPECT_EQ(at(Unary::exp, 0), 1);
    EXPECT_EQ(at(Unary::exp, -INFINITY), 0);
    EXPECT_EQ(at(Unary::exp, INFINITY), INFINITY);
    EXPECT_EQ(at(Unary::log, 1), 0);
    EXPECT_EQ(at(Unary::log, 0), -INFINITY);
    EXPECT_EQ(at(Unary::log, -0.0), -INFINITY);
    EXPECT_EQ(at(Unary::log, INFINITY), INFINITY);
    EXPECT_TRUE(std::isnan(at(Unary::log, -1)));
    EXPECT_TRUE(std::signbit(at(Unary::tanh, -0.0)));
    EXPECT_EQ(at(Unary::tanh, -INFINITY), -1);
    EXPECT_EQ(at(Unary::sigmoid, 0), 0.5f);
    EXPECT_EQ(at(Unary::sigmoid, -INFINITY), 0);
    EXPECT_EQ(at(Unary::sigmoid, INFINITY), 1);
    EXPECT_TRUE(std::signbit(at(Unary::expm1, -0.0)) && std::signbit(at(Unary::log1p, -0.0)));
    EXPECT_EQ(at(Unary::expm1, -INFINITY), -1);
    EXPECT_EQ(at(Unary::expm1, INFINITY), INFINITY);
    EXPECT_EQ(at(Unary::log1p, -1), -INFINITY);
    EXPECT_EQ(at(Unary::log1p, INFINITY), INFINITY);
    EXPECT_TRUE(std::isnan(at(Unary::log1p, -1.5)));
    EXPECT_TRUE(std::signbit(at(Unary::sin, -0.0)) && std::signbit(at(Unary::erf, -0.0)));
    EXPECT_EQ(at(Unary::cos, -0.0), 1);
    for (const Unary f : {Unary::sin, Unary::cos}) {
      EXPECT_TRUE(std::isnan(at(f, INFINITY)) && std::isnan(at(f, -INFINITY)));
    }
    EXPECT_EQ(at(Unary::erf, INFINITY), 1);
    EXPECT_EQ(at(Unary::erf, -INFINITY), -1);
    EXPECT_TRUE(std::isnan(at(Unary::silu, -INFINITY))) << "-infinity times 0, as in PyTorch";
    EXPECT_EQ(at(Unary::silu, INFINITY), INFINITY);
    EXPECT_EQ(at(Unary::softplus, -INFINITY), 0);
    EXPECT_EQ(at(Unary::softplus, INFINITY), INFINITY);
    for (const Function& f : all_functions) EXPECT_TRUE(std::isnan(at(f.kernel, NAN))) << f.name;
  });
}

TEST_P(Transcendental, SineKeepsItsDigitsNearItsZerosAndIsKnownForEveryFiniteNumber) {
  for_both_widths([&]<class T>(T*) {
    std::vector<T> x{T(1e9), T(1e22), std::numeric_limits<T>::max()};
    for (int k = 1; k < 1'050'000; k += 1 + k / 64) {  // to both sides of 0x1.8p20, where the library takes over
      const T multiple = static_cast<T>(k * (std::numbers::pi_v<long double> / 2));
      for (const T near : {std::nextafter(multiple, T(0)), multiple, std::nextafter(multiple, T(INFINITY))}) {
        x.insert(x.end(), {near, -near});
      }
    }
    for (const Function& f : all_functions) {
      if (f.kernel != Unary::sin && f.kernel != Unary::cos) continue;
      EXPECT_LE(worst_ulps(GetParam(), f, x), sizeof(T) == 4 ? 0.51 : 1) << f.name;
    }
  });
}

TEST_P(Transcendental, StaysInsideItsArrays) {
  for_both_widths([&]<class T>(T*) {
    for (const Function& f : all_functions) {
      for (const std::int64_t n : usual_lengths) apply(GetParam(), f.kernel, awkward<T>(n, 2));
    }
  });
}

TEST_P(Transcendental, EluIsRoundedOnceAndItsDerivativeIsThatOfTheFormula) {
  for_both_widths([&]<class T>(T*) {
    const std::vector<T> x = all_over<T>(), dy = normal<T>(std::ssize(x), 7), e = apply(GetParam(), Unary::exp, x);
    Guarded<T> y(std::ssize(x), 1), dx(std::ssize(x), 1);
    kernels_of<T>(GetParam()).elu(y.data(), x.data(), 1.5, std::ssize(x));
    kernels_of<T>(GetParam()).elu_backward(dx.data(), dy.data(), x.data(), 1.5, std::ssize(x));
    std::vector<T> slope;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double v = x[i];
      EXPECT_LE(ulps(y[i], v > 0 ? v : 1.5L * std::expm1(v)), sizeof(T) == 4 ? 0.51 : 3) << x[i];
      slope.push_back(dy[i] * (x[i] > 0 ? 1 : e[i] * T(1.5)));
    }
    EXPECT_TRUE(same_bits(dx.values(), slope));
  });
}

}  // namespace
}  // namespace gradus::test
