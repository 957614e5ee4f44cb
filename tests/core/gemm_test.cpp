#include "ops/gemm.hpp"

#include "kernel_support.hpp"
#include "ops/blocked_gemm.hpp"

#include <gradus/core/error.hpp>
#include <gradus/core/parallel.hpp>

namespace gradus::test {
namespace {

using detail::gemm;

struct Sizes {
  std::int64_t m, n, k;
};
constexpr Sizes all_sizes[] = {{1, 1, 1},   {1, 5, 3},    {5, 1, 3},    {2, 3, 4},      {7, 11, 13},
                               {32, 2, 16}, {60, 10, 64}, {1, 100, 64}, {130, 129, 65}, {300, 140, 70}};

template <class T>
std::vector<T> random(std::int64_t n, std::uint32_t seed) {
  const std::vector<float> x = normal(n, seed);
  return {x.begin(), x.end()};
}

/// Runs `multiply(trans_a, trans_b, m, n, k, a, b, beta, c)` and compares every element with its definition.
template <class T, class Multiply>
void expect_product(Sizes s, bool trans_a, bool trans_b, T beta, Multiply multiply) {
  SCOPED_TRACE(testing::Message() << s.m << "x" << s.n << "x" << s.k << (trans_a ? " T" : " N") << (trans_b ? "T" : "N")
                                  << ", beta " << beta);
  const std::vector<T> a = random<T>(s.m * s.k, 1), b = random<T>(s.k * s.n, 2), start = random<T>(s.m * s.n, 3);
  Guarded<T> c(s.m * s.n, 1);
  c.fill(beta == 0 ? std::vector<T>(start.size(), std::numeric_limits<T>::quiet_NaN()) : start);
  multiply(trans_a, trans_b, s.m, s.n, s.k, a.data(), b.data(), beta, c.data());
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      long double exact = beta == 0 ? 0 : static_cast<long double>(beta) * start[i * s.n + j], size = std::fabs(exact);
      for (std::int64_t p = 0; p < s.k; ++p) {
        const long double term = static_cast<long double>(trans_a ? a[p * s.m + i] : a[i * s.k + p]) *
                                 (trans_b ? b[j * s.k + p] : b[p * s.n + j]);
        exact += term;
        size += std::fabs(term);
      }
      ASSERT_NEAR(c[i * s.n + j], static_cast<double>(exact),
                  static_cast<double>(4 * std::numeric_limits<T>::epsilon() * (size + 1)))
          << "row " << i << ", column " << j;
    }
  }
}

template <class T>
class Gemm : public testing::Test {
 protected:
  ~Gemm() override { set_num_threads(before_); }

 private:
  int before_ = get_num_threads();
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemm, Types);

TYPED_TEST(Gemm, IsTheProductWhateverIsTransposed) {
  for (const int threads : {1, 3}) {
    set_num_threads(threads);
    for (const Sizes sizes : all_sizes) {
      for (const bool trans_a : {false, true}) {
        for (const bool trans_b : {false, true}) {
          for (const TypeParam beta : {TypeParam(0), TypeParam(1), TypeParam(-0.5)}) {
            expect_product<TypeParam>(sizes, trans_a, trans_b, beta, [](auto... arguments) { gemm(arguments...); });
          }
        }
      }
    }
  }
}

TYPED_TEST(Gemm, BuiltInProductIsThatToo) {
  for (const Sizes sizes : all_sizes) {
    for (const bool trans_a : {false, true}) {
      for (const bool trans_b : {false, true}) {
        for (const TypeParam beta : {TypeParam(0), TypeParam(1), TypeParam(-0.5)}) {
          expect_product<TypeParam>(
              sizes, trans_a, trans_b, beta,
              [](bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const TypeParam* a,
                 const TypeParam* b, TypeParam beta_, TypeParam* c) {
                detail::blocked_gemm<TypeParam>({ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, beta_, c, n});
              });
        }
      }
    }
  }
}

TYPED_TEST(Gemm, NothingToAddLeavesScaledResult) {
  const TypeParam a[1] = {}, b[1] = {};
  TypeParam c[6] = {1, 2, 3, 4, 5, NAN};
  gemm(false, false, 2, 3, 0, a, b, TypeParam(2), c);
  EXPECT_EQ(c[0], 2);
  EXPECT_EQ(c[4], 10);
  gemm(false, true, 2, 3, 0, a, b, TypeParam(0), c);
  for (const TypeParam value : c) EXPECT_EQ(value, 0);
  gemm(true, false, 1, 6, 0, a, b, TypeParam(0), c);
  gemm(false, false, 0, 3, 2, a, b, TypeParam(0), c);
  gemm(false, false, 2, 0, 2, a, b, TypeParam(0), c);
}

TYPED_TEST(Gemm, SizesBeyondBlasAreRefused) {
  if (detail::blas_name() == "built-in") GTEST_SKIP() << "which has no such limit";
  TypeParam c[1] = {5};
  const std::int64_t huge = std::int64_t{1} << 31;
  try {
    gemm(false, false, 2, 1, huge, c, c, TypeParam(0), c);
    FAIL();
  } catch (const ValueError& error) {
    EXPECT_EQ(std::string(error.what()).substr(0, 70),
              "matmul: BLAS counts up to 2147483647, got (2, 2147483648) times (21474");
  }
  EXPECT_EQ(c[0], 5);
}

TYPED_TEST(Gemm, NanAndInfinityGoThrough) {
  const TypeParam a[4] = {1, 2, NAN, 0}, b[4] = {1, INFINITY, 0, 1};  // (2, 2)
  TypeParam c[4];
  gemm(false, false, 2, 2, 2, a, b, TypeParam(0), c);
  EXPECT_EQ(c[0], 1);
  EXPECT_EQ(c[1], INFINITY);
  EXPECT_TRUE(std::isnan(c[2]) && std::isnan(c[3]));
}

}  // namespace
}  // namespace gradus::test
