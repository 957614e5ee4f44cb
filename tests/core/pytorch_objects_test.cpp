#include "files.hpp"
#include "io/elements.hpp"
#include "io/pytorch.hpp"
#include "paths.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

const std::string golden = source_path("tests/golden/files/");

template <class T>
std::vector<T> elements(const Tensor& x) {
  const auto data = x.data<T>();
  return {data.begin(), data.end()};
}

/// The numbers from `start` on, times `factor`.
template <class T>
std::vector<T> count(std::int64_t start, std::int64_t size, T factor = 1) {
  std::vector<T> numbers;
  for (std::int64_t i = 0; i < size; ++i) numbers.push_back(static_cast<T>(start + i) * factor);
  return numbers;
}

void expect_same(const StateDict& got, const StateDict& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got.entry(i).first, expected.entry(i).first);
    const Tensor &x = got.entry(i).second, &y = expected.entry(i).second;
    EXPECT_EQ(x.shape(), y.shape()) << got.entry(i).first;
    EXPECT_EQ(detail::element_bytes(x), detail::element_bytes(y)) << got.entry(i).first;
  }
}

TEST(Pytorch, ReadsTheFormBefore16) {
  EXPECT_EQ(elements<float>(load_value(golden + "legacy.pt").as_tensor()), count<float>(0, 2));
  expect_same(load(golden + "legacy_state_dict.pt"), load(golden + "state_dict.pt"));
  for (const bool share : {false, true}) {
    const StateDict views = load(golden + "legacy_views.pt", {.share_storage = share});
    EXPECT_EQ(elements<float>(views.at("rows")), count<float>(6, 12));
    EXPECT_EQ(views.at("transposed")[5][1].item<float>(), 11);
    EXPECT_EQ(elements<float>(views.at("half")), count<float>(0, 3));
    EXPECT_EQ(views.at("empty").shape(), Shape({0, 6}));
    EXPECT_EQ(views.at("base").shares_storage(views.at("rows")), share);
  }
}

TEST(Pytorch, ReadsEveryProtocol) {
  const StateDict expected = load(golden + "state_dict.pt");
  for (const char* name : {"protocol3_checkpoint", "protocol4_checkpoint", "protocol5_checkpoint", "legacy_protocol3",
                           "legacy_protocol4", "legacy_protocol5"}) {
    const Value value = load_value(golden + name + ".pt");
    EXPECT_EQ(value["epoch"].as_int(), 3) << name;
    expect_same(value["model"].as_state_dict(), expected);
  }
  EXPECT_EQ(elements<float>(load_value(golden + "protocol4.pt").as_tensor()), count<float>(0, 2));
}

TEST(Pytorch, ReadsAWholeModuleAsItsStateDict) {
  const StateDict expected = load(golden + "whole_module_state_dict.pt");
  for (const char* name : {"whole_module.pt", "legacy_whole_module.pt"}) {
    expect_same(load(golden + name), expected);
    const Value value = load_value(golden + name);
    EXPECT_EQ(value.kind(), Value::Kind::object);
    EXPECT_EQ(value.type_name(), "__main__.Net");
    expect_same(value.as_state_dict(), expected);
    EXPECT_EQ(value["scale"].as_tensor().item<float>(), 7);
  }
  EXPECT_TRUE(load(golden + "module.pt").empty());
}

class Objects : public ::testing::TestWithParam<const char*> {
 protected:
  Value file = load_value(golden + GetParam());
};

TEST_P(Objects, ThatHoldPlainThingsShowThem) {
  const Value& value = file;
  EXPECT_EQ(value["schedule"]["milestones"][5].as_int(), 2);  // a Counter
  EXPECT_EQ(value["counter"]["a"].as_int(), 2);
  EXPECT_EQ(value["default"]["a"].as_list()[0].as_int(), 1);
  EXPECT_EQ(value["set"].type_name(), "set");
  EXPECT_EQ(value["set"].as_list()[0].as_int(), 3);
  EXPECT_EQ(value["frozenset"].type_name(), "frozenset");
  EXPECT_EQ(value["frozenset"].as_list()[0].as_string(), "x");
  EXPECT_EQ(value["bytes"].type_name(), "bytes");
  EXPECT_EQ(value["bytes"].as_string(), std::string("\0\xff\x41", 3));
  EXPECT_EQ(value["no_bytes"].as_string(), "");
  EXPECT_EQ(value["device"].type_name(), "torch.device");
  EXPECT_EQ(value["device"].as_string(), "cuda:1");
  EXPECT_EQ(value["size"].as_list()[1].as_int(), 3);
  EXPECT_EQ(value["by_pair"].type_name(), "dict");
  EXPECT_EQ(value["by_pair"].as_list()[0].as_list()[1].as_tensor().numel(), 2);
}

TEST_P(Objects, OfNumpyAreNumbersAndTensors) {
  const Value& value = file;
  EXPECT_EQ(value["float64"].as_double(), 0.5);
  EXPECT_EQ(value["float32"].as_double(), 0.25);
  EXPECT_EQ(value["int64"].as_int(), -3);
  EXPECT_TRUE(value["bool_"].as_bool());
  EXPECT_EQ(value["array"].as_tensor().shape(), Shape({2, 3}));
  EXPECT_EQ(elements<std::int64_t>(value["array"].as_tensor()), count<std::int64_t>(0, 6));
  EXPECT_EQ(elements<double>(value["fortran"].as_tensor()), count<double>(0, 6));
  EXPECT_EQ(elements<float>(value["big_endian"].as_tensor()), count<float>(0, 3));
  EXPECT_EQ(elements<std::int64_t>(value["uint64"].as_tensor()), count<std::int64_t>(1, 2));
}

TEST_P(Objects, ThatNobodyKnowsAreNamedAndPassedOver) {
  const std::vector<std::pair<const char*, std::string>> types = {{"dtype", "torch.float16"},
                                                                  {"large", "int"},
                                                                  {"complex", "complex"},
                                                                  {"texts", "numpy.ndarray"},
                                                                  {"complex_tensor", "torch.Tensor"},
                                                                  {"class", "collections.OrderedDict"},
                                                                  {"settings", "__main__.Settings"},
                                                                  {"optimizer", "torch.optim.adam.Adam"}};
  for (const auto& [name, type] : types) {
    const Value& object = file.at(name);
    EXPECT_EQ(object.kind(), Value::Kind::object) << name;
    EXPECT_EQ(object.type_name(), type) << name;
    EXPECT_TRUE(object.content().is_none()) << name;
    expect_error<TypeError>("expected dict, got the Python object '" + type + "'", [&] { object.as_dict(); });
  }
  for (const char* name : {"too_large", "python_objects", "ellipsis"}) {
    EXPECT_EQ(file.at(name).kind(), Value::Kind::object) << name;
  }
  const StateDict tensors = load(golden + GetParam());
  expect_same(tensors.part("model."), load(golden + "state_dict.pt"));
  EXPECT_EQ(tensors.size(), 8u + 4u + 1u);  // the arrays, and the one under a pair
  const TemporaryFolder folder;
  expect_error_with<ValueError>([&] { save_value(file, folder / "x.pt"); }, "a Python object 'set'");
  expect_error_with<ValueError>([&] { save_value(file, folder / "x.safetensors"); }, "a Python object 'set'");
}

INSTANTIATE_TEST_SUITE_P(, Objects, ::testing::Values("objects2.pt", "objects4.pt"));

}  // namespace
}  // namespace gradus::test
