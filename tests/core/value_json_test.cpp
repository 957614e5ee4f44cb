#include "io/value_json.hpp"

#include "files.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace gradus::test {
namespace {

using detail::value_from_json;
using detail::value_to_json;

Value round_trip(const Value& value) {
  const StateDict tensors = value.tensors();
  return value_from_json(value_to_json(value, tensors), tensors);
}

TEST(ValueJson, WritesWhatJsonHasAndNamesTheRest) {
  Value value;
  value["model"]["w"] = ones({2});
  value[0] = Value::tuple({1.5, Value(), "a\"b"});
  EXPECT_EQ(value_to_json(value, value.tensors()),
            R"({"dict":[["model",{"dict":[["w",{"tensor":"model.w"}]]}],[0,{"tuple":[1.5,null,"a\"b"]}]]})");
}

TEST(ValueJson, BringsBackEveryKind) {
  using Limits = std::numeric_limits<double>;
  Value value;
  value["numbers"] =
      Value::list({INT64_MIN, INT64_MAX, 0.1, 1.0, -0.0, 5e-324, Limits::infinity(), -Limits::infinity()});
  value["nan"] = Limits::quiet_NaN();
  value["flags"] = Value::tuple({true, false, Value()});
  value["empty"] = Value::list({"", Value::list(), Value::tuple(), Value::dict()});
  value["x"] = ones({2});
  value["deep"][-1]["ü"] = ones({3});
  const Value read = round_trip(value);
  ASSERT_EQ(read.size(), value.size());
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_EQ(read["numbers"].as_list()[i].as_int(), value["numbers"].as_list()[i].as_int());
  for (std::size_t i = 2; i < 8; ++i) {
    const double number = read["numbers"].as_list()[i].as_double();
    EXPECT_EQ(number, value["numbers"].as_list()[i].as_double());
    EXPECT_EQ(std::signbit(number), i == 4 || i == 7);
  }
  EXPECT_TRUE(std::isnan(read["nan"].as_double()));
  EXPECT_EQ(read["flags"].kind(), Value::Kind::tuple);
  EXPECT_FALSE(read["flags"].as_list()[1].as_bool());
  EXPECT_EQ(read["empty"].as_list()[2].kind(), Value::Kind::tuple);
  EXPECT_EQ(read["empty"].as_list()[3].kind(), Value::Kind::dict);
  EXPECT_TRUE(read["x"].as_tensor().is_same(value["x"].as_tensor()));
  EXPECT_EQ(read["deep"][-1]["ü"].as_tensor().numel(), 3);
}

TEST(ValueJson, RefusesWhatItDidNotWrite) {
  const auto refuse = [](const std::string& json, const std::string& reason) {
    expect_error_with<FileError>([&] { value_from_json(json, {{"x", ones({1})}}); }, reason);
  };
  for (const char* json : {"", "{", "[1,", "{}", R"({"tuple":[],"dict":[]})", R"({"dict":[1]})", R"({"dict":[[1]]})",
                           R"({"float":1})", R"({"tensor":[]})", "\"\xff\""}) {
    refuse(json, "does not describe a value");
  }
  refuse(R"({"float":"1"})", "unknown number '1'");
  refuse(R"({"set":[]})", "unknown type 'set'");
  refuse(std::string(100'000, '['), "nested too deep");
  expect_error_with<KeyError>([] { value_from_json(R"({"tensor":"y"})", {}); }, "no tensor named 'y'");
  expect_error_with<KeyError>([] { value_from_json(R"({"dict":[[1,2],[1,3]]})", {}); }, "two values have the key '1'");
}

TEST(ValueJson, WriterRefusesWhatNobodyCouldRead) {
  Value deep;
  for (int i = 0; i < 101; ++i) deep = Value::list({deep});
  expect_error_with<ValueError>([&] { value_to_json(deep, {}); }, "nested more than 100 deep");
  expect_error_with<ValueError>([] { value_to_json("\xff", {}); }, "not UTF-8");
}

TEST(ValueJson, BringsBackTheDeepestThatIsWritten) {
  Value deep = 1;
  for (int i = 0; i < 100; ++i) deep = Value::dict({{"a", deep}});
  Value read = round_trip(deep);
  for (int i = 0; i < 100; ++i) read = Value(read["a"]);
  EXPECT_EQ(read.as_int(), 1);
}

}  // namespace
}  // namespace gradus::test
