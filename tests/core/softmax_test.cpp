#include "errors.hpp"
#include "tensors.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

const Tensor& example() {
  static const Tensor x = tensor({{1., 5., 2.}, {5., 0., 5.}}, float64);
  return x;
}

TEST(Softmax, Values) {  // by hand, from the exponentials
  const double e1 = std::exp(1), e2 = std::exp(2), e5 = std::exp(5);
  const Tensor first = tensor({e1, e5, e2}, float64) / (e1 + e5 + e2),
               second = tensor({e5, 1., e5}, float64) / (2 * e5 + 1);
  expect_tensor(softmax(example(), 1), stack({first, second}), 1e-15);
  expect_tensor(log_softmax(example(), -1), log(stack({first, second})), 1e-14);
  expect_tensor(logsumexp(example(), 1), tensor({std::log(e1 + e5 + e2), std::log(2 * e5 + 1)}, float64), 1e-14);
  expect_tensor(softmax(example(), 0)[0], tensor({e1 / (e1 + e5), e5 / (e5 + 1), e2 / (e2 + e5)}, float64), 1e-15);
  expect_tensor(logsumexp(example(), {0, 1}, true), tensor({{std::log(e1 + e2 + 3 * e5 + 1)}}, float64), 1e-14);
  expect_tensor(logsumexp(example(), Dims{}), logsumexp(example(), {0, 1}));
}

TEST(Softmax, EveryDimensionAndDtype) {
  for (const Shape& shape : {Shape{5}, {3, 4}, {2, 3, 4}, {2, 1, 3}, {40, 30}, {3, 50, 2}}) {
    const Tensor x = leaf(shape, -4, 4).detach();
    for (int dim = 0; dim < shape.rank(); ++dim) {
      const Tensor total = exp(x).sum(dim, true), share = exp(x) / total;
      expect_tensor(softmax(x, dim), share, 1e-14);
      expect_tensor(log_softmax(x, dim), log(share), 1e-13);
      expect_tensor(logsumexp(x, dim, true), log(total), 1e-13);
      const Tensor f = x.to(float32);
      EXPECT_LE(max_distance(softmax(f, dim), share), 3e-7) << shape << dim;
      EXPECT_LE(max_distance(log_softmax(f, dim), log(share)), 1e-6) << shape << dim;
      EXPECT_LE(max_distance(logsumexp(f, dim), log(total.squeeze(dim))), 1e-6) << shape << dim;
      EXPECT_EQ(softmax(f, dim).dtype(), float32);
      EXPECT_LE(max_distance(gradient([&](const Tensor& v) { return square(softmax(v, dim)); }, f),
                             gradient([&](const Tensor& v) { return square(softmax(v, dim)); }, x)),
                1e-6);
      EXPECT_LE(max_distance(gradient([&](const Tensor& v) { return square(log_softmax(v, dim)); }, f),
                             gradient([&](const Tensor& v) { return square(log_softmax(v, dim)); }, x)),
                1e-4);
    }
  }
}

TEST(Softmax, LargeNumbersDoNotOverflow) {
  for (const Dtype dtype : {float32, float64}) {
    const Tensor x = tensor({1000., 1000., -1000.}, dtype);
    expect_tensor(softmax(x, 0), tensor({0.5, 0.5, 0.}, dtype));
    EXPECT_LE(max_distance(log_softmax(x, 0), tensor({-0.6931472, -0.6931472, -2000.6931472}, dtype)), 1e-4);
    EXPECT_LE(max_distance(logsumexp(x, 0), tensor(1000.6931472, dtype)), 1e-4);
  }
}

/// Logits; their softmax, log_softmax and logsumexp; and what each hands back of a gradient that is 1 for its first
/// element and 0 for the others.
struct Awkward {
  std::vector<double> x, softmax, softmax_dx, log_softmax, log_softmax_dx;
  double logsumexp;
  std::vector<double> logsumexp_dx;
};

/// Recorded from PyTorch, which gives the same in float32 and float64 along every dimension.
std::vector<Awkward> awkward_rows() {
  const std::vector<double> one(1, nan), two(2, nan), three(3, nan);
  return {
      {{0., inf}, two, two, two, two, inf, {0., nan}},
      {{1., inf, -2.}, three, three, three, three, inf, {0., nan, 0.}},
      {{inf, inf, 0.}, three, three, three, three, inf, {nan, nan, 0.}},
      {{inf, -inf, 1.}, three, three, three, three, inf, {nan, 0., 0.}},
      {{inf, inf}, two, two, two, two, inf, two},
      {{inf}, one, one, one, one, inf, one},
      {{-inf}, one, one, one, one, -inf, one},
      {{-inf, -inf}, two, two, two, two, -inf, two},
      {{0., -inf}, {1., 0.}, {0., -0.}, {0., -inf}, {0., 0.}, 0., {1., 0.}},
      {{-inf, 0.}, {0., 1.}, {0., 0.}, {-inf, 0.}, {1., -1.}, 0., {0., 1.}},
      {{nan, 1.}, two, two, two, two, nan, two},
      {{1., nan}, two, two, two, two, nan, two},
      {{nan, inf, 0.}, three, three, three, three, nan, three},
      {{nan, -inf}, two, two, two, two, nan, two},
      {{0., -1000.}, {1., 0.}, {0., -0.}, {0., -1000.}, {0., 0.}, 0., {1., 0.}},
      {{3.}, {1.}, {0.}, {0.}, {0.}, 3., {1.}},
  };
}

/// Copies of a row along the last but one of three dimensions, or along the last of two.
Tensor placed(const std::vector<double>& row, std::int64_t outer, std::int64_t inner, Dtype dtype) {
  const auto n = static_cast<std::int64_t>(row.size());
  const Tensor x = from_span(row, {1, n, 1}).expand({outer, n, inner}).to(dtype).clone();
  return inner == 1 ? x.squeeze(2).clone() : x;
}

void expect_same_or_nan(const Tensor& got, const Tensor& expected, const std::string& what) {
  expect_tensor(got, expected);
  const Tensor a = got.to(float64), b = expected.to(float64);
  for (std::int64_t i = 0; i < a.numel(); ++i) {  // 0 and -0
    const double p = a.reshape(-1)[i].item(), q = b.reshape(-1)[i].item();
    EXPECT_TRUE(p != 0 || std::signbit(p) == std::signbit(q)) << what << ": " << p << " instead of " << q;
  }
}

TEST(Softmax, InfinitiesAndNotANumber) {
  struct Function {
    Tensor (*f)(const Tensor& x);
    const std::vector<double> Awkward::*y;
    const std::vector<double> Awkward::*dx;
    const char* name;
  };
  const Function functions[] = {
      {[](const Tensor& x) { return softmax(x, 1); }, &Awkward::softmax, &Awkward::softmax_dx, "softmax"},
      {[](const Tensor& x) { return log_softmax(x, 1); }, &Awkward::log_softmax, &Awkward::log_softmax_dx,
       "log_softmax"},
  };
  for (const Dtype dtype : {float32, float64}) {
    for (const auto& [outer, inner] : {std::pair{1, 1}, {20, 1}, {1, 3}, {2, 20}}) {
      for (const Awkward& row : awkward_rows()) {
        const auto place = [&, outer = outer, inner = inner](const std::vector<double>& v) {
          return placed(v, outer, inner, dtype);
        };
        std::vector<double> first(row.x.size());
        first[0] = 1;
        for (const Function& function : functions) {
          for (const bool create_graph : {false, true}) {
            const Tensor x = place(row.x).requires_grad_(), y = function.f(x);
            expect_same_or_nan(y.detach(), place(row.*function.y), function.name);
            const Tensor dx = grad({y}, {x}, {.grad_outputs = {place(first)}, .create_graph = create_graph})[0];
            expect_same_or_nan(dx.detach(), place(row.*function.dx), function.name + std::string(", gradient"));
          }
        }
        const Tensor x = place(row.x).requires_grad_(), y = logsumexp(x, 1, true);
        expect_same_or_nan(y.detach(), place({row.logsumexp}), "logsumexp");
        expect_same_or_nan(grad({y.sum()}, {x})[0], place(row.logsumexp_dx), "logsumexp, gradient");
      }
    }
  }
}

TEST(Softmax, NoMinusZeroWhereAFloatUnderflows) {  // exp(-200) is not 0 in double; PyTorch prints 0.
  for (const Shape& shape : {Shape{1, 3}, Shape{3, 1}, Shape{3, 20}}) {
    const int dim = shape[0] == 1 ? 1 : 0;
    const Tensor column = tensor({0., -200., -104.5}).reshape(dim == 1 ? Shape{1, 3} : Shape{3, 1});
    for (const double sign : {1., -1.}) {
      const Tensor x = column.expand(shape).clone().requires_grad_();
      const Tensor y = log_softmax(x, dim), up = (arange(3).reshape(column.shape()) == 0).to(float32) * sign;
      const Tensor dx = grad({y}, {x}, {.grad_outputs = {up.expand(shape)}})[0];
      expect_same_or_nan(dx, zeros(shape), "log_softmax, gradient");
    }
  }
}

TEST(Softmax, ZeroDimensionalAndEmpty) {
  expect_tensor(softmax(tensor(3.), 0), tensor(1.));
  expect_tensor(log_softmax(tensor(3.), -1), tensor(0.));
  expect_tensor(logsumexp(tensor(3.), 0), tensor(3.), 1e-6);
  expect_tensor(logsumexp(zeros({0, 2}), 0), tensor({-inf, -inf}));
  expect_tensor(logsumexp(zeros({0}), 0), tensor(-inf));
  EXPECT_EQ(softmax(zeros({0, 2}), 0).shape(), Shape({0, 2}));
  EXPECT_EQ(log_softmax(zeros({2, 0}), 1).shape(), Shape({2, 0}));
  EXPECT_EQ(gradient([](const Tensor& x) { return softmax(x, 1); }, zeros({2, 0})).shape(), Shape({2, 0}));
}

TEST(Softmax, Derivatives) {
  const Tensor x = leaf({2, 3, 2}, -2, 2);
  for (const int dim : {0, 1, -1}) {
    expect_derivative([&](const Tensor& v) { return softmax(v, dim); }, x);
    expect_derivative([&](const Tensor& v) { return log_softmax(v, dim); }, x);
    expect_derivative([&](const Tensor& v) { return logsumexp(v, dim); }, x);
  }
  expect_derivative([](const Tensor& v) { return logsumexp(v, {0, 2}, true); }, x);
  expect_derivative([](const Tensor& v) { return softmax(v * v, 0) + log_softmax(v, 0) + logsumexp(v * v, 0); },
                    leaf({}));
}

TEST(Softmax, TheSameGradientWhenItIsRecorded) {
  const Tensor x = leaf({4, 6}, -2, 2).detach().to(float32).requires_grad_();
  const Tensor dy = leaf({4, 6}, -1, 3).detach().to(float32);
  for (const auto f : {softmax, log_softmax}) {
    const Tensor plain = grad({f(x, 1)}, {x}, {.grad_outputs = {dy}})[0];
    const Tensor recorded = grad({f(x, 1)}, {x}, {.grad_outputs = {dy}, .create_graph = true})[0];
    EXPECT_LE(max_distance(plain, recorded), 1e-6);
  }
}

TEST(Softmax, Errors) {
  const std::string range = "Dimension out of range (expected to be in range of [-2, 1], but got 2)";
  expect_error<IndexError>(range, [] { softmax(zeros({2, 3}), 2); });
  expect_error<IndexError>(range, [] { log_softmax(zeros({2, 3}), 2); });
  expect_error<IndexError>(range, [] { logsumexp(zeros({2, 3}), 2); });
  expect_error<RuntimeError>("dim 0 appears multiple times in the list of dims", [] {
    logsumexp(zeros({2, 3}), {0, 0});
  });
  expect_error<RuntimeError>("\"softmax_lastdim_kernel_impl\" not implemented for 'Long'",
                             [] { softmax(arange(3), 0); });
  expect_error<RuntimeError>("\"log_softmax_lastdim_kernel_impl\" not implemented for 'Long'",
                             [] { log_softmax(arange(3), 0); });
}

TEST(Softmax, AnyDimensionIsTheLastOneMoved) {
  manual_seed(5);
  for (const Dtype dtype : {float32, float64}) {
    for (const auto& [shape, dim] : {std::pair(Shape{300, 500}, 0), {Shape{3, 70, 1001}, 1}, {Shape{2, 3, 5}, 0}}) {
      const Tensor x = (randn(shape, dtype) * 3).requires_grad_(), dy = randn(shape, dtype);
      const auto moved = [dim = dim](const Tensor& v) { return v.transpose(dim, -1); };
      for (Tensor (*f)(const Tensor&, Integer) : {softmax, log_softmax}) {
        const Tensor y = f(x, dim), expected = moved(f(moved(x), -1));
        EXPECT_TRUE(equal(y.detach(), expected.detach())) << shape;
        EXPECT_TRUE(equal(grad({y}, {x}, {.grad_outputs = {dy}})[0], grad({expected}, {x}, {.grad_outputs = {dy}})[0]))
            << shape;
      }
    }
  }
}

}  // namespace
}  // namespace gradus::test
