#include "io/npy.hpp"

#include "files.hpp"
#include "io/budget.hpp"
#include "io/zip.hpp"
#include "paths.hpp"

#include <gradus/core/io.hpp>

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

using detail::npy_header;
using detail::parse_npy;

/// An array of version 1.0 with this header, padded by nothing.
std::string npy(const std::string& header, const std::string& data = "") {
  return "\x93NUMPY" + std::string("\x01\x00", 2) + bytes_of(static_cast<std::uint16_t>(header.size())) + header + data;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

Tensor parse(const std::string& file) { return parse_npy(as_bytes(file)); }

template <class T>
void expect_elements(const Tensor& x, const std::vector<T>& expected) {
  const auto elements = x.data<T>();
  EXPECT_EQ(std::vector<T>(elements.begin(), elements.end()), expected);
}

void expect_refused(const std::string& file, const std::string& reason) {
  expect_error_with<FileError>([&] { parse(file); }, reason);
}

TEST(Npy, WritesTheHeaderOfNumpy) {
  const std::string expected = "\x93NUMPY" + std::string("\x01\x00\x76\x00", 4) +
                               "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }" + std::string(58, ' ') +
                               "\n";
  EXPECT_EQ(npy_header(zeros({2, 3})), expected);
  EXPECT_EQ(npy_header(zeros({2, 3})).size(), 128u);
  EXPECT_NE(npy_header(zeros({5}, float64)).find("'<f8', 'fortran_order': False, 'shape': (5,), }"), std::string::npos);
  EXPECT_NE(npy_header(tensor(3)).find("'<i8', 'fortran_order': False, 'shape': (), }"), std::string::npos);
  EXPECT_NE(npy_header(tensor({true})).find("'|b1'"), std::string::npos);
}

TEST(Npy, ReadsEveryOrderAndVersion) {
  const std::string data =
      bytes_of(0.0f) + bytes_of(1.0f) + bytes_of(2.0f) + bytes_of(3.0f) + bytes_of(4.0f) + bytes_of(5.0f);
  expect_elements<float>(parse(npy(header("<f4", "(2, 3)"), data)), {0, 1, 2, 3, 4, 5});
  expect_elements<float>(parse(npy(header("<f4", "(2, 3)", "True"), data)), {0, 2, 4, 1, 3, 5});
  EXPECT_EQ(parse(npy("{\"shape\":(3,2),\"fortran_order\":False,\"descr\":\"<f4\"}", data)).shape(), Shape({3, 2}));
  const std::string text = header("<f4", "(6,)");
  const std::string version3 =
      "\x93NUMPY" + std::string("\x03\x00", 2) + bytes_of(static_cast<std::uint32_t>(text.size()));
  expect_elements<float>(parse(version3 + text + data), {0, 1, 2, 3, 4, 5});
}

TEST(Npy, ReadsEveryTypeThatFits) {
  expect_elements<std::int64_t>(parse(npy(header("<i8", "()"), bytes_of(INT64_MIN))), {INT64_MIN});
  expect_elements<std::int64_t>(parse(npy(header("|u1", "(2,)"), "\x01\xff")), {1, 255});
  expect_elements<std::int64_t>(parse(npy(header("<i2", "(1,)"), bytes_of(std::int16_t{-3}))), {-3});
  expect_elements<float>(parse(npy(header("<f2", "(1,)"), std::string("\x00\xc1", 2))), {-2.5f});
  expect_elements<double>(parse(npy(header("<f8", "(1,)"), bytes_of(0.1))), {0.1});
  expect_elements<bool>(parse(npy(header("|b1", "(3,)"), std::string("\0\1\7", 3))), {false, true, true});
  EXPECT_EQ(parse(npy(header("<f8", "(3, 0)"))).shape(), Shape({3, 0}));
  expect_elements<std::int64_t>(parse(npy(header("<u8", "(2,)"), bytes_of(1) + bytes_of(0) + bytes_of(INT64_MAX))),
                                {1, INT64_MAX});
  expect_error_with<detail::BeyondInt64>([] { parse(npy(header("<u8", "(1,)"), bytes_of(INT64_MIN))); },
                                         "it holds 9223372036854775808, beyond the range of int64");
  expect_elements<std::int64_t>(parse(npy(header(">u1", "(1,)"), "\xff")), {255});
  expect_elements<float>(parse(npy(header("=f4", "(1,)"), bytes_of(0.5f))), {0.5f});
}

TEST(Npy, ReadsBigEndianAndWhatPython2Wrote) {
  const std::string golden = source_path("tests/golden/files/");
  const Tensor x = load(golden + "big_endian.npy").at("arr_0");
  EXPECT_EQ(x.shape(), Shape({2, 3}));
  expect_elements<std::int64_t>(x, {0, 1, 2, 3, 4, 5});
  expect_elements<double>(parse(npy(header(">f8", "(1,)"), std::string("\x3f\xe0\0\0\0\0\0\0", 8))), {0.5});
  expect_elements<float>(parse(npy(header(">f2", "(1,)"), std::string("\xc1\0", 2))), {-2.5f});
  expect_elements<std::int64_t>(parse(npy(header(">i2", "(2, 2)", "True"), std::string("\0\1\0\2\0\3\0\4", 8))),
                                {1, 3, 2, 4});
  expect_elements<float>(parse(npy(header("<f4", "(1L,)"), bytes_of(1.5f))), {1.5f});
  EXPECT_EQ(parse(npy(header("<f4", "(2L, 0L)"))).shape(), Shape({2, 0}));
  expect_elements<std::int64_t>(load(golden + "uint64.npy").at("arr_0"), {0, INT64_MAX});
}

TEST(Npy, RefusesWhatIsNoArray) {
  expect_refused("", "does not begin as a .npy file does");
  expect_refused("\x93NUMPX", "does not begin as a .npy file does");
  expect_refused("\x93NUMPY\x09" + std::string(1, '\0'), "version");
  expect_refused("\x93NUMPY" + std::string("\x01\x00\xff\xff{", 5), "its header would have 65535 bytes");
  expect_refused(npy("{'descr': '<f4'}"), "lacks");
  expect_refused(npy("{'descr': '<f4', 'descr': '<f4'}"), "the key 'descr' twice");
  expect_refused(npy("{'order': 3}"), "unknown key 'order'");
  expect_refused(npy(header("<f4", "(2,") + "'"), "where an integer of 64 bits is expected");
  expect_refused(npy(header("<f4", "(99999999999999999999,)")), "an integer of 64 bits");
  expect_refused(npy(header("<f4", "()") + "x"), "where the end is expected");
  expect_refused(npy(header("<f4", "(2 L,)")), "has 'L,)");
  expect_refused(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}"), "it is a structured array");
  expect_refused(npy("{'descr': [('a', '<f4'), 'shape': ()}"), "where the end of a list is expected");
  expect_refused(npy("{'descr': 3}"), "where a string is expected");
  expect_refused(npy("{'descr': '\x1b[2J', 'fortran_order': False, 'shape': ()}"), "its dtype '\\x1b[2J'");
  expect_refused(npy(std::string(1000, '(')), "where '{' is expected");
}

TEST(Npy, RefusesTypesAndShapesThatDoNotFit) {
  expect_refused(npy(header("|O", "(1,)")), "Python objects, which are never read");
  expect_refused(npy(header("<c8", "(1,)"), "12345678"), "'<c8' is none that gradus reads");
  expect_refused(npy(header("<f4", "(2,)"), "1234"), "need 8 bytes, there are 4");
  expect_refused(npy(header("<f4", "()"), "12345"), "need 4 bytes, there are 5");
  expect_refused(npy(header("<f4", "(-1,)")), "its shape is [-1]");
  expect_refused(npy(header("<f4", "(4611686018427387904, 4)")), "overflow");
  expect_refused(npy(header("<f4", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), "1234"), "9 dimensions");
}

TEST(Npy, SurvivesEveryTruncationAndEveryChangedByte) {
  const Tensor x = tensor({{1.5, 2.5, -3.5}});
  expect_robust(npy_header(x) + std::string("123456789012"), [](const std::string& file) { parse(file); });
}

TEST(Npz, BringsBackEveryArray) {
  const StateDict arrays{
      {"0.weight", tensor({{1.5, -2.5}})}, {"folder/counts", tensor({1, 2, 3})}, {"empty", zeros({0, 3})}};
  const std::string file = detail::npz_bytes(arrays);
  detail::Budget budget(0, file.size());
  const StateDict read = detail::parse_npz(as_bytes(file), budget).tensors();
  ASSERT_EQ(read.size(), 3u);
  expect_elements<float>(read.at("0.weight"), {1.5f, -2.5f});
  expect_elements<std::int64_t>(read.at("folder/counts"), {1, 2, 3});
  EXPECT_EQ(read.at("empty").shape(), Shape({0, 3}));
  EXPECT_EQ(file, detail::npz_bytes(arrays));  // nothing of the clock in it
}

TEST(Npz, HoldsNoArraysAsWell) {
  const TemporaryFolder folder;
  save({}, folder / "none.npz");
  EXPECT_TRUE(load(folder / "none.npz").empty());
  EXPECT_EQ(read_text(folder / "none.npz").size(), 22u);  // as numpy.savez() writes it
}

TEST(Npz, RefusesUnsafeNamesAndOtherFiles) {
  for (const char* name : {"../a", "/a", "a/../../b", "a\\b", ""}) {
    expect_error_with<ValueError>([&] { detail::npz_bytes({{name, ones({1})}}); }, "cannot be the name");
  }
  const auto parse_archive = [](const std::string& name) {
    detail::ZipWriter archive;
    archive.add(name, npy(header("<f4", "(0,)")));
    const std::string file = archive.finish();
    detail::Budget budget(0, file.size());
    detail::parse_npz(as_bytes(file), budget);
  };
  parse_archive("a.npy");
  expect_error_with<FileError>([&] { parse_archive("../a.npy"); }, "unsafe name '../a.npy'");
}

TEST(Npz, PassesOverWhatIsNoArrayOfNumbers) {
  const std::string path = source_path("tests/golden/files/mixed.npz");
  const StateDict arrays = load(path);
  ASSERT_EQ(arrays.size(), 1u);
  expect_elements<double>(arrays.at("x"), {1, 0, 0, 1});
  const Value all = load_value(path);
  EXPECT_EQ(all.size(), 3u);
  EXPECT_EQ(all["names"].type_name(), "numpy.ndarray of <U3");
  EXPECT_EQ(all["objects"].type_name(), "numpy.ndarray of |O");
  expect_error<TypeError>("expected Tensor, got the Python object 'numpy.ndarray of <U3'",
                          [&] { all["names"].as_tensor(); });

  detail::ZipWriter archive;
  archive.add("read.me", "text");
  archive.add("big.npy", npy(header("<u8", "(1,)"), bytes_of(INT64_MIN)));
  archive.add("x.npy", npy(header("<f4", "(1,)"), bytes_of(0.5f)));
  detail::Budget budget(0, 1000);
  const Value mixed = detail::parse_npz(as_bytes(archive.finish()), budget);
  EXPECT_EQ(mixed["read.me"].type_name(), "bytes");
  EXPECT_EQ(mixed["big"].type_name(), "numpy.ndarray of <u8");
  EXPECT_EQ(mixed.tensors().size(), 1u);
}

TEST(Npz, SurvivesEveryTruncationAndEveryChangedByte) {
  const std::string file = detail::npz_bytes({{"a", tensor({{1.5, 2.5}})}, {"b", tensor(3)}});
  expect_robust(file, [](const std::string& changed) {
    detail::Budget budget(0, changed.size());
    detail::parse_npz(as_bytes(changed), budget);
  });
}

TEST(Npy, SavesAndLoadsByPath) {
  const TemporaryFolder folder;
  const StateDict one{{"x", tensor({1.5, 2.5})}};
  save(one, folder / "x.npy");
  expect_elements<float>(load(folder / "x.npy").at("arr_0"), {1.5f, 2.5f});
  save(one, folder / "x.npz");
  expect_elements<float>(load(folder / "x.npz").at("x"), {1.5f, 2.5f});
  expect_error_with<ValueError>([&] { save({{"a", ones({1})}, {"b", ones({1})}}, folder / "x.npy"); }, "Use .npz.");
  expect_elements<float>(load(folder / "x.npy").at("arr_0"), {1.5f, 2.5f});
}

}  // namespace
}  // namespace gradus::test
