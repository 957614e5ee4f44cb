#include "io/safetensors.hpp"

#include "files.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

using detail::parse_safetensors;
using detail::Safetensors;

std::string file_of(const std::string& header, const std::string& data = "") {
  return bytes_of(std::uint64_t{header.size()}) + header + data;
}

Safetensors parse(const std::string& file) { return parse_safetensors(as_bytes(file)); }

std::string written(const StateDict& state, const Metadata& metadata = {}) {
  const TemporaryFolder folder;
  detail::AtomicFile file(folder / "x");
  detail::write_safetensors(file, state, metadata);
  file.commit();
  return read_text(folder / "x");
}

void expect_refused(const std::string& header, const std::string& data, const std::string& reason) {
  expect_error_with<FileError>([&] { parse(file_of(header, data)); }, reason);
}

/// One tensor 'x' with these three fields.
std::string header_of(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"x":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

template <class T>
std::vector<T> values(const Tensor& x) {
  const auto elements = x.data<T>();
  return {elements.begin(), elements.end()};
}

StateDict batch_norm_state() {
  return {{"weight", tensor({1.0, 1.0})},
          {"bias", tensor({0.0, 0.0})},
          {"running_mean", tensor({0.5, -0.25})},
          {"running_var", tensor({1.5, 2.0})},
          {"num_batches_tracked", tensor(3)}};
}

// A BatchNorm1d(2) after three batches, as the reference implementation writes it.
const std::string batch_norm_file = bytes_of(std::uint64_t{320}) +
                                    R"({"num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                                    R"("bias":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)"
                                    R"("running_mean":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},)"
                                    R"("running_var":{"dtype":"F32","shape":[2],"data_offsets":[24,32]},)"
                                    R"("weight":{"dtype":"F32","shape":[2],"data_offsets":[32,40]}})"
                                    " " +
                                    std::string(
                                        "\3\0\0\0\0\0\0\0"
                                        "\0\0\0\0\0\0\0\0"
                                        "\0\0\0\x3f\0\0\x80\xbe"
                                        "\0\0\xc0\x3f\0\0\0\x40"
                                        "\0\0\x80\x3f\0\0\x80\x3f",
                                        40);

TEST(Safetensors, WritesTheBytesOfTheReference) {
  EXPECT_EQ(batch_norm_file.size(), 368u);
  EXPECT_EQ(written(batch_norm_state()), batch_norm_file);
}

TEST(Safetensors, ReadsTheBytesOfTheReference) {
  const StateDict state = parse(batch_norm_file).tensors;
  ASSERT_EQ(state.size(), 5u);
  EXPECT_EQ(state.at("num_batches_tracked").shape(), Shape());
  EXPECT_EQ(state.at("num_batches_tracked").item<std::int64_t>(), 3);
  EXPECT_EQ(values<float>(state.at("running_mean")), (std::vector<float>{0.5f, -0.25f}));
  EXPECT_EQ(values<float>(state.at("running_var")), (std::vector<float>{1.5f, 2.0f}));
}

TEST(Safetensors, BringsBackEveryDtypeShapeAndName) {
  const StateDict state{{"scalar", tensor(-2.5)},
                        {"no elements", zeros({3, 0, 2}, float64)},
                        {"double", full({2, 1, 3}, 1.0 / 3.0, float64)},
                        {"long", tensor({INT64_MIN, INT64_MAX})},
                        {"flags", tensor({true, false, true})},
                        {"quote \" slash \\ line \n tab \t null \x01 ü 𝄞", ones({1})},
                        {"", ones({2})}};
  const Metadata metadata{{"format", "pt"}, {"", "{\"epoch\": 3}"}};
  const Safetensors read = parse(written(state, metadata));
  EXPECT_EQ(read.metadata, metadata);
  ASSERT_EQ(read.tensors.size(), state.size());
  for (const auto& [name, tensor] : state) {
    const Tensor& other = read.tensors.at(name);
    EXPECT_EQ(other.shape(), tensor.shape()) << name;
    ASSERT_EQ(other.dtype(), tensor.dtype()) << name;
    visit(tensor.dtype(), [&, &x = tensor]<class T>(T*) { EXPECT_EQ(values<T>(other), values<T>(x)); });
  }
  EXPECT_EQ(parse(written({})).tensors.size(), 0u);
}

TEST(Safetensors, WidensShortTypes) {
  const auto read = [](const std::string& dtype, const std::string& data) {
    return parse(file_of(header_of(dtype, "[2]", "[0," + std::to_string(data.size()) + "]"), data)).tensors.at("x");
  };
  const std::string one_and_minus_two_and_a_half("\x00\x3c\x00\xc1", 4);
  EXPECT_EQ(values<float>(read("F16", one_and_minus_two_and_a_half)), (std::vector<float>{1.0f, -2.5f}));
  EXPECT_EQ(values<float>(read("BF16", std::string("\x80\x3f\x20\xc0", 4))), (std::vector<float>{1.0f, -2.5f}));
  EXPECT_EQ(values<std::int64_t>(read("U8", "\x01\xff")), (std::vector<std::int64_t>{1, 255}));
  EXPECT_EQ(values<std::int64_t>(read("I8", "\x01\xff")), (std::vector<std::int64_t>{1, -1}));
  EXPECT_EQ(values<std::int64_t>(read("I32", bytes_of(7) + bytes_of(-7))), (std::vector<std::int64_t>{7, -7}));
  EXPECT_EQ(values<bool>(read("BOOL", std::string("\0\x02", 2))), (std::vector<bool>{false, true}));
}

TEST(Safetensors, ToleratesSpaceAroundTheHeader) {
  EXPECT_EQ(parse(file_of(" \n" + header_of("F32", "[]", "[0,4]") + "\t \r", bytes_of(1.5f))).tensors.size(), 1u);
}

TEST(Safetensors, RefusesAHeaderThatDoesNotFit) {
  expect_error_with<FileError>([] { parse(""); }, "it has 0 bytes");
  expect_error_with<FileError>([] { parse("1234567"); }, "it has 7 bytes");
  expect_error_with<FileError>([] { parse(bytes_of(std::uint64_t{100'000'001}) + "{}"); },
                               "more than the allowed 100000000");
  expect_error_with<FileError>([] { parse(bytes_of(~std::uint64_t{0}) + "{}"); }, "more than the allowed 100000000");
  expect_error_with<FileError>([] { parse(bytes_of(std::uint64_t{3}) + "{}"); }, "the file has only 10");
}

TEST(Safetensors, RefusesAHeaderThatIsNotJson) {
  expect_refused("", "", "does not begin with '{'");
  expect_refused("[]", "", "does not begin with '{'");
  expect_refused("\xef\xbb\xbf{}", "", "does not begin with '{'");
  expect_refused("{", "", "not valid JSON at its byte 2");
  expect_refused("{}}", "", "not valid JSON at its byte 3");
  expect_refused(std::string("{}\0{", 4), "", "not valid JSON at its byte 3");
  expect_refused("{\"\xff\":{}}", "", "not valid UTF-8 at its byte 3");
  expect_refused("{" + std::string(1000, ' ') + "/* comment */}", "", "not valid JSON");
}

TEST(Safetensors, RefusesFieldsThatDoNotBelong) {
  expect_refused(R"({"x":1})", "", "entry 'x' is a number, expected an object");
  expect_refused(R"({"x":)" + std::string(100'000, '['), "", "entry 'x' is an array");
  expect_refused(R"({"x":{"dtype":{}}})", "", "has an object in its field 'dtype'");
  expect_refused(R"({"x":{"dtype":"F32","shape":[]}})", "", "tensor 'x' has no field 'data_offsets'");
  expect_refused(R"({"x":{"layout":"dense"}})", "", "unknown field 'layout'");
  expect_refused(header_of("F32", "[]", "[0,4,8]"), "", "has 3 data_offsets, expected 2");
  expect_refused(header_of("F32", "[[]]", "[0,4]"), "", "has an array in its field 'shape'");
  expect_refused(header_of("F32", "[-1]", "[0,4]"), "", "has a negative number in its field 'shape'");
  expect_refused(header_of("F32", "[1.0]", "[0,4]"), "", "no integer of 64 bits in its field 'shape'");
  expect_refused(header_of("F32", "[99999999999999999999]", "[0,4]"), "", "no integer of 64 bits");
  expect_refused(header_of("F32", "[null]", "[0,4]"), "", "has null in its field 'shape'");
  expect_refused(R"({"__metadata__":{"a":1}})", "", "metadata 'a' is a number, expected a string");
  expect_refused(R"({"__metadata__":"a"})", "", "entry '__metadata__' is a string");
}

TEST(Safetensors, RefusesNamesThatOccurTwice) {
  const std::string x = R"("x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  expect_refused("{" + x + "," + x + "}", "", "the name 'x' occurs twice in the header");
  expect_refused(R"({"x":{"dtype":"F32","dtype":"F64"}})", "", "the name 'dtype' occurs twice in tensor 'x'");
  expect_refused(R"({"__metadata__":{"a":"","\u0061":""}})", "", "the name 'a' occurs twice in the metadata");
  expect_refused(R"({"__metadata__":{},"__metadata__":{}})", "", "the name '__metadata__' occurs twice");
}

TEST(Safetensors, RefusesOffsetsWithHolesOverlapsOrLeftovers) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}";
  };
  EXPECT_EQ(parse(file_of(two("[4,8]", "[0,4]"), "abcdefgh")).tensors.at("a")[0].item<int>(), 'e');
  expect_refused(two("[0,4]", "[5,9]"), "abcdefghi",
                 "tensor 'b' with data_offsets [5, 9] leaves a hole behind the byte 4");
  expect_refused(two("[1,5]", "[5,9]"), "abcdefghi",
                 "tensor 'a' with data_offsets [1, 5] leaves a hole behind the byte 0");
  expect_refused(two("[0,4]", "[3,7]"), "abcdefg", "tensor 'b' with data_offsets [3, 7] overlaps");
  expect_refused(two("[0,4]", "[0,4]"), "abcd", "tensor 'b' with data_offsets [0, 4] overlaps");
  expect_refused(two("[4,0]", "[0,4]"), "abcd", "tensor 'a' with data_offsets [4, 0] ends before it begins");
  const std::size_t header = 8 + two("[0,4]", "[4,8]").size();
  expect_refused(two("[0,4]", "[4,8]"), "abcdefg",
                 "need a file of " + std::to_string(header + 8) + " bytes, this one has " + std::to_string(header + 7) +
                     "; it is truncated");
  expect_refused(two("[0,4]", "[4,8]"), "abcdefghi", "this one has " + std::to_string(header + 9));
}

TEST(Safetensors, RefusesShapesAndTypesThatDoNotMatchTheData) {
  expect_refused(header_of("F32", "[3]", "[0,8]"), "12345678", "need 12 bytes, its data_offsets hold 8");
  expect_refused(header_of("F32", "[]", "[0,0]"), "", "need 4 bytes, its data_offsets hold 0");
  expect_refused(header_of("F8_E4M3", "[8]", "[0,8]"), "12345678", "its dtype 'F8_E4M3' is none that gradus reads");
  expect_refused(header_of("F32", "[4611686018427387904,4]", "[0,0]"), "", "overflow");
  expect_refused(header_of("F64", "[2305843009213693952,0,4]", "[0,0]"), "", "overflow");
  expect_refused(header_of("F32", "[9223372036854775808]", "[0,0]"), "", "overflow");
  expect_refused(header_of("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), "1234", "9 dimensions, gradus supports at most 8");
}

TEST(Safetensors, SurvivesEveryTruncationAndEveryChangedByte) {
  const auto read = [](const std::string& file) { parse(file); };
  expect_robust(batch_norm_file, read);
  expect_robust(written({{"a", ones({2, 0}, float64)}, {"ü", tensor({true, false})}}, {{"format", "pt"}}), read);
}

TEST(Safetensors, WriterRefusesWhatTheFormatCannotHold) {
  expect_error_with<ValueError>(
      [] {
        detail::safetensors_header({{"__metadata__", ones({1})}}, {});
      },
      "'__metadata__'");
  expect_error_with<ValueError>([] { detail::safetensors_header({{"\xff", ones({1})}}, {}); }, "UTF-8");
}

TEST(Safetensors, SavesAndLoadsByPath) {
  const TemporaryFolder folder;
  save(batch_norm_state(), folder / "x.safetensors", {.metadata = {{"epoch", "3"}}});
  EXPECT_EQ(load(folder / "x.safetensors").size(), 5u);
  EXPECT_EQ(load_metadata(folder / "x.safetensors"), (Metadata{{"epoch", "3"}, {"format", "pt"}}));
  expect_error_with<FileError>([&] { return load(folder / "y.safetensors"); },
                               "y.safetensors': No such file or directory");
  write_text(folder / "y.safetensors", "");
  expect_error_with<FileError>([&] { return load(folder / "y.safetensors"); }, "y.safetensors': it has 0 bytes");
}

TEST(Safetensors, ARefusedStateLeavesTheOldFile) {
  const TemporaryFolder folder;
  const std::string path = folder / "x.safetensors";
  save({{"a", ones({2})}}, path);
  expect_error_with<ValueError>([&] { save({{"__metadata__", ones({2})}}, path); }, "__metadata__");
  expect_error_with<ValueError>([&] { save({{"b", Tensor()}}, path); }, "tensor 'b' is undefined");
  EXPECT_TRUE(load(path).contains("a"));
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));
}

}  // namespace
}  // namespace gradus::test
