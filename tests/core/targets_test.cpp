// Plain loops give the same on every instruction set.
#include "kernels/targets.hpp"

#include "kernel_support.hpp"

namespace gradus::test {
namespace {

/// f() with the instructions of one of isas().
template <class F>
void run_on(Isa isa, F f) {
  [=]<Isa... isas>(kernels::IsaList<isas...>) { ((isa == isas ? kernels::Target<isas>::run(f) : void()), ...); }
  (kernels::Built());
}

class Targets : public testing::TestWithParam<Isa> {
 protected:
  /// Expects y[i] = f(x[i]).
  template <class R, class T, class F>
  void expect_loop(const std::vector<T>& x, F f) {
    const auto n = static_cast<std::int64_t>(x.size());
    std::vector<R> y(x.size());
    run_on(GetParam(), [n, f, to = y.data(), from = x.data()] {
      for (std::int64_t i = 0; i < n; ++i) to[i] = f(from[i]);
    });
    for (std::int64_t i = 0; i < n; ++i) ASSERT_EQ(y[i], f(x[i])) << i << " of " << n << ", x = " << x[i];
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Targets, testing::ValuesIn(isas()));

TEST_P(Targets, GiveTheSame) {
  for (const std::int64_t n : usual_lengths) {
    const std::vector<double> x = awkward<double>(n, 3);
    std::vector<std::int64_t> integers;
    for (const double v : normal<double>(n, 4, 0, 0x1p59)) integers.push_back(static_cast<std::int64_t>(v));
    expect_loop<unsigned char>(x, [](double v) -> unsigned char { return v < 0.5; });
    expect_loop<std::int64_t>(x, [](double v) { return static_cast<std::int64_t>(std::abs(v) < 1e9 ? v : -7); });
    expect_loop<unsigned char>(integers, [](std::int64_t v) -> unsigned char { return v > -9; });
    expect_loop<double>(integers, [](std::int64_t v) { return static_cast<double>(v); });
    expect_loop<float>(integers, [](std::int64_t v) { return static_cast<float>(v); });
    expect_loop<std::int64_t>(integers, [](std::int64_t v) { return std::clamp<std::int64_t>(v, -5, 1 << 30); });
    expect_loop<double>(integers, [](std::int64_t v) { return 0.1 + 0.3 * static_cast<double>(v); });  // not fused
  }
}

TEST(RunVectorised, RunsOnce) {
  int runs = 0;
  kernels::run_vectorised([&runs] { ++runs; });
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace gradus::test
