#include "errors.hpp"
#include "names.hpp"

#include <gradus/core/value.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

TEST(Value, RefusesAnUnsignedIntegerThatHasNoSignedOne) {
  expect_error<RuntimeError>("Overflow when unpacking long", [] { Value(std::uint64_t{1} << 63); });
  EXPECT_EQ(Value((std::uint64_t{1} << 63) - 1).as_int(), INT64_MAX);
}

TEST(Value, IsOfTheKindItWasMadeFrom) {
  EXPECT_TRUE(Value().is_none());
  EXPECT_TRUE(Value(true).as_bool());
  EXPECT_EQ(Value(INT64_MIN).as_int(), INT64_MIN);
  EXPECT_EQ(Value(7u).as_double(), 7.0);
  EXPECT_EQ(Value(0.5f).as_double(), 0.5);
  EXPECT_EQ(Value("text").as_string(), "text");
  EXPECT_EQ(Value(ones({2})).as_tensor().numel(), 2);
  EXPECT_EQ(Value::list({1, "a", Value()}).size(), 3u);
  EXPECT_EQ(Value::tuple({1, 2}).as_list()[1].as_int(), 2);
  EXPECT_EQ(to_string(Value::tuple().kind()), "tuple");
  EXPECT_EQ(to_string(Value(1.5).kind()), "float");
}

TEST(Value, NamesTheKindItFound) {
  expect_error_with<TypeError>([] { Value(1).as_bool(); }, "expected bool, got int");
  expect_error_with<TypeError>([] { Value(1.5).as_int(); }, "expected int, got float");
  expect_error_with<TypeError>([] { Value("1").as_double(); }, "expected float, got str");
  expect_error_with<TypeError>([] { Value().as_string(); }, "expected str, got None");
  expect_error_with<TypeError>([] { Value::list().as_dict(); }, "expected dict, got list");
  expect_error_with<TypeError>([] { Value::dict().as_list(); }, "expected list, got dict");
  expect_error_with<TypeError>([] { Value::tuple().as_tensor(); }, "expected Tensor, got tuple");
  expect_error_with<TypeError>([] { Value(true).size(); }, "expected list, got bool");
}

TEST(Value, GrowsByAssigningToKeys) {
  Value checkpoint;
  checkpoint["epoch"] = 3;
  checkpoint["optimizer"]["state"][0]["step"] = 7;
  checkpoint["epoch"] = 4;
  EXPECT_EQ(checkpoint.size(), 2u);
  EXPECT_EQ(checkpoint.at("epoch").as_int(), 4);
  EXPECT_EQ(checkpoint["optimizer"]["state"][0]["step"].as_int(), 7);
  EXPECT_TRUE(checkpoint.contains("epoch"));
  EXPECT_FALSE(checkpoint["optimizer"]["state"].contains("0"));  // 0 and "0" are two keys, as in Python
}

TEST(Value, RefusesKeysThatAreMissingOrTakenOrNoKeys) {
  const Value value = Value::dict({{"a", 1}, {2, 3}});
  expect_error_with<KeyError>([&] { value["b"]; }, "no key 'b'\nThere are: a, 2");
  expect_error_with<KeyError>([] { Value::dict({{"a", 1}, {"a", 2}}); }, "two values have the key 'a'");
  expect_error_with<TypeError>([] { Value::dict({{1.5, 1}}); }, "expected str or int as a key, got float");
  expect_error_with<TypeError>([&] { value[Value()]; }, "expected str or int as a key, got None");
  expect_error_with<TypeError>([] { Value(3)["a"]; }, "expected dict, got int");
}

TEST(Value, CopiesTheTreeAndSharesTensors) {
  Value value;
  value["x"] = ones({2});
  value["list"] = Value::list({1});
  Value copy = value;
  copy["list"].as_list().push_back(2);
  EXPECT_EQ(value["list"].size(), 1u);
  EXPECT_TRUE(copy["x"].as_tensor().is_same(value["x"].as_tensor()));
}

TEST(Value, GivesBackAStateDict) {
  const StateDict state{{"weight", ones({2})}, {"bias", zeros({3})}};
  const Value value = state;
  EXPECT_EQ(names(value.as_state_dict()), names(state));
  EXPECT_TRUE(value["bias"].as_tensor().is_same(state.at("bias")));
  expect_error_with<TypeError>([] { Value::dict({{"a", 1}}).as_state_dict(); }, "expected Tensor, got int");
  expect_error_with<TypeError>([] { Value::dict({{1, ones({1})}}).as_state_dict(); }, "expected str, got int");
}

TEST(Value, CollectsTensorsUnderTheirPaths) {
  Value value;
  value["model"]["0.weight"] = ones({2});
  value["epoch"] = 3;
  value["state"][7]["momentum"] = ones({3});
  value["pair"] = Value::tuple({zeros({1}), Value::list({zeros({4})})});
  value["model.0"]["weight"] = ones({5});  // the path model.0.weight is taken
  EXPECT_EQ(names(value.tensors()),
            (std::vector<std::string>{"model.0.weight", "state.7.momentum", "pair.0", "pair.1.0", "model.0.weight_"}));
  EXPECT_EQ(value.tensors().at("model.0.weight_").numel(), 5);
}

}  // namespace
}  // namespace gradus::test
