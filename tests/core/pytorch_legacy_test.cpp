// Files of before PyTorch 1.6, by hand.
#include "files.hpp"
#include "io/pytorch.hpp"

#include <gtest/gtest.h>

namespace gradus::test {
namespace {

Value parse(const std::string& file) {
  detail::Budget budget(0, file.size());
  return detail::parse_pytorch(as_bytes(file), budget, false);
}

std::vector<float> elements(const Value& value) {
  const auto data = value.as_tensor().data<float>();
  return {data.begin(), data.end()};
}

std::string text(const std::string& content) {
  return "X" + bytes_of(static_cast<std::uint32_t>(content.size())) + content;
}

const std::string legacy_begin =
    std::string("\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\2M\xe9\3.\x80\2}") +
    text("little_endian") + "\x88s.";

/// `view` is what stands behind the number of elements; `tensor` comes in (storage, begin) (shape, strides).
std::string legacy_tensor(const std::string& view, const std::string& function = "_rebuild_tensor_v2") {
  return "ctorch._utils\n" + function + "\n((" + text("storage") + "ctorch\nFloatStorage\n" + text("7") + text("cpu") +
         "K\3" + view + "tQ" + std::string("K\0", 2) + "K\2\x85K\1\x85" +
         (function == "_rebuild_tensor_v2" ? "\211ccollections\nOrderedDict\n)R" : "") + "tR";
}

const std::string legacy_end =
    "\x80\2]" + text("7") + "a." + bytes_of(std::int64_t{3}) + bytes_of(1.5f) + bytes_of(2.5f) + bytes_of(3.5f);

std::string legacy(const std::string& object) { return legacy_begin + "\x80\2" + object + "." + legacy_end; }

TEST(PytorchLegacy, ReadsWhatTheOldestVersionsWrote) {
  using Floats = std::vector<float>;
  EXPECT_EQ(elements(parse(legacy(legacy_tensor("N")))), (Floats{1.5f, 2.5f}));
  EXPECT_EQ(elements(parse(legacy(legacy_tensor("")))), (Floats{1.5f, 2.5f}));
  EXPECT_EQ(elements(parse(legacy(legacy_tensor("N", "_rebuild_tensor")))), (Floats{1.5f, 2.5f}));
  const std::string view = "(" + text("8") + "K\1K\2t";  // a storage that is the end of another
  EXPECT_EQ(elements(parse(legacy(legacy_tensor(view)))), (Floats{2.5f, 3.5f}));
  const std::string parameter = "ctorch.nn.parameter\nParameter\n" + legacy_tensor("N") + "\x85R\x88\x89N\207b";
  EXPECT_EQ(elements(parse(legacy(parameter))), (Floats{1.5f, 2.5f}));
  // An OrderedDict of Python 2 is made of a list of lists, and an integer of 64 bits is text.
  const std::string pairs = "ccollections\nOrderedDict\n]]U\1w" + legacy_tensor("N") + "ea]U\1nI5000000000\neae\x85R";
  std::string python2 = "ccollections\nOrderedDict\n](](U\1w" + legacy_tensor("N") + "e](U\1nI5000000000\nee\x85R";
  const Value value = parse(legacy(python2));
  EXPECT_EQ(elements(value["w"]), (Floats{1.5f, 2.5f}));
  EXPECT_EQ(value["n"].as_int(), 5'000'000'000);
}

TEST(PytorchLegacy, RefusesDamagedFilesOfTheFormBefore16) {
  const auto refuse = [](const std::string& file, const std::string& reason) {
    expect_error_with<FileError>([&] { parse(file); }, reason);
  };
  std::string big = legacy(legacy_tensor("N"));
  big[big.find("\x88s")] = '\x89';
  refuse(big, "big-endian");
  std::string version = legacy(legacy_tensor("N"));
  version[version.find("M\xe9") + 1] = '\1';
  refuse(version, "its version is unknown");
  refuse(legacy("N") + "x", "a storage of unknown type");
  refuse(legacy(legacy_tensor("N")) + "x", "1 bytes behind its last storage");
  refuse(legacy(legacy_tensor("(" + text("8") + "K\2K\2t")), "a view that is not inside its storage");
  std::string huge = legacy(legacy_tensor("N"));
  huge[huge.size() - 13] = '\x7f';  // the highest byte of the number of elements
  refuse(huge, "it ends within its storages");
  std::string other = legacy(legacy_tensor("N"));
  other[other.find(text("cpu")) + text("cpu").size() + 1] = '\2';
  refuse(other, "its storage '7' has 12 bytes, the tensors in it need 8");
  expect_robust(legacy(legacy_tensor("N")), [](const std::string& changed) { parse(changed); });
}

}  // namespace
}  // namespace gradus::test
