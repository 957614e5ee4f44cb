#include "errors.hpp"
#include "names.hpp"

#include <gradus/core/state_dict.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(StateDict, KeepsTheOrderOfAdding) {
  StateDict state;
  state["weight"] = full({2}, 1.5);
  state["bias"] = full({3}, 2.5);
  state["weight"] = full({4}, 3.5);
  EXPECT_EQ(names(state), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(state.size(), 2u);
  EXPECT_EQ(state.at("weight").shape(), Shape({4}));
  EXPECT_TRUE(state.contains("bias"));
  EXPECT_FALSE(state.contains("bia"));
}

TEST(StateDict, CopiesShareTensorsButNotNames) {
  StateDict state{{"a", zeros({2})}, {"b", zeros({3})}};
  StateDict copy = state;
  copy["c"] = zeros({1});
  EXPECT_TRUE(copy.at("a").is_same(state.at("a")));
  EXPECT_FALSE(state.contains("c"));
}

TEST(StateDict, HandsOutAHandleOfItsOwnWhenItIsATemporary) {
  const auto make = [] { return StateDict{{"a", full({2}, 3.)}}; };
  const Tensor a = make().at("a");
  const Tensor& b = make()["a"];
  EXPECT_EQ(a.data<float>()[1] + b.data<float>()[1], 6);
  static_assert(std::is_same_v<decltype(make()["a"]), Tensor>);
  expect_error_with<KeyError>([&] { make()["b"]; }, "no tensor named 'b'");
}

TEST(StateDict, ErasesAndStillFindsTheOthers) {
  StateDict state{{"z", zeros({1})}, {"b", zeros({2})}, {"a", zeros({3})}, {"c", zeros({4})}};
  state.erase("b");
  EXPECT_EQ(names(state), (std::vector<std::string>{"z", "a", "c"}));
  EXPECT_EQ(state.at("a").numel(), 3);
  EXPECT_EQ(state.at("c").numel(), 4);
  EXPECT_EQ(state.at("z").numel(), 1);
  expect_error_with<KeyError>([&] { state.erase("b"); }, "no tensor named 'b'");
}

TEST(StateDict, PartHasTheNamesBehindAPrefix) {
  const StateDict state{{"model.0.weight", zeros({1})}, {"other", zeros({2})}, {"model.1.bias", zeros({3})}};
  EXPECT_EQ(names(state.part("model.")), (std::vector<std::string>{"0.weight", "1.bias"}));
  EXPECT_EQ(names(state.part("")), names(state));
}

TEST(StateDict, NamesWhatIsMissingAndWhatIsThere) {
  const StateDict state{{"weight", zeros({1})}, {"bias", zeros({1})}};
  expect_error_with<KeyError>([&] { state.at("wieght"); }, "no tensor named 'wieght'\nThere are: weight, bias");
  expect_error_with<KeyError>(
      [] {
        (void)StateDict{{"a", zeros({1})}, {"a", zeros({1})}};
      },
      "two tensors are named 'a'");
}

}  // namespace
}  // namespace gradus::test
