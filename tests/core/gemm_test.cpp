#include "ops/gemm.hpp"

#include "kernel_support.hpp"

#include <gradus/core/error.hpp>
#include <gradus/core/parallel.hpp>

#include <cstdlib>
#include <iostream>

#ifdef __linux__
#include <unistd.h>
#endif

namespace gradus::test {
namespace {

using detail::gemm;

struct Sizes {
  std::int64_t m, n, k;
};
constexpr Sizes all_sizes[] = {{1, 1, 1},      {1, 5, 3},      {5, 1, 3},    {2, 3, 4},      {7, 11, 13},
                               {32, 2, 16},    {60, 10, 64},   {1, 100, 64}, {130, 129, 65}, {300, 140, 70},
                               {20, 33, 600},  {9, 1, 40},     {5, 4, 33},   {3, 2, 300},    {200, 17, 300},
                               {1, 1100, 270}, {1100, 1, 270}, {4, 33, 20},  {530, 4, 260},  {37, 3, 24}};

template <class T>
std::vector<T> random(std::int64_t n, std::uint32_t seed) {
  const std::vector<float> x = normal(n, seed);
  return {x.begin(), x.end()};
}

/// Runs `multiply(trans_a, trans_b, m, n, k, a, b, bias, c)` and compares every element with its definition.
template <class T, class Multiply>
void expect_product(Sizes s, bool trans_a, bool trans_b, bool has_bias, Multiply multiply) {
  SCOPED_TRACE(testing::Message() << s.m << "x" << s.n << "x" << s.k << (trans_a ? " T" : " N") << (trans_b ? "T" : "N")
                                  << (has_bias ? ", bias" : ""));
  const std::vector<T> a = random<T>(s.m * s.k, 1), b = random<T>(s.k * s.n, 2), bias = random<T>(s.n, 3);
  Guarded<T> c(s.m * s.n, 1);
  c.fill(std::vector<T>(s.m * s.n, std::numeric_limits<T>::quiet_NaN()));
  multiply(trans_a, trans_b, s.m, s.n, s.k, a.data(), b.data(), has_bias ? bias.data() : nullptr, c.data());
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      long double exact = has_bias ? bias[j] : T(0), size = std::fabs(exact);
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
          for (const bool has_bias : {false, true}) {
            expect_product<TypeParam>(sizes, trans_a, trans_b, has_bias,
                                      [](auto... arguments) { gemm<TypeParam>(arguments...); });
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
        for (const bool has_bias : {false, true}) {
          expect_product<TypeParam>(
              sizes, trans_a, trans_b, has_bias,
              [](bool ta, bool tb, std::int64_t m, std::int64_t n, std::int64_t k, const TypeParam* a,
                 const TypeParam* b, const TypeParam* bias, TypeParam* c) {
                kernels::matmul<TypeParam>({ta, tb, m, n, k, a, ta ? m : k, b, tb ? k : n, bias, c, n});
              });
        }
      }
    }
  }
}

TYPED_TEST(Gemm, NothingToAddLeavesTheBias) {
  const TypeParam a[1] = {}, b[1] = {}, bias[3] = {1, 2, 3};
  for (const bool trans_a : {false, true}) {
    for (const bool trans_b : {false, true}) {
      for (const std::int64_t m : {1, 2}) {
        for (const TypeParam* added : {static_cast<const TypeParam*>(nullptr), bias}) {
          TypeParam c[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
          gemm<TypeParam>(trans_a, trans_b, m, 3, 0, a, b, added, c);
          for (std::int64_t i = 0; i < 3 * m; ++i) EXPECT_EQ(c[i], added ? bias[i % 3] : 0);
        }
      }
    }
  }
  gemm<TypeParam>(false, false, 0, 3, 2, a, b, nullptr, nullptr);
  gemm<TypeParam>(false, false, 2, 0, 2, a, b, nullptr, nullptr);
}

TYPED_TEST(Gemm, SizesBeyondBlasAreRefused) {
  if (detail::blas_name() == "built-in") GTEST_SKIP() << "which has no such limit";
  TypeParam c[1] = {5};
  const std::int64_t huge = std::int64_t{1} << 31;
  try {
    gemm<TypeParam>(false, false, 2, 1, huge, c, c, nullptr, c);
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
  gemm<TypeParam>(false, false, 2, 2, 2, a, b, nullptr, c);
  EXPECT_EQ(c[0], 1);
  EXPECT_EQ(c[1], INFINITY);
  EXPECT_TRUE(std::isnan(c[2]) && std::isnan(c[3]));
}

#ifdef __linux__

TEST(Blas, DISABLED_SaysItsName) {
  std::cerr << detail::blas_name();
  std::exit(0);
}

/// OpenBLAS chooses its kernels when it is loaded: in a process of its own.
void say_name(const char* blas_kernels, const char* ours) {
  setenv("OPENBLAS_CORETYPE", blas_kernels, 1);
  setenv("GRADUS_ISA", ours, 1);
  execl("/proc/self/exe", "core_gemm_test", "--gtest_filter=*SaysItsName", "--gtest_also_run_disabled_tests", nullptr);
}

TEST(Blas, ThatDoesNotKnowTheProcessorIsNotUsed) {
  if (detail::blas_name() == "built-in" || !kernels::supported(kernels::Isa::avx2))
    GTEST_SKIP() << "needs OpenBLAS, AVX2";
  const auto fine = testing::ExitedWithCode(0);
  const char* not_used = "OpenBLAS .+, which does not know this processor: built-in$";
  for (const char* old : {"Prescott", "Nehalem", "Sandybridge", "Opteron_SSE3", "Bobcat", "Nano", "Piledriver"}) {
    EXPECT_EXIT(say_name(old, "avx2"), fine, not_used);
  }
  EXPECT_EXIT(say_name("Haswell", "avx2"), fine, R"(OpenBLAS .+ \(Haswell\)$)");
  if (!kernels::supported(kernels::Isa::avx512)) return;
  for (const char* old : {"Prescott", "Steamroller", "Excavator", "Haswell", "Zen"}) {
    EXPECT_EXIT(say_name(old, "avx512"), fine, not_used);
  }
  EXPECT_EXIT(say_name("SkylakeX", "avx512"), fine, R"(OpenBLAS .+ \(SkylakeX\)$)");
}

#endif

}  // namespace
}  // namespace gradus::test
