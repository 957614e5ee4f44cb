// exp, log, tanh and sigmoid on every instruction set: within 0.51 ulp of the exact value, the same bits everywhere.
#include "kernel_support.hpp"

namespace gradus::test {
namespace {

struct Function {
  const char* name;
  Table::Unary* Table::*kernel;
  long double (*exact)(long double);
};
constexpr Function kFunctions[] = {
    {"exp", &Table::exp, [](long double x) { return std::exp(x); }},
    {"log", &Table::log, [](long double x) { return std::log(x); }},
    {"tanh", &Table::tanh, [](long double x) { return std::tanh(x); }},
    {"sigmoid", &Table::sigmoid, [](long double x) { return 1 / (1 + std::exp(-x)); }},
};

class Transcendental : public testing::TestWithParam<Isa> {
 protected:
  const Table& table = *kernels::table_for(GetParam());

  std::vector<float> apply(const Function& f, const std::vector<float>& x) const {
    Guarded y(static_cast<std::int64_t>(x.size()), 1);
    (table.*f.kernel)(y.data(), x.data(), static_cast<std::int64_t>(x.size()));
    return y.values();
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Transcendental, testing::ValuesIn(isas()));

/// Every float of a coarse net over all bit patterns, denormals, infinities and NaN included.
std::vector<float> all_over() {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 65521) {
    x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  const std::vector<float> more = awkward(20000, 1);
  x.insert(x.end(), more.begin(), more.end());
  return x;
}

TEST_P(Transcendental, IsWithin051Ulp) {
  const std::vector<float> x = all_over();
  for (const Function& f : kFunctions) {
    const std::vector<float> y = apply(f, x);
    double worst = 0;
    std::size_t where = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double error = ulps(y[i], f.exact(x[i]));
      if (!(error <= worst)) worst = error, where = i;
    }
    EXPECT_LE(worst, 0.51) << f.name << "(" << x[where] << ") = " << y[where];
  }
}

TEST_P(Transcendental, HasTheSameBitsAsPlain) {
  const std::vector<float> x = all_over();
  for (const Function& f : kFunctions) {
    std::vector<float> plain(x.size());
    (kernels::table_for(Isa::plain)->*f.kernel)(plain.data(), x.data(), static_cast<std::int64_t>(x.size()));
    EXPECT_TRUE(same_bits(apply(f, x), plain)) << f.name;
  }
}

TEST_P(Transcendental, KnowsItsSpecialValues) {
  const auto at = [&](Table::Unary* Table::*kernel, float x) {
    float y = 0;
    (table.*kernel)(&y, &x, 1);
    return y;
  };
  EXPECT_EQ(at(&Table::exp, 0), 1);
  EXPECT_EQ(at(&Table::exp, -INFINITY), 0);
  EXPECT_EQ(at(&Table::exp, INFINITY), INFINITY);
  EXPECT_EQ(at(&Table::log, 1), 0);
  EXPECT_EQ(at(&Table::log, 0), -INFINITY);
  EXPECT_EQ(at(&Table::log, -0.0f), -INFINITY);
  EXPECT_TRUE(std::isnan(at(&Table::log, -1)));
  EXPECT_TRUE(std::signbit(at(&Table::tanh, -0.0f)));
  EXPECT_EQ(at(&Table::tanh, -INFINITY), -1);
  EXPECT_EQ(at(&Table::sigmoid, 0), 0.5f);
  EXPECT_EQ(at(&Table::sigmoid, -INFINITY), 0);
  EXPECT_EQ(at(&Table::sigmoid, INFINITY), 1);
  for (const Function& f : kFunctions) EXPECT_TRUE(std::isnan(at(f.kernel, NAN))) << f.name;
}

TEST_P(Transcendental, StaysInsideItsArrays) {
  for (const Function& f : kFunctions) {
    for (const std::int64_t n : kLengths) apply(f, awkward(n, 2));
  }
}

}  // namespace
}  // namespace gradus::test
