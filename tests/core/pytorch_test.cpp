#include "io/pytorch.hpp"

#include "io/elements.hpp"
#include "paths.hpp"
#include "zip_builder.hpp"

#include <gtest/gtest.h>

#include <cmath>

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

Value parse(const std::string& file, bool share_storage = false, std::uint64_t memory_limit = 0) {
  detail::Budget budget(memory_limit, file.size());
  return detail::parse_pytorch(as_bytes(file), budget, share_storage);
}

TEST(Pytorch, ReadsAStateDict) {
  const StateDict state = load(golden + "state_dict.pt");
  std::vector<std::string> names;
  std::size_t k = 0;
  for (const auto& [name, tensor] : state) {
    names.push_back(name);
    for (std::int64_t i = 0; i < tensor.numel(); ++i) {  // as make_files.py fills it
      const double value = static_cast<double>((7 * i + 3 * static_cast<std::int64_t>(k)) % 11 - 5) / 8;
      const double expected = name == "norm.running_var"           ? value * value + 1
                              : name == "norm.num_batches_tracked" ? value * 8 + 5
                                                                   : value;
      EXPECT_EQ(tensor.reshape(tensor.numel())[i].item<double>(), expected) << name << " " << i;
    }
    ++k;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{"hidden.weight", "norm.weight", "norm.bias", "norm.running_mean",
                                      "norm.running_var", "norm.num_batches_tracked", "out.weight", "out.bias"}));
  EXPECT_EQ(state.at("hidden.weight").shape(), Shape({4, 3}));
  EXPECT_EQ(state.at("norm.num_batches_tracked").dtype(), int64);
  EXPECT_EQ(state.at("norm.num_batches_tracked").shape(), Shape());
}

TEST(Pytorch, WidensShortTypes) {
  const StateDict state = load(golden + "dtypes.pt");
  EXPECT_EQ(elements<bool>(state.at("bool")), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(elements<std::int64_t>(state.at("uint8")), count<std::int64_t>(253, 3));
  EXPECT_EQ(elements<std::int64_t>(state.at("int8")), count<std::int64_t>(-1, 3));
  EXPECT_EQ(elements<std::int64_t>(state.at("int16")), count<std::int64_t>(-300, 3));
  EXPECT_EQ(elements<std::int64_t>(state.at("int32")), count<std::int64_t>(-70000, 3));
  EXPECT_EQ(elements<std::int64_t>(state.at("int64")), count<std::int64_t>(std::int64_t{1} << 40, 3));
  EXPECT_EQ(elements<float>(state.at("float16")), count<float>(-1, 3, 0.5f));
  EXPECT_EQ(elements<float>(state.at("bfloat16")), count<float>(-1, 3, 0.5f));
  EXPECT_EQ(elements<float>(state.at("float32")), count<float>(-1, 3, 0.5f));
  EXPECT_EQ(elements<double>(state.at("float64")), (std::vector<double>{-1.0 / 3, 0, 1.0 / 3}));
}

TEST(Pytorch, FollowsViews) {
  const StateDict state = load(golden + "views.pt");
  using Floats = std::vector<float>;
  EXPECT_EQ(elements<float>(state.at("base")), count<float>(0, 24));
  EXPECT_EQ(state.at("transposed").shape(), Shape({6, 4}));
  EXPECT_EQ(state.at("transposed")[5][1].item<float>(), 11);
  EXPECT_EQ(elements<float>(state.at("rows")), count<float>(6, 12));
  EXPECT_EQ(elements<float>(state.at("columns")), (Floats{2, 3, 4, 8, 9, 10, 14, 15, 16, 20, 21, 22}));
  EXPECT_EQ(elements<float>(state.at("steps")), (Floats{0, 3, 12, 15}));
  EXPECT_EQ(elements<float>(state.at("expanded")), (Floats{6, 7, 6, 7, 6, 7}));
  EXPECT_EQ(elements<float>(state.at("diagonal")), (Floats{0, 7, 14, 21}));
  EXPECT_EQ(state.at("scalar").shape(), Shape());
  EXPECT_EQ(state.at("scalar").item<float>(), 15);
  EXPECT_EQ(state.at("empty").shape(), Shape({0, 6}));
  EXPECT_EQ(state.at("zero_by_three").shape(), Shape({0, 3}));
  EXPECT_EQ(elements<float>(state.at("tied.b")), count<float>(0, 6));
}

TEST(Pytorch, SharesMemoryWhereAsked) {
  const StateDict apart = load(golden + "views.pt");
  EXPECT_FALSE(apart.at("tied.a").shares_storage(apart.at("tied.b")));
  EXPECT_FALSE(apart.at("base").shares_storage(apart.at("rows")));

  const StateDict shared = load(golden + "views.pt", {.share_storage = true});
  EXPECT_TRUE(shared.at("tied.a").shares_storage(shared.at("tied.b")));
  EXPECT_TRUE(shared.at("base").shares_storage(shared.at("rows")));
  EXPECT_FALSE(shared.at("base").shares_storage(shared.at("transposed")));
  for (const auto& [name, tensor] : apart) EXPECT_EQ(elements<float>(shared.at(name)), elements<float>(tensor)) << name;
}

TEST(Pytorch, ReadsACheckpoint) {
  const Value value = load_value(golden + "checkpoint.pt");
  EXPECT_EQ(value["epoch"].as_int(), 3);
  EXPECT_EQ(value["best"].as_double(), 0.984375);
  EXPECT_TRUE(std::isinf(value["infinite"].as_double()));
  EXPECT_EQ(value["name"].as_string(), "Größe 𝄞");
  EXPECT_TRUE(value["nothing"].is_none());
  EXPECT_EQ(value["flags"].kind(), Value::Kind::tuple);
  EXPECT_TRUE(value["flags"].as_list()[0].as_bool());
  std::vector<std::int64_t> integers;
  for (const Value& integer : value["integers"].as_list()) integers.push_back(integer.as_int());
  EXPECT_EQ(integers, (std::vector<std::int64_t>{0, -1, 255, 256, 65535, 65536, INT32_MIN, std::int64_t{1} << 31,
                                                 INT64_MIN, INT64_MAX}));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(value["tuples"].as_list()[i].size(), i);
  EXPECT_EQ(value["history"].as_list()[0]["loss"].as_double(), 0.5);
  EXPECT_EQ(value["history"].as_list()[1].size(), 0u);
  EXPECT_EQ(value["shape"].as_list()[1].as_int(), 3);
  EXPECT_EQ(value[3].as_string(), "three");

  const Value& optimizer = value["optimizer_state_dict"];
  EXPECT_EQ(optimizer["param_groups"].as_list()[0]["lr"].as_double(), 0.125);
  EXPECT_EQ(optimizer["param_groups"].as_list()[0]["params"].as_list()[4].as_int(), 4);
  EXPECT_EQ(optimizer["state"][3]["momentum_buffer"].as_tensor().shape(), Shape({2, 4}));
  EXPECT_EQ(value["scheduler_state_dict"]["last_epoch"].as_int(), 1);
  EXPECT_EQ(value["model_state_dict"].as_state_dict().size(), 8u);
}

TEST(Pytorch, LoadGivesTheTensorsOfACheckpointAlone) {
  const StateDict state = load(golden + "checkpoint.pt");
  EXPECT_EQ(state.size(), 8u + 5u + 2u);
  EXPECT_EQ(state.part("model_state_dict.").at("out.weight").shape(), Shape({2, 4}));
  EXPECT_TRUE(state.contains("optimizer_state_dict.state.0.momentum_buffer"));
}

TEST(Pytorch, RefusesOtherKindsOfFilesByName) {
  expect_error_with<FileError>([&] { return load(golden + "script.pt"); }, "a TorchScript archive");
  expect_error_with<FileError>([&] { return load(golden + "script.pt"); }, "cannot read '" + golden + "script.pt");
  for (const char* sign : {"model.json", "attributes.pkl"}) {
    const std::string old =
        zip_of({{"net/version", "1\n"}, {std::string("net/") + sign, "{}"}, {"net/tensors/0", "1234"}});
    expect_error_with<FileError>([&] { parse(old); }, "a TorchScript archive");
  }
  expect_error_with<FileError>([] { parse(std::string(257, 'x') + "ustar" + std::string(250, '\0')); },
                               "a tar archive, the format of PyTorch 0.1");
  expect_error_with<FileError>([] { parse("\x80\x04K\1."); }, "a pickle that torch.save did not write");
  expect_error_with<FileError>([] { parse("no archive"); }, "no intact zip archive");
}

// Below: archives by hand around the pickle of a tensor of two elements.
std::string text(const std::string& content) {
  return "X" + bytes_of(static_cast<std::uint32_t>(content.size())) + content;
}

const std::string pickle = [] {
  return "\x80\x02"
         "ctorch._utils\n_rebuild_tensor_v2\n((" +
         text("storage") + "ctorch\nFloatStorage\n" + text("0") + text("cpu") + "K\2tQ" + std::string("K\0", 2) +
         "(K\2t(K\1t\x89"
         "ccollections\nOrderedDict\n)RtR.";
}();
const std::string data = bytes_of(1.5f) + bytes_of(-2.5f);

void expect_refused(const std::vector<ZipFile>& files, const std::string& reason) {
  expect_error_with<FileError>([&] { parse(zip_of(files)); }, reason);
}

TEST(Pytorch, ReadsTheSmallestArchive) {
  const std::string file = zip_of({{"a/data.pkl", pickle}, {"a/data/0", data}, {"a/version", "3\n"}});
  EXPECT_EQ(elements<float>(parse(file).as_tensor()), (std::vector<float>{1.5f, -2.5f}));
  const std::string compressed = zip_of({{"a/data.pkl", pickle},
                                         {"a/.data/version", "10"},
                                         {"a/byteorder", "little"},
                                         {"a/data/0", std::string("\1\x08\0\xf7\xff", 5) + data, 8, 8, crc32(data)}});
  EXPECT_EQ(elements<float>(parse(compressed).as_tensor()), (std::vector<float>{1.5f, -2.5f}));
}

TEST(Pytorch, RefusesArchivesThatAreNotComplete) {
  const ZipFile program{"a/data.pkl", pickle}, version{"a/version", "3"}, storage{"a/data/0", data};
  expect_refused({}, "an empty archive");
  expect_refused({program, storage}, "no file 'version'");
  expect_refused({version, storage}, "it holds no file 'a/data.pkl'");
  expect_refused({version, program}, "it holds no file 'a/data/0'");
  expect_refused({version, program, {"a/data/0", "1234567"}}, "'a/data/0' has 7 bytes, the storage in it needs 8");
  expect_refused({version, program, {"b/data/0", data}}, "one folder");
  expect_refused({{"version", "3"}}, "one folder");
  expect_refused({program, {"a/version", "11"}}, "its version '11' is unknown");
  expect_refused({program, {"a/version", "three"}}, "its version 'three' is unknown");
  expect_refused({program, version, {"a/byteorder", "big"}, storage}, "big-endian");
}

TEST(Pytorch, RefusesTreesThatAreTooDeepOrTooLarge) {
  const auto program = [](const std::string& body) {
    return zip_of({{"a/data.pkl", "\x80\x02" + body + "."}, {"a/version", "3"}});
  };
  expect_error_with<FileError>([&] { parse(program("]q\1h\1a")); }, "nested more than 100 deep");
  std::string tuples = ")q\1";  // each holds the one before twice
  for (int i = 0; i < 60; ++i) tuples += "h\1\x86q\1";
  expect_error_with<FileError>([&] { parse(program(tuples)); }, "it would take more than");
}

TEST(Pytorch, RefusesStridesThatUnfoldTooFar) {
  std::string huge = pickle;
  const std::string shape = "(K\2t(K\1t",
                    expanded = "(\x8a\x05" + std::string("\0\0\0\0\1", 5) + "t(" + std::string("K\0", 2) + "t";
  huge.replace(huge.find(shape), shape.size(), expanded);
  expect_error_with<FileError>(
      [&] {
        parse(zip_of({{"a/data.pkl", huge}, {"a/version", "3"}, {"a/data/0", data}}));
      },
      "it would take more than");
}

TEST(Pytorch, BringsBackWhatItWrites) {
  Value value;
  const Tensor x = tensor({{1.5, -2.5, 3.0}});
  value["model"] = StateDict{{"a", x}, {"tied", x}, {"long", tensor({1, -2})}, {"double", full({2, 0}, 1.0, float64)}};
  value["flags"] = Value::tuple({true, tensor({true, false}), Value()});
  value[-1] = 0.1;
  const std::string file = detail::pytorch_bytes(value);
  EXPECT_EQ(file, detail::pytorch_bytes(value));  // nothing of the clock in it
  const Value read = parse(file, true);
  EXPECT_EQ(elements<float>(read["model"]["a"].as_tensor()), elements<float>(x));
  EXPECT_EQ(read["model"]["a"].as_tensor().shape(), x.shape());
  EXPECT_TRUE(read["model"]["a"].as_tensor().shares_storage(read["model"]["tied"].as_tensor()));
  EXPECT_EQ(elements<std::int64_t>(read["model"]["long"].as_tensor()), (std::vector<std::int64_t>{1, -2}));
  EXPECT_EQ(read["model"]["double"].as_tensor().shape(), Shape({2, 0}));
  EXPECT_EQ(elements<bool>(read["flags"].as_list()[1].as_tensor()), (std::vector<bool>{true, false}));
  EXPECT_EQ(read[-1].as_double(), 0.1);
}

TEST(Pytorch, WritesStoragesAtMultiplesOf64Bytes) {
  Value value;
  value["a"] = ones({3});
  value["long name of a tensor"] = tensor({1, 2, 3});
  value["flags"] = tensor({true});
  value["none"] = zeros({0});
  value["last"] = ones({5, 7}, float64);
  const std::string file = detail::pytorch_bytes(value);
  int storages = 0;
  for (std::size_t at = file.find("PK\3\4"); at != file.npos; at = file.find("PK\3\4", at + 1)) {
    const auto length = [&](std::size_t field) {
      return std::size_t{static_cast<unsigned char>(file[at + field])} +
             256 * std::size_t{static_cast<unsigned char>(file[at + field + 1])};
    };
    const std::string name = file.substr(at + 30, length(26));
    EXPECT_EQ((at + 30 + length(26) + length(28)) % 64, 0u) << name;
    storages += name.starts_with("archive/data/") ? 1 : 0;
  }
  EXPECT_EQ(storages, 5);
  EXPECT_EQ(parse(file)["last"].as_tensor().shape(), Shape({5, 7}));
}

TEST(Pytorch, SurvivesEveryTruncationAndEveryChangedByte) {
  Value value;
  value["a"] = tensor({1.5, 2.5});
  value["b"] = Value::list({1, Value(), "text"});
  expect_robust(detail::pytorch_bytes(value), [](const std::string& changed) { parse(changed); });
  for (const char* name : {"state_dict.pt", "legacy_state_dict.pt"}) {
    expect_robust(read_text(golden + name), [](const std::string& changed) { parse(changed, true); });
  }
}

}  // namespace
}  // namespace gradus::test
