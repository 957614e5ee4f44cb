// The threaded entries: every element once, and the same bits with any number of threads.
#include "kernel_support.hpp"
#include "kernels/loops.hpp"

namespace gradus::test {
namespace {

using namespace kernels;

using Threads = Threaded;

TEST_F(Threads, Elementwise) {
  for_both_widths([&]<class T>(T*) {
    const std::int64_t n = 300'007;
    const std::vector<T> a = normal<T>(n, 1), b = normal<T>(n, 2);
    std::vector<T> y(a.size());
    const Operand<T> left{a.data(), 0, 1}, right{b.data(), 0, 1}, three{&b[9], 0, 0};
    expect_equal("add", [&] { return loop<Binary::add>(y.data(), left, right, 1, n), y; });
    EXPECT_EQ(y[300'006], a[300'006] + b[300'006]);
    expect_equal("sub", [&] { return loop<Binary::sub>(y.data(), three, left, 1, n), y; });
    EXPECT_EQ(y[7], b[9] - a[7]);
    expect_equal("rows", [&] {
      loop<Binary::mul>(y.data(), {a.data(), 100, 1}, {b.data(), 0, 1}, 3000, 100);
      return y;
    });
    EXPECT_EQ(y[100], a[100] * b[0]);
    expect_equal("columns", [&] {
      loop<Binary::mul>(y.data(), {b.data(), 1, 0}, {a.data(), 100, 1}, 3000, 100);
      return y;
    });
    EXPECT_EQ(y[299'999], a[299'999] * b[2999]);
    expect_equal("exp", [&] { return loop<Unary::exp>(y.data(), a.data(), n), y; });
  });
}

TEST_F(Threads, SumsAndRows) {
  for_both_widths([&]<class T>(T*) {
    const std::int64_t rows = 3001, cols = 110, n = rows * cols;
    const std::vector<T> x = normal<T>(n, 3), dy = normal<T>(n, 4);
    std::vector<T> y(x.size()), column(static_cast<std::size_t>(cols));
    expect_equal("sum", [&] {
      const Total total = sum(x.data(), n);
      return std::vector{total.sum, total.lost};
    });
    long double total = 0;
    for (const T v : x) total += static_cast<long double>(v);
    EXPECT_NEAR(sum(x.data(), n).sum, static_cast<double>(total), 1e-10);
    expect_equal("column_sums", [&] { return column_sums(column.data(), x.data(), rows, cols, 3), column; });
    expect_equal("softmax", [&] { return softmax(y.data(), x.data(), rows, cols), y; });
    expect_equal("log_softmax", [&] { return log_softmax(y.data(), x.data(), rows, cols), y; });
    expect_equal("softmax_backward", [&] { return softmax_backward(y.data(), dy.data(), x.data(), rows, cols), y; });
    expect_equal("gemv", [&] { return gemv<T>(column.data(), x.data(), dy.data(), nullptr, cols, rows), column; });
  });
}

}  // namespace
}  // namespace gradus::test
