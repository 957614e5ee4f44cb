// What operations say of a mistake, against the texts recorded from PyTorch; what they add comes behind these.
#include "errors.hpp"
#include "golden.hpp"

#include <gradus/core/ops.hpp>
#include <gradus/core/random.hpp>

#include <cmath>
#include <map>

namespace gradus::test {
namespace {

template <class... Extents>
Tensor x(Extents... extents) {
  return ones(sizeof...(extents) ? Shape{extents...} : Shape{4, 3}, float64);
}
Tensor y() { return x(2, 3, 4); }
Tensor v() { return x(5); }
Tensor i() { return ones({4, 3}, int64); }
Tensor b() { return ones({4, 3}, boolean); }
Tensor single() { return ones({}, float64); }
Tensor zero() { return tensor({0}); }

const std::map<std::string, void (*)()> mistakes{
    {"x[4]", [] { static_cast<void>(x()[tensor({4})]); }},
    {"x[-5]", [] { static_cast<void>(x()[tensor({-5})]); }},
    {"x[1.]", [] { static_cast<void>(x()[tensor({1.})]); }},
    {"x(0, 0, 0)", [] { static_cast<void>(x()(0, 0, 0)); }},
    {"x(t, t, t)", [] { static_cast<void>(x()(zero(), zero(), zero())); }},
    {"short mask",
     [] {
       static_cast<void>(x()[tensor({true, false})]);
     }},
    {"wide mask",
     [] {
       static_cast<void>(x()[ones({4, 2}, boolean)]);
     }},
    {"indices that do not broadcast",
     [] {
       static_cast<void>(x()(tensor({0, 1}), tensor({0, 1, 2})));
     }},
    {"x(:, 5)", [] { static_cast<void>(x()(Slice(), 5)); }},
    {"x(5, 0)", [] { static_cast<void>(x()(5, 0)); }},
    {"0-d (0)", [] { static_cast<void>(single()(0)); }},
    {"0-d [t]", [] { static_cast<void>(single()[tensor(0)]); }},
    {"put shape",
     [] {
       static_cast<void>(x().index_put_({tensor({0, 1})}, v()));
     }},
    {"step 0", [] { static_cast<void>(Slice(0, std::nullopt, 0)); }},
    {"step -1", [] { static_cast<void>(Slice(std::nullopt, std::nullopt, -1)); }},
    {"chunk 0", [] { static_cast<void>(x().chunk(0)); }},
    {"split -1", [] { static_cast<void>(x().split(-1)); }},
    {"split 0", [] { static_cast<void>(x().split(0)); }},
    {"split sum",
     [] {
       static_cast<void>(x().split({1, 2}));
     }},
    {"split negative",
     [] {
       static_cast<void>(x().split({-1, 5}));
     }},
    {"chunk 0-d", [] { static_cast<void>(single().chunk(1)); }},
    {"split 0-d", [] { static_cast<void>(single().split(1)); }},
    {"unbind 0-d", [] { static_cast<void>(single().unbind()); }},
    {"index_add count",
     [] {
       static_cast<void>(x().index_add(0, tensor({0, 1}), x(3, 3)));
     }},
    {"index_add dtype",
     [] {
       static_cast<void>(x().index_add(0, zero(), ones({1, 3})));
     }},
    {"index_add index", [] { static_cast<void>(x().index_add(0, tensor({0.}), x(1, 3))); }},
    {"index_add range", [] { static_cast<void>(x().index_add(0, tensor({7}), x(1, 3))); }},
    {"index_add matrix", [] { static_cast<void>(x().index_add(0, tensor({{0}}), x(1, 3))); }},
    {"scatter_add dtype",
     [] {
       static_cast<void>(x().scatter_add(1, zeros({1, 1}, int64), ones({1, 1})));
     }},
    {"scatter_add range", [] { static_cast<void>(x().scatter_add(1, tensor({{5}}), x(1, 1))); }},
    {"scatter_add dims", [] { static_cast<void>(x().scatter_add(1, zero(), x(1, 1))); }},
    {"scatter_add wide",
     [] {
       static_cast<void>(x().scatter_add(1, zeros({1, 2}, int64), x(1, 1)));
     }},
    {"scatter_add long",
     [] {
       static_cast<void>(x().scatter_add(1, zeros({9, 1}, int64), x(9, 1)));
     }},
    {"scatter_add index", [] { static_cast<void>(x().scatter_add(1, tensor({{0.}}), x(1, 1))); }},
    {"scatter dtype",
     [] {
       static_cast<void>(x().scatter(1, zeros({1, 1}, int64), ones({1, 1})));
     }},
    {"scatter range", [] { static_cast<void>(x().scatter(1, tensor({{5}}), 1)); }},
    {"scatter number",
     [] {
       static_cast<void>(i().scatter(1, zeros({1, 1}, int64), NAN));
     }},
    {"take_along_dim index", [] { static_cast<void>(x().take_along_dim(tensor({{0.}}), 1)); }},
    {"take_along_dim dims", [] { static_cast<void>(x().take_along_dim(zero(), 1)); }},
    {"take_along_dim shape",
     [] {
       static_cast<void>(x().take_along_dim(zeros({3, 1}, int64), 1));
     }},
    {"cumsum 2", [] { static_cast<void>(x().cumsum(2)); }},
    {"prod 3", [] { static_cast<void>(x().prod(3)); }},
    {"sort 2", [] { static_cast<void>(x().sort(2)); }},
    {"topk 5", [] { static_cast<void>(x().topk(5)); }},
    {"topk -1", [] { static_cast<void>(x().topk(-1)); }},
    {"topk bool", [] { static_cast<void>(b().topk(1)); }},
    {"flip twice",
     [] {
       static_cast<void>(x().flip({0, 0}));
     }},
    {"flip 2", [] { static_cast<void>(x().flip(2)); }},
    {"outer self", [] { static_cast<void>(x().outer(v())); }},
    {"outer vec2", [] { static_cast<void>(v().outer(x())); }},
    {"norm int", [] { static_cast<void>(i().norm()); }},
    {"norm dim", [] { static_cast<void>(x().norm(2, 5)); }},
    {"norm twice",
     [] {
       static_cast<void>(x().norm(2, {0, 0}));
     }},
    {"floor bool", [] { static_cast<void>(b().floor()); }},
    {"float & float", [] { static_cast<void>(x() & x()); }},
    {"bool & 1.5", [] { static_cast<void>(b() & 1.5); }},
    {"& shapes", [] { static_cast<void>(b() & ones({5}, boolean)); }},
    {"bmm first", [] { static_cast<void>(x().bmm(y())); }},
    {"bmm second", [] { static_cast<void>(y().bmm(x())); }},
    {"bmm batches", [] { static_cast<void>(y().bmm(x(3, 4, 2))); }},
    {"bmm inner", [] { static_cast<void>(y().bmm(x(2, 3, 2))); }},
    {"bmm dtype",
     [] {
       static_cast<void>(y().bmm(ones({2, 4, 2})));
     }},
    {"matmul batches", [] { static_cast<void>(y().matmul(x(3, 4, 2))); }},
    {"matmul 3 @ 3", [] { static_cast<void>(y().matmul(x(2, 3, 2))); }},
    {"matmul 3 @ 2", [] { static_cast<void>(y().matmul(x(3, 2))); }},
    {"matmul 3 @ 1", [] { static_cast<void>(y().matmul(x(3))); }},
    {"matmul 1 @ 3", [] { static_cast<void>(v().matmul(y())); }},
    {"matmul 2 @ 3", [] { static_cast<void>(x(5, 2).matmul(y())); }},
    {"matmul 3 @ 0", [] { static_cast<void>(y().matmul(single())); }},
    {"matmul dtype",
     [] {
       static_cast<void>(y().matmul(ones({2, 4, 2})));
     }},
    {"one_hot small",
     [] {
       static_cast<void>(one_hot(tensor({0, 2}), 2));
     }},
    {"one_hot negative",
     [] {
       static_cast<void>(one_hot(tensor({0, -2})));
     }},
    {"one_hot float", [] { static_cast<void>(one_hot(x())); }},
    {"one_hot nothing", [] { static_cast<void>(one_hot(zeros({0}, int64))); }},
    {"multinomial negative",
     [] {
       static_cast<void>(multinomial(tensor({-1., 2.}), 1));
     }},
    {"multinomial infinite",
     [] {
       static_cast<void>(multinomial(tensor({INFINITY, 2.f}), 1));
     }},
    {"multinomial nan",
     [] {
       static_cast<void>(multinomial(tensor({NAN, 2.f}), 2));
     }},
    {"multinomial zero",
     [] {
       static_cast<void>(multinomial(tensor({0., 0.}), 1));
     }},
    {"multinomial zero, replaced",
     [] {
       static_cast<void>(multinomial(tensor({0., 0.}), 2, true));
     }},
    {"multinomial negative, replaced",
     [] {
       static_cast<void>(multinomial(tensor({-1., 2.}), 2, true));
     }},
    {"multinomial many",
     [] {
       static_cast<void>(multinomial(tensor({1., 2.}), 3));
     }},
    {"multinomial none",
     [] {
       static_cast<void>(multinomial(tensor({1., 2.}), 0));
     }},
    {"multinomial int",
     [] {
       static_cast<void>(multinomial(tensor({1, 2}), 1));
     }},
    {"multinomial 3-d",
     [] {
       static_cast<void>(multinomial(ones({2, 2, 2}), 1));
     }},
    {"normal std",
     [] {
       static_cast<void>(normal(zeros({2}), tensor({1., -1.})));
     }},
    {"normal shapes", [] { static_cast<void>(normal(zeros({2}), ones({3}))); }},
    {"normal negative", [] { static_cast<void>(normal(0, -1, {2})); }},
    {"normal int",
     [] {
       static_cast<void>(normal(tensor({1, 2}), 1.));
     }},
};

TEST(OpsErrors, BeginWithTheWordsOfPyTorch) {
  const auto& recorded = load_golden("ops.json").at("errors");
  EXPECT_EQ(recorded.size(), mistakes.size());
  for (const json& entry : recorded) {
    const auto name = entry.at("name").get<std::string>(), text = entry.at("text").get<std::string>();
    SCOPED_TRACE(name);
    ASSERT_TRUE(mistakes.contains(name));
    try {
      mistakes.at(name)();
      ADD_FAILURE() << "nothing was thrown instead of: " << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), entry.at("kind").get<std::string>());
      EXPECT_EQ(std::string(error.what()).substr(0, text.size()), text);
    }
  }
}

}  // namespace
}  // namespace gradus::test
