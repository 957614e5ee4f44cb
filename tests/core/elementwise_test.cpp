// Every elementwise kernel on every instruction set, at awkward lengths and offsets, against the same operation on one
// float, bit for bit.
#include "kernel_support.hpp"

#include <functional>
#include <string>

namespace gradus::test {
namespace {

float larger(float a, float b) { return a != a ? a : b != b ? b : a > b ? a : b; }
float smaller(float a, float b) { return a != a ? a : b != b ? b : b > a ? a : b; }

struct Case {
  std::string name;
  std::function<void(const Table&, float* y, const float* a, const float* b, std::int64_t n)> run;
  std::function<float(float a, float b)> expected;
};

constexpr float kScalar = 0.7f;

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto binary = [&](const char* name, Table::Binary* Table::*kernel, float (*f)(float, float)) {
    all.push_back({name, [=](auto& t, auto y, auto a, auto b, auto n) { (t.*kernel)(y, a, b, n); }, f});
  };
  const auto scalar = [&](const char* name, Table::Scalar* Table::*kernel, float (*f)(float, float)) {
    all.push_back({name, [=](auto& t, auto y, auto a, auto, auto n) { (t.*kernel)(y, a, kScalar, n); },
                   [=](float a, float) { return f(a, kScalar); }});
  };
  const auto unary = [&](const char* name, Table::Unary* Table::*kernel, float (*f)(float)) {
    all.push_back({name, [=](auto& t, auto y, auto a, auto, auto n) { (t.*kernel)(y, a, n); },
                   [=](float a, float) { return f(a); }});
  };
  binary("add", &Table::add, [](float a, float b) { return a + b; });
  binary("sub", &Table::sub, [](float a, float b) { return a - b; });
  binary("mul", &Table::mul, [](float a, float b) { return a * b; });
  binary("div", &Table::div, [](float a, float b) { return a / b; });
  binary("maximum", &Table::maximum, larger);
  binary("minimum", &Table::minimum, smaller);
  binary("relu_backward", &Table::relu_backward, [](float dy, float y) { return y <= 0 ? 0 : dy; });
  scalar("add_scalar", &Table::add_scalar, [](float a, float s) { return a + s; });
  scalar("sub_scalar", &Table::sub_scalar, [](float a, float s) { return a - s; });
  scalar("mul_scalar", &Table::mul_scalar, [](float a, float s) { return a * s; });
  scalar("div_scalar", &Table::div_scalar, [](float a, float s) { return a / s; });
  scalar("maximum_scalar", &Table::maximum_scalar, larger);
  scalar("minimum_scalar", &Table::minimum_scalar, smaller);
  scalar("scalar_sub", &Table::scalar_sub, [](float a, float s) { return s - a; });
  scalar("scalar_div", &Table::scalar_div, [](float a, float s) { return s / a; });
  scalar("leaky_relu", &Table::leaky_relu, [](float a, float s) { return a > 0 ? a : a * s; });
  unary("neg", &Table::neg, [](float a) { return -a; });
  unary("abs", &Table::abs, [](float a) { return std::fabs(a); });
  unary("sqrt", &Table::sqrt, [](float a) { return std::sqrt(a); });
  unary("rsqrt", &Table::rsqrt, [](float a) { return 1 / std::sqrt(a); });
  unary("square", &Table::square, [](float a) { return a * a; });
  unary("relu", &Table::relu, [](float a) { return a < 0 ? 0 : a; });
  all.push_back({"leaky_relu_backward",
                 [](auto& t, auto y, auto a, auto b, auto n) { t.leaky_relu_backward(y, a, b, kScalar, n); },
                 [](float dy, float x) { return x > 0 ? dy : dy * kScalar; }});
  all.push_back({"fill", [](auto& t, auto y, auto, auto, auto n) { t.fill(y, kScalar, n); },
                 [](float, float) { return kScalar; }});
  return all;
}

class Elementwise : public testing::TestWithParam<Isa> {
 protected:
  const Table& table = *kernels::table_for(GetParam());
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Elementwise, testing::ValuesIn(isas()));

TEST_P(Elementwise, IsTheOperationOnEachElement) {
  for (const Case& c : cases()) {
    for (const std::int64_t n : kLengths) {
      for (const std::int64_t offset : {0, 1, 5}) {
        const std::vector<float> x = awkward(n, 1), z = awkward(n, 2);
        std::vector<float> expected;
        for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(c.expected(x[i], z[i]));
        Guarded a(n, offset), b(n, 2 * offset), y(n, 3 * offset);
        a.fill(x), b.fill(z);
        c.run(table, y.data(), a.data(), b.data(), n);
        EXPECT_TRUE(same_bits(y.values(), expected)) << c.name << ", " << n << " elements, offset " << offset;
        EXPECT_TRUE(same_bits(a.values(), x) && same_bits(b.values(), z)) << c.name << " changed an operand";
      }
    }
  }
}

TEST_P(Elementwise, OutputMayBeAnOperand) {
  for (const Case& c : cases()) {
    const std::vector<float> x = awkward(45, 3), z = awkward(45, 4);
    std::vector<float> expected;
    for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(c.expected(x[i], z[i]));
    std::vector<float> a = x, b = z;
    c.run(table, a.data(), a.data(), b.data(), 45);
    EXPECT_TRUE(same_bits(a, expected)) << c.name << " into the first operand";
    c.run(table, b.data(), x.data(), b.data(), 45);
    EXPECT_TRUE(same_bits(b, expected)) << c.name << " into the second operand";
  }
}

TEST_P(Elementwise, RowsMeetEveryRow) {
  struct {
    Table::Row* Table::*kernel;
    float (*f)(float, float);
  } const operations[] = {{&Table::add_row, [](float a, float b) { return a + b; }},
                          {&Table::sub_row, [](float a, float b) { return a - b; }},
                          {&Table::mul_row, [](float a, float b) { return a * b; }},
                          {&Table::div_row, [](float a, float b) { return a / b; }}};
  for (const auto& [kernel, f] : operations) {
    for (const std::int64_t cols : kLengths) {
      const std::int64_t rows = 3;
      const std::vector<float> x = awkward(rows * cols, 5), r = awkward(cols, 6);
      std::vector<float> expected;
      for (std::int64_t i = 0; i < rows * cols; ++i) expected.push_back(f(x[i], r[i % cols]));
      Guarded y(rows * cols, 3);
      (table.*kernel)(y.data(), x.data(), r.data(), rows, cols);
      EXPECT_TRUE(same_bits(y.values(), expected)) << cols << " columns";
    }
  }
}

TEST_P(Elementwise, AxpyRoundsTwice) {
  for (const std::int64_t n : kLengths) {
    const std::vector<float> x = awkward(n, 7), start = awkward(n, 8);
    Guarded y(n, 1);
    y.fill(start);
    table.axpy(y.data(), x.data(), kScalar, n);
    std::vector<float> expected;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const float product = kScalar * x[i];
      expected.push_back(start[i] + product);
    }
    EXPECT_TRUE(same_bits(y.values(), expected)) << n;
  }
}

}  // namespace
}  // namespace gradus::test
