// gelu and its derivative on every instruction set: how far from the exact value, the same bits everywhere.
#include "kernel_support.hpp"

namespace gradus::test {
namespace {

using kernels::Binary;
using kernels::Unary;

class Gelu : public testing::TestWithParam<Isa> {
 protected:
  template <class T>
  std::vector<T> forward(const std::vector<T>& x, Isa isa) const {
    Guarded<T> y(static_cast<std::int64_t>(x.size()), 1);
    kernels_of<T>(isa).unary[static_cast<std::size_t>(Unary::gelu)](y.data(), x.data(),
                                                                    static_cast<std::int64_t>(x.size()));
    return y.values();
  }
  template <class T>
  std::vector<T> backward(const std::vector<T>& dy, const std::vector<T>& x, Isa isa) const {
    const auto n = static_cast<std::int64_t>(x.size());
    Guarded<T> dx(n, 1);
    const auto kernel = kernels_of<T>(isa).binary[static_cast<std::size_t>(Binary::gelu_backward)];
    kernel(dx.data(), {dy.data(), 0, 1}, {x.data(), 0, 1}, 1, n);
    return dx.values();
  }
  template <class T>
  static std::vector<T> numbers() {
    std::vector<T> x{0, T(1e-30), T(-1e-30), 12, -12};
    for (int i = -20'000; i <= 20'000; ++i) x.push_back(static_cast<T>(i) / T(5000.7));
    for (const double scale : {0.01, 1.0, 4.0}) {
      const std::vector<T> more = normal<T>(5000, 3, 0, scale);
      x.insert(x.end(), more.begin(), more.end());
    }
    return x;
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Gelu, testing::ValuesIn(isas()));

long double distribution(long double x) { return std::erfc(-x / std::sqrt(2.0L)) / 2; }

TEST_P(Gelu, IsWithinAFewUlps) {
  for_both_widths([&]<class T>(T*) {
    const std::vector<T> x = numbers<T>(), y = forward(x, GetParam());
    const double most = sizeof(T) == 4 ? 8 : 4.5;
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_LE(ulps(y[i], x[i] * distribution(x[i])), most) << "at " << x[i];
  });
}

TEST_P(Gelu, DerivativeIsExactBesideItsTerms) {
  for_both_widths([&]<class T>(T*) {
    const std::vector<T> x = numbers<T>(), dy = normal<T>(static_cast<std::int64_t>(x.size()), 5);
    const std::vector<T> dx = backward(dy, x, GetParam());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const long double v = x[i], density = std::exp(-v * v / 2) / std::sqrt(2 * std::acos(-1.0L));
      const long double terms = distribution(v) + std::fabs(v * density);
      const double tolerance = 6 * static_cast<double>(std::numeric_limits<T>::epsilon() * terms * std::fabs(dy[i]));
      EXPECT_NEAR(dx[i], static_cast<double>(dy[i] * (distribution(v) + v * density)), tolerance + 1e-44) << "at " << v;
    }
  });
}

TEST_P(Gelu, HasTheSameBitsAsPlainAndPyTorchsLimits) {
  for_both_widths([&]<class T>(T*) {
    const std::vector<T> x = awkward<T>(2000, 4), dy = normal<T>(2000, 5);
    EXPECT_TRUE(same_bits(forward(x, GetParam()), forward(x, reference())));
    EXPECT_TRUE(same_bits(backward(dy, x, GetParam()), backward(dy, x, reference())));
    const std::vector<T> y = forward<T>({INFINITY, -INFINITY, NAN, 100, -100}, GetParam());
    EXPECT_EQ(y[0], INFINITY);
    EXPECT_TRUE(std::isnan(y[1]) && std::isnan(y[2])) << "-infinity times 0 is NaN, as in PyTorch";
    EXPECT_EQ(y[3], 100);
    EXPECT_EQ(y[4], 0);
  });
}

}  // namespace
}  // namespace gradus::test
