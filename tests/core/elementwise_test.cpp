// Every elementwise kernel on every instruction set, at awkward lengths and offsets, against the same operation on one
// number, bit for bit.
#include "kernel_support.hpp"

#include <gradus/core/create.hpp>
#include <gradus/core/ops.hpp>

#include <functional>
#include <string>

namespace gradus::test {
namespace {

using kernels::Binary;
using kernels::Operand;
using kernels::Unary;

template <class T>
struct Case {
  std::string name;
  Binary binary;
  Unary unary;
  std::function<T(T a, T b)> expected;

  void run(Isa isa, T* y, const T* a, const T* b, std::int64_t n) const {
    const kernels::Kernels<T>& kernels = kernels_of<T>(isa);
    if (unary == Unary::count) {
      kernels.binary[static_cast<std::size_t>(binary)](y, {a, 0, 1}, {b, 0, 1}, 1, n);
    } else {
      kernels.unary[static_cast<std::size_t>(unary)](y, a, n);
    }
  }
};

template <class T>
std::vector<Case<T>> binary_cases() {
  std::vector<Case<T>> all;
  const auto add = [&](const char* name, Binary f, T (*expected)(T, T)) {
    all.push_back({name, f, Unary::count, expected});
  };
  add("add", Binary::add, [](T a, T b) { return a + b; });
  add("sub", Binary::sub, [](T a, T b) { return a - b; });
  add("mul", Binary::mul, [](T a, T b) { return a * b; });
  add("div", Binary::div, [](T a, T b) { return a / b; });
  add("maximum", Binary::maximum, [](T a, T b) { return a != a ? a : b != b ? b : a > b ? a : b; });
  add("minimum", Binary::minimum, [](T a, T b) { return a != a ? a : b != b ? b : b > a ? a : b; });
  add("leaky_relu", Binary::leaky_relu, [](T x, T slope) { return x > 0 ? x : x * slope; });
  add("reciprocal_times", Binary::reciprocal_times, [](T a, T b) { return 1 / b * a; });
  add("relu_backward", Binary::relu_backward, [](T dy, T y) { return y <= 0 ? 0 : dy; });
  add("tanh_backward", Binary::tanh_backward, [](T dy, T y) { return dy * (1 - y * y); });
  add("sigmoid_backward", Binary::sigmoid_backward, [](T dy, T y) { return dy * (y * (1 - y)); });
  return all;
}

template <class T>
std::vector<Case<T>> all_cases() {
  std::vector<Case<T>> all = binary_cases<T>();
  const auto add = [&](const char* name, Unary f, T (*expected)(T)) {
    all.push_back({name, Binary::count, f, [expected](T a, T) { return expected(a); }});
  };
  add("neg", Unary::neg, [](T a) { return -a; });
  add("abs", Unary::abs, [](T a) { return std::fabs(a); });
  add("sqrt", Unary::sqrt, [](T a) { return std::sqrt(a); });
  add("rsqrt", Unary::rsqrt, [](T a) { return 1 / std::sqrt(a); });
  add("reciprocal", Unary::reciprocal, [](T a) { return 1 / a; });
  add("square", Unary::square, [](T a) { return a * a; });
  add("cube", Unary::cube, [](T a) { return a * a * a; });
  add("relu", Unary::relu, [](T a) { return a < 0 ? 0 : a; });
  add("sign", Unary::sign, [](T a) { return T(a > 0) - T(a < 0); });
  add("floor", Unary::floor, [](T a) { return std::floor(a); });
  add("ceil", Unary::ceil, [](T a) { return std::ceil(a); });
  add("round", Unary::round, [](T a) { return std::nearbyint(a); });
  return all;
}

class Elementwise : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(EveryIsa, Elementwise, testing::ValuesIn(isas()));

TEST_P(Elementwise, IsTheOperationOnEachElement) {
  for_both_widths([&]<class T>(T*) {
    for (const Case<T>& c : all_cases<T>()) {
      for (const std::int64_t n : usual_lengths) {
        for (const std::int64_t offset : {0, 1, 5}) {
          const std::vector<T> x = awkward<T>(n, 1), z = awkward<T>(n, 2);
          std::vector<T> expected;
          for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(c.expected(x[i], z[i]));
          Guarded<T> a(n, offset), b(n, 2 * offset), y(n, 3 * offset);
          a.fill(x), b.fill(z);
          c.run(GetParam(), y.data(), a.data(), b.data(), n);
          EXPECT_TRUE(same_bits(y.values(), expected)) << c.name << ", " << n << " elements, offset " << offset;
          EXPECT_TRUE(same_bits(a.values(), x) && same_bits(b.values(), z)) << c.name << " changed an operand";
        }
      }
    }
  });
}

TEST_P(Elementwise, OutputMayBeAnOperand) {
  for_both_widths([&]<class T>(T*) {
    for (const Case<T>& c : all_cases<T>()) {
      const std::vector<T> x = awkward<T>(45, 3), z = awkward<T>(45, 4);
      std::vector<T> expected;
      for (std::size_t i = 0; i < x.size(); ++i) expected.push_back(c.expected(x[i], z[i]));
      std::vector<T> a = x, b = z;
      c.run(GetParam(), a.data(), a.data(), b.data(), 45);
      EXPECT_TRUE(same_bits(a, expected)) << c.name << " into the first operand";
      c.run(GetParam(), b.data(), x.data(), b.data(), 45);
      EXPECT_TRUE(same_bits(b, expected)) << c.name << " into the second operand";
    }
  });
}

TEST_P(Elementwise, RowsColumnsAndNumbersMeetAMatrix) {
  for_both_widths([&]<class T>(T*) {
    for (const Case<T>& c : binary_cases<T>()) {
      for (const std::int64_t cols : usual_lengths) {
        const std::int64_t rows = 3;
        const std::vector<T> x = awkward<T>(rows * cols, 5), v = awkward<T>(rows + cols, 6);
        const Operand<T> matrix{x.data(), cols, 1};
        for (const Operand<T>& other :
             {Operand<T>{v.data(), 0, 1}, Operand<T>{v.data(), 1, 0}, Operand<T>{v.data(), 0, 0}}) {
          std::vector<T> first, second, both;
          for (std::int64_t i = 0; i < rows * cols; ++i) {
            const T o = v[i / cols * other.row + i % cols * other.step];
            first.push_back(c.expected(x[i], o));
            second.push_back(c.expected(o, x[i]));
            both.push_back(c.expected(o, o));
          }
          Guarded<T> y(rows * cols, 3);
          const auto kernel = kernels_of<T>(GetParam()).binary[static_cast<std::size_t>(c.binary)];
          kernel(y.data(), matrix, other, rows, cols);
          EXPECT_TRUE(same_bits(y.values(), first)) << c.name << ", " << cols << " columns";
          kernel(y.data(), other, matrix, rows, cols);
          EXPECT_TRUE(same_bits(y.values(), second)) << c.name << ", " << cols << " columns";
          kernel(y.data(), other, other, rows, cols);
          EXPECT_TRUE(same_bits(y.values(), both)) << c.name << ", " << cols << " columns";
        }
      }
    }
  });
}

TEST_P(Elementwise, RoundsHalvesToEvenAndKeepsTheSignOfZero) {
  for_both_widths([&]<class T>(T*) {
    const T large = std::ldexp(T(1), std::numeric_limits<T>::digits - 1);  // from here on all are integers
    const std::vector<T> x{0.5, 1.5, 2.5, -0.5, -1.5, -0.25, 0.75, large - T(0.5), large, large + 1, -large - 1};
    const auto apply = [&](Unary f) {
      std::vector<T> y(x.size());
      kernels_of<T>(GetParam()).unary[static_cast<std::size_t>(f)](y.data(), x.data(), std::ssize(x));
      return y;
    };
    for (const auto& [f, expected] : {std::pair(Unary::round, static_cast<T (*)(T)>(std::nearbyint)),
                                      std::pair(Unary::floor, static_cast<T (*)(T)>(std::floor)),
                                      std::pair(Unary::ceil, static_cast<T (*)(T)>(std::ceil))}) {
      std::vector<T> wanted;
      for (const T v : x) wanted.push_back(expected(v));
      EXPECT_TRUE(same_bits(apply(f), wanted));
    }
  });
}

using ElementwiseThreads = Threaded;

TEST_F(ElementwiseThreads, ChangeNoResult) {
  const Tensor x = from_span(normal<float>(301 * 700, 5), {301, 700}), y = x.flip({0, 1});
  const Tensor row = y.select(0, 3), column = y.narrow(1, 4, 1);
  expect_equal("loops over elements", [&] {
    std::vector<double> results;
    const auto add = [&](const Tensor& result) {
      const Tensor wide = result.to(float64).contiguous();
      results.insert(results.end(), wide.data<double>().begin(), wide.data<double>().end());
    };
    add(x > y), add(x > row), add(column <= x), add(x > 0.5), add((x * 9).to(int64) * (column * 9).to(int64));
    add(cumsum(x, 1)), add(cumsum(x, 0)), add(logical_and(x > 0, row > 0));
    return results;
  });
}

}  // namespace
}  // namespace gradus::test
