#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/dot.hpp>
#include <gradus/core/function.hpp>
#include <gradus/core/index.hpp>
#include <gradus/core/parallel.hpp>
#include <gradus/core/random.hpp>

#include <functional>

namespace gradus::test {
namespace {

using Write = std::function<void(Tensor&)>;

/// Every way to write in place.
std::vector<Write> writes() {
  const Tensor mask = tensor(true);
  return {[](Tensor& x) { x.add_(ones({}, x.dtype())); },
          [](Tensor& x) { x.sub_(ones({}, x.dtype())); },
          [](Tensor& x) { x.mul_(full({}, 2, x.dtype())); },
          [](Tensor& x) { x.div_(full({}, 2, x.dtype())); },
          [](Tensor& x) { x.add_(1); },
          [](Tensor& x) { x.sub_(1); },
          [](Tensor& x) { x.mul_(2); },
          [](Tensor& x) { x.div_(2); },
          [](Tensor& x) { x += 1; },
          [](Tensor& x) { x.zero_(); },
          [](Tensor& x) { x.fill_(7); },
          [](Tensor& x) { x.copy_(zeros({}, x.dtype())); },
          [](Tensor& x) { x[0] += 1; },
          [](Tensor& x) { x.reshape(-1).fill_(7); },
          [](Tensor& x) { x.detach().fill_(7); },
          [](Tensor& x) { uniform_(x); },
          [](Tensor& x) { normal_(x); },
          [](Tensor& x) { random_(x); },
          [](Tensor& x) { random_(x, 0, 5); },
          [](Tensor& x) { bernoulli_(x); }};
}

struct View {
  const char* name;
  Tensor (*of)(const Tensor& x);
};
constexpr View copies[] = {{"narrow()", [](const Tensor& x) { return x.narrow(1, 0, 2); }},
                           {"select()", [](const Tensor& x) { return x.select(1, 2); }},
                           {"select()", [](const Tensor& x) { return x.select(-1, 0); }},
                           {"t()", [](const Tensor& x) { return x.t(); }},
                           {"transpose()", [](const Tensor& x) { return x.transpose(0, 1); }},
                           {"permute()",
                            [](const Tensor& x) {
                              return x.permute({1, 0});
                            }},
                           {"expand()",
                            [](const Tensor& x) {
                              return x.expand({2, 2, 3});
                            }},
                           {"x(…)", [](const Tensor& x) { return x(Slice(), 1); }},
                           {"x(…)", [](const Tensor& x) { return x(Slice(), Slice(0, 3, 2)); }},
                           {"select()", [](const Tensor& x) { return x.unbind(1)[1]; }},
                           {"narrow()", [](const Tensor& x) { return x.split(2, 1)[0]; }},
                           {"narrow()", [](const Tensor& x) { return x.chunk(2, 1)[1]; }},
                           {"t()", [](const Tensor& x) { return x.t()[0]; }},
                           {"t()", [](const Tensor& x) { return x.t().reshape(-1).unsqueeze(0).detach(); }}};

TEST(InPlace, AWriteThatWouldBeLostIsRefused) {
  for (const View& view : copies) {
    for (const Write& write : writes()) {
      for (const bool graph : {false, true}) {
        const Tensor x = full({2, 3}, 4.).requires_grad_(graph);
        Tensor copy = view.of(graph ? x * 1 : x);
        const Tensor before = copy.detach().clone();
        const std::uint32_t version = copy.version();
        expect_error<RuntimeError>(std::string("writing in place to what ") + view.name + " returned",
                                   [&] { write(copy); });
        expect_tensor(copy.detach(), before);
        EXPECT_EQ(copy.version(), version);
        const NoGradGuard no_grad;
        expect_error<RuntimeError>("writing in place to what", [&] { write(copy); });
      }
    }
  }
}

TEST(InPlace, DataForWritingOfWhatIsACopyIsRefused) {
  for (const View& view : copies) {
    const Tensor x = full({2, 3}, 4.);
    Tensor copy = view.of(x), clone = copy.clone();
    const Tensor constant = copy;
    expect_error<RuntimeError>(
        std::string("data() of a Tensor that is not const, applied to what ") + view.name + " returned",
        [&] { copy.data<float>()[0] = 7; });
    EXPECT_EQ(constant.data<float>()[0], 4);
    EXPECT_EQ(std::as_const(copy).data<float>()[0], 4);
    EXPECT_EQ(copy.to_vector<float>()[0], 4);
    clone.data<float>()[0] = 7;
  }
  Tensor x = zeros({2, 3}), row = x[1];
  row.data<float>()[2] = 7;
  expect_tensor(x, tensor({{0., 0., 0.}, {0., 0., 7.}}));
}

TEST(InPlace, ATemporaryThatNobodySeesIsNotWrittenTo) {
  const char* lost = "a temporary on the left of +=, -=, *= or /=";
  Tensor x = ones({2, 2});
  const Tensor mask = tensor({true, false});
  expect_error<RuntimeError>(lost, [&] { x[mask] += 1; });
  expect_error<RuntimeError>(lost, [&] { x[tensor({0, 1})] -= x; });
  expect_error<RuntimeError>(lost, [&] { x(mask, 0) *= 2; });
  expect_error<RuntimeError>(lost, [&] { (x + 1) /= 2; });
  expect_error<RuntimeError>("writing in place to what t() returned", [&] { x.t() += 1; });
  expect_tensor(x, ones({2, 2}));
  x[0] += 1;
  x.detach() *= 2;
  x.reshape(4).narrow(0, 3, 1) -= 5;
  expect_tensor(x, tensor({{4., 4.}, {2., -3.}}));
}

TEST(InPlace, WhatIsCopiedOnPurposeMayBeWrittenTo) {
  for (const View& view : copies) {
    for (const Write& write : writes()) {
      const Tensor x = full({2, 3}, 4.);
      Tensor a = view.of(x).clone(), b = view.of(x).contiguous(), c = view.of(x) * 1;
      for (Tensor* copy : {&a, &b, &c}) EXPECT_NO_THROW(write(*copy)) << view.name;
      expect_tensor(x, full({2, 3}, 4.));
    }
  }
  const Tensor x = ones({2});
  EXPECT_TRUE(x.contiguous().is_same(x));
}

TEST(InPlace, AWriteToAViewReachesItsTensor) {
  Tensor x = zeros({3, 2, 2});
  x[0].fill_(1);
  x.narrow(0, 1, 1).add_(2);
  x.reshape({6, 2})[5] += 3;
  x.flatten().narrow(0, 10, 1) *= 4;
  expect_tensor(x, tensor({{{1., 1.}, {1., 1.}}, {{2., 2.}, {2., 2.}}, {{0., 0.}, {12., 3.}}}));
}

/// Views that share storage, and the ways in which an operation of a graph writes to the tensor they are a part of.
constexpr View views[] = {{"x[i]", [](const Tensor& x) { return x[1]; }},
                          {"narrow", [](const Tensor& x) { return x.narrow(0, 0, 2); }},
                          {"reshape", [](const Tensor& x) { return x.reshape(-1); }},
                          {"unsqueeze", [](const Tensor& x) { return x.unsqueeze(0); }},
                          {"split", [](const Tensor& x) { return x.split(1)[1]; }},
                          {"a view of a view", [](const Tensor& x) { return x[0].unsqueeze(0); }},
                          {"without a graph", [](const Tensor& x) {
                             const NoGradGuard no_grad;
                             return x[1];
                           }}};
constexpr void (*graph_writes[])(Tensor& x, const Tensor& w) = {
    [](Tensor& x, const Tensor& w) { x.add_(w); }, [](Tensor& x, const Tensor& w) { x.mul_(w); },
    [](Tensor& x, const Tensor& w) { x.copy_(w); }, [](Tensor& x, const Tensor& w) { x.index_put_({1}, w); },
    [](Tensor& x, const Tensor& w) {
      x.add_(w);
      x.zero_();
    }};

TEST(InPlace, AViewTakenBeforeItsTensorJoinedAGraphIsRefused) {
  for (const View& view : views) {
    for (const auto write : graph_writes) {
      const Tensor w = tensor({2., 3., 4.}).requires_grad_();
      Tensor x = ones({2, 3}, float64);
      const Tensor before = view.of(x), detached = view.of(x.detach()), kept = view.of(x).clone();
      write(x, w);
      const char* unknown = "a view was changed in place through the tensor it is a part of";
      expect_error<RuntimeError>(unknown, [&] { before.sum(); });
      expect_error<RuntimeError>(unknown, [&] { before * 2; });
      expect_error<RuntimeError>(unknown, [&] { w.sum() * before; });
      expect_error<RuntimeError>(unknown, [&] { before.reshape(-1); });
      expect_error<RuntimeError>(unknown, [&] { cat({before, before}); });
      expect_tensor(before.detach(), view.of(x).detach());
      EXPECT_FALSE((detached * 2).requires_grad()) << view.name;
      EXPECT_FALSE((kept * 2).requires_grad()) << view.name;
      const NoGradGuard no_grad;
      expect_tensor(before * 2, view.of(x) * 2);
    }
  }
}

TEST(InPlace, AViewBelongsToTheTensorItWasTakenFrom) {  // as PyTorch
  const Tensor w = tensor({2., 3.}).requires_grad_();
  Tensor x = ones({2, 2}, float64), detached = x.detach();
  const Tensor of_x = x[0], of_detached = detached[0];
  detached.mul_(w);
  EXPECT_FALSE((of_x * 2).requires_grad());
  expect_error<RuntimeError>("a view was changed in place", [&] { of_detached * 2; });
  expect_error<RuntimeError>("a view was changed in place", [&] { Tensor(of_detached).requires_grad_(); });
  EXPECT_FALSE(of_detached.requires_grad());
  x.mul_(w);
  expect_error<RuntimeError>("a view was changed in place", [&] { of_x * 2; });
  expect_error<RuntimeError>("a view was changed in place", [&] { of_detached * 2; });
  const NoGradGuard no_grad;
  expect_error<RuntimeError>("a view was changed in place", [&] { Tensor(of_x).requires_grad_(); });
}

TEST(InPlace, ATensorTakesPartsOfItself) {
  for (const auto take : {+[](Tensor& x) { x.index_put_({0}, x[1]); }, +[](Tensor& x) { x.copy_(x[1]); }}) {
    const Tensor w = tensor({2., 3.}).requires_grad_();
    Tensor x = tensor({{1., 2.}, {3., 4.}}) * w;
    take(x);
    expect_tensor(x.detach(), tensor({{6., 12.}, {6., 12.}}));
    x.sum().backward();
    expect_tensor(w.grad(), tensor({6., 8.}));
  }
}

struct HandsOn : Function<HandsOn> {
  static Tensor forward(Context&, const Tensor& x, const Tensor&) { return x; }
  static Gradients backward(Context&, const Tensor& dy) { return {dy, dy.sum()}; }
};
TEST(InPlace, WhatAFunctionHandsOnIsNotWrittenTo) {
  const Tensor w = tensor(2.).requires_grad_();
  Tensor y = HandsOn::apply(ones({2, 2}, float64), w);
  expect_error<RuntimeError>("a view of a tensor that takes part in a graph", [&] { y.mul_(w); });
}

TEST(InPlace, AViewTakenAfterAWriteOfAGraphIsAPartOfIt) {
  for (const View& view : views) {
    const Tensor w = tensor({2., 3., 4.}).requires_grad_();
    Tensor x = ones({2, 3}, float64);
    Tensor(view.of(x)).mul_(2);
    x.mul_(w);
    const Tensor constant = view.of(x.detach());
    EXPECT_FALSE((constant * 2).requires_grad());
    {
      const NoGradGuard no_grad;
      x.detach().zero_();
    }
    EXPECT_FALSE((constant * 2).requires_grad()) << view.name;
    if (view.name == std::string_view("without a graph")) continue;
    view.of(x * 1).sum().backward();
    EXPECT_GT(w.grad().sum().item<double>(), 0) << view.name;
  }
}

TEST(InPlace, GradientsMayBeWrittenTo) {
  const auto expect_writable = [](auto f) {
    for (const bool create_graph : {false, true}) {
      const Tensor x = leaf({2, 3}), w = leaf({2, 3});
      f(x, w).backward({.create_graph = create_graph});
      const NoGradGuard no_grad;
      for (const Write& write : writes()) {
        Tensor gradient = x.grad();
        EXPECT_NO_THROW(write(gradient));
      }
      for (Tensor leaf : {x, w}) leaf.set_grad({});  // with create_graph each gradient holds the other leaf
    }
  };
  expect_writable([](const Tensor& x, const Tensor&) { return x.sum(); });
  expect_writable([](const Tensor& x, const Tensor&) { return x.mean(); });
  expect_writable([](const Tensor& x, const Tensor& w) { return (x.t() * w.t()).sum(); });
  expect_writable([](const Tensor& x, const Tensor& w) { return (cat({x, w}, 1) * 2).sum(); });
  expect_writable([](const Tensor& x, const Tensor& w) { return x.matmul(w.t()).sum(); });
}

TEST(InPlace, ALeafIsATensorOfItsOwn) {
  Tensor x = ones({2, 3}).t();
  x.requires_grad_();
  const NoGradGuard no_grad;
  EXPECT_NO_THROW(x.fill_(2));
}

TEST(InPlace, PartsThatOverlapAreCopiedAsTheyWere) {
  const int threads = get_num_threads();
  set_num_threads(3);
  const Tensor b = arange(2'000'000).to(float32);
  Tensor x = b.narrow(0, 500'000, 1'500'000);
  x.copy_(b.narrow(0, 0, 1'500'000));
  set_num_threads(threads);
  EXPECT_TRUE(equal(x, arange(1'500'000).to(float32)));
}

TEST(InPlace, ATracedWriteDoesNotKeepItselfAlive) {
  const std::int64_t before = live_nodes();
  {
    const TraceGuard trace;
    const Tensor w = tensor({3., 4.}).requires_grad_();
    Tensor x = zeros({2}), z = zeros({2});
    x.copy_(w * 2);
    z.index_put_({0}, (w * 2)[0]);
    (x + z).sum().backward();
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(InPlace, WhatIsOverwrittenGetsAGradientOfZeros) {  // as PyTorch
  const Tensor w = tensor({3., 4.}).requires_grad_();
  for (const Write& overwrite : {Write([](Tensor& x) { x.zero_(); }), Write([](Tensor& x) { x.fill_(7); }),
                                 Write([&w](Tensor& x) { x.copy_(w * 2); }),
                                 Write([](Tensor& x) { x.copy_(ones({2})); }), Write([](Tensor& x) { uniform_(x); })}) {
    const Tensor x = tensor({1., 2.}).requires_grad_();
    Tensor y = x * 5;
    overwrite(y);
    (y * y).sum().backward();
    ASSERT_TRUE(x.grad().defined());
    expect_tensor(x.grad(), tensor({0., 0.}));
  }
  expect_tensor(w.grad(), tensor({24., 32.}));
}

TEST(InPlace, ResultsOfOtherOperationsAreFree) {
  const Tensor x = ones({2, 3}), mask = tensor({true, false, true});
  Tensor a = x.masked_fill(mask, 2), b = where(mask, x, zeros({2, 3})), c = x.index_select(1, tensor({0}));
  for (Tensor* y : {&a, &b, &c}) EXPECT_NO_THROW(y->fill_(3));
}

TEST(InPlace, RefusesNumbersThatTheDtypeCannotHold) {
  for (const double value : {double{nan}, double{inf}, 1e30}) {
    Tensor x = tensor({1, 2});
    const std::uint32_t version = x.version();
    expect_error<RuntimeError>("value cannot be converted to type int64_t without overflow", [&] { x.fill_(value); });
    expect_error<RuntimeError>("result type Float can't be cast to the desired output type Long",
                               [&] { x.add_(value); });
    expect_tensor(x, tensor({1, 2}));
    EXPECT_EQ(x.version(), version);
  }
  Tensor x = ones({2});
  expect_error<RuntimeError>("value cannot be converted to type float without overflow", [&] { x.fill_(1e300); });
  expect_error<RuntimeError>("value cannot be converted to type float without overflow", [&] { x.add_(x, 1e300); });
  expect_error<RuntimeError>("value cannot be converted to type float without overflow", [&] { x.sub_(x, 1e300); });
  expect_error<RuntimeError>("Overflow when unpacking long", [] { zeros({1}, int64).fill_(std::uint64_t{1} << 63); });
  expect_tensor(x, ones({2}));
  expect_tensor(ones({2}).fill_(inf), tensor({inf, inf}));
  expect_tensor(ones({2}).add_(1e300), tensor({inf, inf}));  // arithmetic overflows, as in PyTorch
  expect_tensor(ones({1}, boolean).fill_(0.5), tensor({true}));
}

TEST(InPlace, TheFactorOfAnAdditionHasTheKindOfItsResult) {
  const std::string integral = "For integral input tensors, argument alpha must not be a floating point number.";
  expect_error<RuntimeError>(integral, [] { tensor({1, 2}).add_(tensor({3, 4}), 1.0); });
  expect_error<RuntimeError>(integral, [] { tensor({1, 2}).sub_(tensor({3, 4}), 1.5); });
  expect_error<RuntimeError>("Boolean alpha only supported for Boolean results.",
                             [] { ones({2}).add_(ones({2}), true); });
  expect_tensor(tensor({true, false}).add_(tensor({false, false}), true), tensor({true, false}));
  expect_tensor(ones({2}).add_(tensor({1, 2}), 1.5), tensor({2.5, 4.}));
}

TEST(InPlace, ArithmeticIsTheOrdinaryOneForEveryShapeThatBroadcasts) {
  manual_seed(6);
  using Op = Tensor (*)(const Tensor&, const Tensor&);
  const auto check = [](const Tensor& x, const Tensor& b, Op op, auto write) {
    Tensor y = x.clone();
    const auto version = y.version();
    write(y, b);
    EXPECT_TRUE(equal(y, op(x, b))) << b.shape();
    EXPECT_EQ(y.version(), version + 1);
  };
  for (const Dtype dtype : {float32, float64, int64}) {
    for (const Shape& shape : {Shape{3, 5, 40}, Shape{2, 1, 3}}) {
      const Tensor x = (randn(shape) * 9).to(dtype);
      for (const Shape& other : {shape, Shape{}, Shape{1}, Shape{shape[2]}, Shape{shape[1], 1}, Shape{shape[0], 1, 1},
                                 Shape{shape[0], 1, shape[2]}}) {
        const Tensor b = (randn(other) * 9).to(dtype);
        check(x, b, add, [](Tensor& y, const Tensor& v) { y.add_(v); });
        check(x, b, sub, [](Tensor& y, const Tensor& v) { y.sub_(v); });
        check(x, b, mul, [](Tensor& y, const Tensor& v) { y.mul_(v); });
        if (is_floating(dtype)) check(x, b, div, [](Tensor& y, const Tensor& v) { y.div_(v); });
      }
    }
  }
}

TEST(InPlace, OperandThatSharesStorageIsReadBeforeItIsWritten) {
  Tensor x = tensor({{1., 2.}, {3., 4.}});
  x.add_(x[0]);
  expect_tensor(x, tensor({{2., 4.}, {4., 6.}}));
  x.mul_(x);
  expect_tensor(x, tensor({{4., 16.}, {16., 36.}}));
  x.sub_(x[1]);
  expect_tensor(x, tensor({{-12., -20.}, {0., 0.}}));
}

}  // namespace
}  // namespace gradus::test
