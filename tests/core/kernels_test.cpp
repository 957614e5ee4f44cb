// The threaded entries: every element once, and the same bits with any number of threads.
#include "kernel_support.hpp"

#include <gradus/core/parallel.hpp>

namespace gradus::test {
namespace {

using namespace kernels;

class Threaded : public testing::Test {
 protected:
  ~Threaded() override { set_num_threads(before_); }

  /// Runs `work`, which returns all it computes, with 1, 2 and 3 threads, and with the kernels of one table alone.
  template <class Work>
  void expect_equal(const char* name, Work work) {
    set_num_threads(1);
    const std::vector<float> expected = work();
    for (const int threads : {2, 3}) {
      set_num_threads(threads);
      EXPECT_TRUE(same_bits(work(), expected)) << name << " with " << threads << " threads";
    }
  }

 private:
  int before_ = get_num_threads();
};

TEST_F(Threaded, Elementwise) {
  const std::int64_t n = 300'007;
  const std::vector<float> a = normal(n, 1), b = normal(n, 2);
  std::vector<float> y(a.size());
  expect_equal("add", [&] { return add(y.data(), a.data(), b.data(), n), y; });
  EXPECT_EQ(y[300'006], a[300'006] + b[300'006]);
  expect_equal("mul_scalar", [&] { return mul_scalar(y.data(), a.data(), 3, n), y; });
  expect_equal("scalar_sub", [&] { return scalar_sub(y.data(), 3, a.data(), n), y; });
  EXPECT_EQ(y[7], 3 - a[7]);
  expect_equal("exp", [&] { return exp(y.data(), a.data(), n), y; });
  expect_equal("fill", [&] { return fill(y.data(), 4, n), y; });
  EXPECT_EQ(y.back(), 4);
  expect_equal("relu_backward", [&] { return relu_backward(y.data(), a.data(), b.data(), n), y; });
  expect_equal("leaky_relu_backward", [&] { return leaky_relu_backward(y.data(), a.data(), b.data(), 0.1f, n), y; });
  expect_equal("axpy", [&] { return y = b, axpy(y.data(), 0.5f, a.data(), n), y; });
  EXPECT_EQ(y[9], b[9] + 0.5f * a[9]);
  expect_equal("add_row", [&] { return add_row(y.data(), a.data(), b.data(), 3000, 100), y; });
  EXPECT_EQ(y[100], a[100] + b[0]);
}

TEST_F(Threaded, SumsAndRows) {
  const std::int64_t rows = 3001, cols = 110, n = rows * cols;
  const std::vector<float> x = normal(n, 3), dy = normal(n, 4);
  std::vector<float> y(x.size()), column(static_cast<std::size_t>(cols));
  expect_equal("sum", [&] { return std::vector{static_cast<float>(sum(x.data(), n) * 1e10)}; });
  double total = 0;
  for (const float v : x) total += static_cast<double>(v);
  EXPECT_NEAR(sum(x.data(), n), total, 1e-8);
  expect_equal("column_sums", [&] { return column_sums(column.data(), x.data(), rows, cols), column; });
  expect_equal("softmax", [&] { return softmax(y.data(), x.data(), rows, cols), y; });
  expect_equal("log_softmax", [&] { return log_softmax(y.data(), x.data(), rows, cols), y; });
  expect_equal("softmax_backward", [&] { return softmax_backward(y.data(), dy.data(), x.data(), rows, cols), y; });
  expect_equal("gemv", [&] { return gemv(column.data(), x.data(), dy.data(), nullptr, cols, rows), column; });
}

TEST_F(Threaded, CrossEntropy) {
  const std::int64_t rows = 3001, cols = 110;
  const std::vector<float> x = normal(rows * cols, 5);
  std::vector<std::int64_t> target;
  for (std::int64_t i = 0; i < rows; ++i) target.push_back(i % 5 == 0 ? 7 : i % cols);
  const Classes classes{target.data(), rows, cols, 7};
  std::vector<double> logsumexp(static_cast<std::size_t>(rows));
  double loss = 0;
  expect_equal("cross_entropy", [&] {
    loss = cross_entropy(x.data(), classes, logsumexp.data());
    std::vector<float> dx(x.size());
    cross_entropy_backward(dx.data(), x.data(), classes, logsumexp.data(), 0.5);
    dx.push_back(static_cast<float>(loss * 1e6));
    return dx;
  });
  double expected = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    double total = 0;
    for (std::int64_t j = 0; j < cols; ++j) total += std::exp(static_cast<double>(x[i * cols + j]));
    if (target[i] != 7) expected += std::log(total) - static_cast<double>(x[i * cols + target[i]]);
  }
  EXPECT_NEAR(loss, expected, 1e-7);
}

TEST_F(Threaded, BatchNorm) {
  for (const BatchShape shape : {BatchShape{1500, 200}, BatchShape{30, 77, 100}}) {
    const std::int64_t n = shape.n * shape.c * shape.l, c = shape.c;
    const std::vector<float> x = normal(n, 6), dy = normal(n, 7), weight = normal(c, 8), bias = normal(c, 9);
    std::vector<double> mean(static_cast<std::size_t>(c)), var = mean, rstd = mean;
    expect_equal("batch_norm", [&] {
      std::vector<float> out(x.size() * 4 + weight.size() * 4);
      float *y = out.data(), *dx = y + n, *dw = dx + n, *db = dw + c;
      EXPECT_TRUE(
          batch_norm(y, x.data(), shape, weight.data(), bias.data(), 1e-5, mean.data(), var.data(), rstd.data()));
      batch_norm_backward(dx, dw, db, dy.data(), x.data(), shape, weight.data(), mean.data(), var.data(), rstd.data());
      y = db + c, dx = y + n, dw = dx + n, db = dw + c;
      batch_norm_apply(y, x.data(), shape, weight.data(), bias.data(), mean.data(), rstd.data());
      batch_norm_apply_backward(dx, dw, db, dy.data(), x.data(), shape, weight.data(), mean.data(), var.data(),
                                rstd.data());
      return out;
    });
    std::vector<float> bad = x, y(x.size());
    bad[0] = NAN;
    EXPECT_FALSE(batch_norm(y.data(), bad.data(), shape, nullptr, nullptr, 1e-5, mean.data(), var.data(), rstd.data()));
  }
}

TEST_F(Threaded, Steps) {
  const std::int64_t n = 300'007;
  const std::vector<float> g = normal(n, 10);
  std::vector<float> start = normal(n, 11);
  for (float& v : start) v = std::fabs(v);
  expect_equal("steps", [&] {
    std::vector<float> p = start, b = start, m = start, v = start;
    sgd(p.data(), g.data(), b.data(), n, {.lr = 0.1, .momentum = 0.9});
    adam(p.data(), g.data(), m.data(), v.data(), nullptr, n,
         {.lr = 0.1, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .correction1 = 0.271, .correction2 = 0.0297});
    rmsprop(p.data(), g.data(), v.data(), nullptr, b.data(), n,
            {.lr = 0.1, .alpha = 0.9, .eps = 1e-8, .momentum = 0.5});
    p.insert(p.end(), b.begin(), b.end());
    return p;
  });
}

}  // namespace
}  // namespace gradus::test
