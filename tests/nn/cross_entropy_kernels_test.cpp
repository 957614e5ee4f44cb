// The kernels of cross-entropy on every instruction set, for few and many classes.
#include "exact_softmax.hpp"
#include "kernels/nn_table.hpp"

#include <gradus/gradus.hpp>

namespace gradus::test {
namespace {

using nn::kernels::Classes;

class CrossEntropyKernels : public testing::TestWithParam<Isa> {
 protected:
  template <class T>
  struct Result {
    std::vector<double> logsumexp;
    std::vector<T> dx;
  };
  template <class T>
  Result<T> run(const Classes<T>& classes, Isa isa) const {
    const auto& kernels = kernels::table_for<nn::kernels::Table>(isa)->of<T>();
    Guarded<double> logsumexp(classes.rows, 1);
    Guarded<T> dx(classes.rows * classes.cols, 1);
    kernels_of<T>(isa).log_sum_exp(logsumexp.data(), classes.x, classes.rows, classes.cols);
    kernels.cross_entropy_backward(dx.data(), classes, logsumexp.data(), 0.25, 0, classes.rows);
    return {logsumexp.values(), dx.values()};
  }
};
INSTANTIATE_TEST_SUITE_P(EveryIsa, CrossEntropyKernels, testing::ValuesIn(isas()));

TEST_P(CrossEntropyKernels, BackwardIsSoftmaxMinusOneHot) {
  for_both_widths([&]<class T>(T*) {
    const bool once = sizeof(T) == 4;
    for (const auto& [rows, cols] : matrix_sizes) {
      const std::vector<T> x = normal<T>(rows * cols, 7, 0, 2);
      std::vector<std::int64_t> target;
      for (std::int64_t i = 0; i < rows; ++i) target.push_back(i % 4 == 3 ? -100 : (7 * i) % cols);
      const ExactSoftmax exact = exact_softmax(x, rows, cols);
      const Result<T> r = run(Classes<T>{x.data(), target.data(), rows, cols}, GetParam());
      for (std::int64_t i = 0; i < rows; ++i) {
        // Of floats, to the error of their exponentials, of which the sum is the mean.
        EXPECT_NEAR(r.logsumexp[i], static_cast<double>(exact.logsumexp[i]), once ? 0x1p-33 : 1e-14);
        for (std::int64_t j = 0; j < cols; ++j) {
          const long double p = exact.softmax[i * cols + j] - (target[i] == j ? 1 : 0);
          const T got = r.dx[i * cols + j];
          EXPECT_NEAR(got, target[i] == -100 ? 0 : static_cast<double>(p / 4),
                      once ? 1e-11 + 6e-8 * std::fabs(got) : 1e-15)
              << rows << "x" << cols;
        }
      }
    }
  });
}

TEST_P(CrossEntropyKernels, HaveTheSameBitsAsPlain) {
  for_both_widths([&]<class T>(T*) {
    for (const auto& [rows, cols] : matrix_sizes) {
      const std::vector<T> x = awkward<T>(rows * cols, 8);
      const std::vector<std::int64_t> target(static_cast<std::size_t>(rows), cols - 1);
      const Classes<T> classes{x.data(), target.data(), rows, cols};
      const Result<T> got = run(classes, GetParam()), plain = run(classes, reference());
      EXPECT_TRUE(same_bits(got.logsumexp, plain.logsumexp) && same_bits(got.dx, plain.dx)) << rows << "x" << cols;
    }
  });
}

using CrossEntropyThreads = Threaded;

TEST_F(CrossEntropyThreads, ChangeNoBit) {
  const std::int64_t rows = 3001, cols = 110;
  const std::vector<float> x = normal(rows * cols, 5);
  std::vector<std::int64_t> target;
  for (std::int64_t i = 0; i < rows; ++i) target.push_back(i % 5 == 0 ? 7 : i % cols);
  double loss = 0;
  expect_equal("cross_entropy", [&] {
    const Tensor leaf = from_span(x, {rows, cols}).requires_grad_();
    const Tensor sum = nn::functional::cross_entropy(leaf, from_span(target, rows),
                                                     {.ignore_index = 7, .reduction = nn::Reduction::sum});
    (sum * 0.5).backward();
    loss = sum.item();
    std::vector<float> dx = leaf.grad().to_vector<float>();
    dx.push_back(sum.item<float>());
    return dx;
  });
  double expected = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    double total = 0;
    for (std::int64_t j = 0; j < cols; ++j) total += std::exp(static_cast<double>(x[i * cols + j]));
    if (target[i] != 7) expected += std::log(total) - static_cast<double>(x[i * cols + target[i]]);
  }
  EXPECT_NEAR(loss, expected, std::abs(expected) * 0x1.01p-24) << "it is rounded once, to a float";
}

TEST_P(CrossEntropyKernels, BinaryLossIsExactAndEqualEverywhere) {
  for_both_widths([&]<class T>(T*) {
    for (const std::int64_t n : usual_lengths) {
      const std::vector<T> t = normal<T>(n, 11, 0.5, 0.2), p = normal<T>(n, 12, 2, 0.3);
      for (const bool weighted : {false, true}) {
        const auto run = [&](Isa isa, const std::vector<T>& x) {
          Guarded<T> y(n, 1);
          kernels::table_for<nn::kernels::Table>(isa)->of<T>().binary_cross_entropy(y.data(), x.data(), t.data(),
                                                                                    weighted ? p.data() : nullptr, n);
          return y.values();
        };
        const std::vector<T> special = awkward<T>(n, 10);
        EXPECT_TRUE(same_bits(run(GetParam(), special), run(reference(), special)));
        const std::vector<T> x = normal<T>(n, 10, 0, 30), y = run(GetParam(), x);
        for (std::int64_t i = 0; i < n; ++i) {
          const long double v = x[i], answer = t[i], positive = weighted ? p[i] : 1;
          const long double tail = std::log1p(std::exp(-std::fabs(v)));
          const long double yes = positive * answer * ((v < 0 ? -v : 0) + tail);
          const long double no = (1 - answer) * ((v > 0 ? v : 0) + tail);
          const long double size = std::fabs(yes) + std::fabs(no);
          EXPECT_NEAR(y[i], static_cast<double>(yes + no),
                      static_cast<double>(size * (sizeof(T) == 4 ? 6e-8L : 1e-15L)));
        }
      }
    }
  });
}

}  // namespace
}  // namespace gradus::test
