// Whose tensors are whose: copies, moves, ties, assignment, and what an optimiser can ask about a parameter.
#include "errors.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/loss.hpp>

#include <gtest/gtest.h>

#include <array>

namespace gradus {
namespace {

/// Two layers that share their weight, one of them below another module.
struct Tied : nn::Module {
  Tied() { deep.at<nn::Linear>(0).weight.tie(first.weight); }
  void state(nn::StateList& list) override { list("first", first)("deep", deep)("own", own); }
  Tensor forward(const Tensor& x) const override { return own(deep(first(x))); }

  nn::Linear first{3, 3, {.bias = false}};
  nn::Sequential deep{nn::Linear(3, 3, {.bias = false}), nn::Tanh()};
  nn::Linear own{3, 3, {.bias = false}};
};

bool tied(const Tied& t) {
  return t.parameters().size() == 2 && t.first.weight.is_same(t.deep.at<nn::Linear>(0).weight);
}

// --- what does not compile

static_assert(!std::is_convertible_v<const nn::Parameter&, nn::Parameter>, "auto w = layer.weight");
static_assert(!std::is_convertible_v<nn::Buffer&, nn::Buffer>, "auto m = bn.running_mean");
static_assert(std::is_convertible_v<const nn::Parameter&, Tensor>);
static_assert(std::is_copy_constructible_v<nn::Linear> && std::is_copy_assignable_v<nn::BatchNorm1d>);
static_assert(std::is_nothrow_move_constructible_v<nn::Parameter>);
static_assert(!std::is_constructible_v<nn::Sequential, nn::Linear, nn::ReLU>, "arguments are made in any order");
static_assert(!std::is_constructible_v<nn::Sequential, nn::Linear>);
static_assert(!std::is_constructible_v<nn::AnyModule, nn::Linear&>, "a copy in silence");
static_assert(!std::is_constructible_v<nn::AnyModule, const nn::Linear&>);
static_assert(std::is_constructible_v<nn::AnyModule, nn::Linear>);
template <class L>
concept TakesOneInput = requires(const L& loss, const Tensor& x) {
  loss.forward(x);
}
|| requires(const L& loss, const Tensor& x) { loss(x); };
static_assert(!TakesOneInput<nn::MSELoss> && !TakesOneInput<nn::CrossEntropyLoss> && !TakesOneInput<nn::NLLLoss>);
static_assert(TakesOneInput<nn::Linear>);

// --- ties

TEST(Ties, ACopyIsTiedAsItsOriginal) {
  const Tied t;
  const Tied copy = t;
  EXPECT_TRUE(tied(copy));
  EXPECT_FALSE(copy.first.weight.shares_storage(t.first.weight));
  EXPECT_TRUE(equal(copy.first.weight, t.first.weight));
  const Tied copy_of_unused = Tied(copy), moved = std::move(const_cast<Tied&>(copy_of_unused));
  EXPECT_TRUE(tied(moved));
  EXPECT_TRUE(tied(t));
}

TEST(Ties, TheFirstCallTiesBeforeAnyGradient) {
  Tied t;
  Tied copy = t;
  const Tensor x = randn({4, 3});
  copy(x).square().sum().backward();
  t(x).square().sum().backward();
  EXPECT_TRUE(equal(copy.first.weight.grad(), t.first.weight.grad()));
}

TEST(Ties, CopiesOfTwoModulesStayApart) {
  struct Pair : nn::Module {
    explicit Pair(const Tied& t) : a(t), b(t) {}
    void state(nn::StateList& list) override { list("a", a)("b", b); }
    Tied a, b;
  };
  const Tied t;
  const Pair pair(t), copy = pair;
  for (const Pair* p : {&pair, &copy}) {
    EXPECT_EQ(p->parameters().size(), 4U);
    EXPECT_TRUE(tied(p->a) && tied(p->b));
  }
}

TEST(Ties, LayersCopiedOneByOneAreNotTied) {
  const Tied t;
  const std::array<nn::Linear, 2> both{t.first, t.deep.at<nn::Linear>(0)};
  EXPECT_FALSE(both[0].weight.is_same(both[1].weight));
  struct Holder : nn::Module {
    explicit Holder(const Tied& t) : a(t.first), b(t.deep.at<nn::Linear>(0)) {}
    void state(nn::StateList& list) override { list("a", a)("b", b); }
    nn::Linear a, b;
  };
  const Holder holder(t), copy = holder;
  EXPECT_EQ(holder.parameters().size(), 2U);
  EXPECT_EQ(copy.parameters().size(), 2U);
}

TEST(Ties, SurviveSequentialsAndAssignment) {
  nn::Linear a(2, 2, {.bias = false}), b(2, 2, {.bias = false});
  b.weight.tie(a.weight);
  nn::Sequential net{std::move(a), nn::ReLU(), std::move(b)};
  EXPECT_EQ(net.parameters().size(), 1U);
  nn::Sequential copy = net, assigned;
  assigned = net;
  EXPECT_EQ(copy.parameters().size(), 1U);
  EXPECT_EQ(assigned.parameters().size(), 1U);
  nn::Sequential outer{nn::clone(net), nn::Tanh()};
  EXPECT_EQ(outer.parameters().size(), 1U);
  Tied t;
  nn::Sequential holder{nn::clone(t)};
  EXPECT_TRUE(tied(holder.at<Tied>(0)));
}

// --- assignment

/// Assigns by `assign(to)` to a layer, and expects its tensors to be where they were, with the values expected.
template <class M, class F>
void expect_written(M& to, const StateDict& expected, F assign) {
  const StateDict handles = to.state_dict();
  const std::vector<Tensor> parameters = to.parameters();
  assign(to);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    EXPECT_TRUE(to.parameters()[i].is_same(parameters[i]));
    EXPECT_FALSE(nn::orphaned(parameters[i]));
  }
  for (const auto& [name, value] : expected) {
    EXPECT_TRUE(equal(to.state_dict().at(name), value)) << name;
    EXPECT_TRUE(handles.at(name).shares_storage(to.state_dict().at(name))) << name;
  }
}

TEST(Assignment, WritesIntoTheTensorsThatAreThere) {
  nn::Linear layer(2, 1);
  nn::Linear other(2, 1);
  const Tensor w = other.weight.detach().clone(), b = other.bias.detach().clone();
  expect_written(layer, {{"weight", w}, {"bias", b}}, [&](nn::Linear& to) { to = std::move(other); });
  manual_seed(3);
  const nn::Linear same(2, 1);
  manual_seed(3);
  expect_written(layer, same.state_dict(), [](nn::Linear& to) { to = nn::Linear(2, 1); });

  nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm1d(3), nn::Sequential{nn::Linear(3, 1)}};
  nn::Sequential best = net;
  net(randn({4, 2}));
  for (Tensor p : net.parameters()) p.detach().add_(1);
  const StateDict values = nn::Sequential(best).state_dict();
  expect_written(net, values, [&](nn::Sequential& to) { to = std::move(best); });
  nn::Buffer buffer(ones({2}));
  const Tensor handle = buffer;
  buffer = nn::Buffer(zeros({2}));
  EXPECT_TRUE(buffer.is_same(handle) && equal(handle, zeros({2})));
}

TEST(Assignment, ABufferOwnsWhatItIsMadeOf) {
  const Tensor table = ones({2, 2});
  nn::Buffer column(table.select(1, 0)), none{Tensor()};
  column.fill_(3);
  EXPECT_TRUE(equal(column, full({2}, 3.)) && equal(table, ones({2, 2})));
  EXPECT_FALSE(none.defined());
}

TEST(Assignment, OfAnotherShapeLeavesOrphans) {
  nn::Linear layer(2, 1);
  const Tensor weight = layer.weight, free = ones({2}).requires_grad_();
  EXPECT_FALSE(nn::orphaned(weight));
  layer = nn::Linear(2, 3);
  EXPECT_TRUE(nn::orphaned(weight));
  EXPECT_FALSE(nn::orphaned(layer.weight) || nn::orphaned(free) || nn::orphaned(Tensor()));
  EXPECT_EQ(layer.weight.shape(), (Shape{3, 2}));
  Tensor gone;
  {
    nn::Linear inner(2, 2);
    gone = inner.weight;
    nn::Linear outer = std::move(inner);
    EXPECT_FALSE(nn::orphaned(gone));
  }
  EXPECT_TRUE(nn::orphaned(gone));
  nn::Linear a(2, 2), b(2, 2);
  std::swap(a, b);
  EXPECT_FALSE(nn::orphaned(a.weight) || nn::orphaned(b.weight));
}

TEST(Parameters, ThatNoModuleListsAreFoundOnceTheyHaveAGradient) {
  struct Forgot : nn::Module {
    void state(nn::StateList& list) override { list("a", a); }
    Tensor forward(const Tensor& x) const override { return b(a(x)); }
    nn::Linear a{2, 4}, b{4, 1};
  };
  const Forgot net;
  EXPECT_EQ(net.parameters().size(), 2U);
  EXPECT_TRUE(nn::unlisted_with_gradient().empty());
  net(ones({3, 2})).sum().backward();
  const std::vector<Tensor> found = nn::unlisted_with_gradient();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_TRUE(found[0].is_same(net.b.weight) || found[1].is_same(net.b.weight));
  net.b.parameters();
  EXPECT_TRUE(nn::unlisted_with_gradient().empty());
}

TEST(Parameters, ListedOrGoneAreNotReported) {
  const nn::Linear listed(2, 2);
  listed.parameters();
  {
    const nn::Linear gone(2, 2);
    (listed(ones({1, 2})) + gone(ones({1, 2}))).sum().backward();
    EXPECT_EQ(nn::unlisted_with_gradient().size(), 2U);
  }
  EXPECT_TRUE(nn::unlisted_with_gradient().empty());
}

}  // namespace
}  // namespace gradus
