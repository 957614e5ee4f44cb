#include "files.hpp"
#include "paths.hpp"
#include "tensors.hpp"

#include <gradus/core/io.hpp>

namespace gradus::test {
namespace {

const std::string golden = source_path("tests/golden/files/");

TEST(Io, RecognisesAFormatByWhatTheFileHolds) {
  const TemporaryFolder folder;
  const StateDict expected = load(golden + "state_dict.pt");
  for (const char* name : {"state_dict.pt", "state_dict.safetensors", "state_dict.npz", "legacy_state_dict.pt"}) {
    for (const char* other :
         {"checkpoint.pth.tar", "weights.bin", "none", "wrong.npy", "wrong.pt", "wrong.safetensors"}) {
      write_text(folder / other, read_text(golden + name));
      const StateDict state = load(folder / other);
      ASSERT_EQ(state.size(), expected.size()) << name << " as " << other;
      for (const auto& [key, tensor] : expected) expect_tensor(state.at(key), tensor);
    }
  }
  write_text(folder / "array", read_text(golden + "c_order.npy"));
  EXPECT_EQ(load(folder / "array").at("arr_0").shape(), Shape({2, 3}));
  EXPECT_EQ(recognise_format(golden + "legacy.pt"), FileFormat::pytorch);
  EXPECT_EQ(recognise_format(golden + "stored.npz"), FileFormat::npz);
  EXPECT_EQ(recognise_format(folder / "array"), FileFormat::npy);
}

TEST(Io, TakesTheFormatThatItIsTold) {
  expect_error_with<FileError>([] { return load(golden + "state_dict.pt", {.format = FileFormat::npy}); },
                               "does not begin as a .npy file does");
}

TEST(Io, AsksForTheFormatWhereNothingTellsIt) {
  const TemporaryFolder folder;
  write_text(folder / "weights.bin", "something else");
  expect_error_with<FileError>([&] { return load(folder / "weights.bin"); }, "tells no format");
  write_text(folder / "weights.npz", "something else");
  expect_error_with<FileError>([&] { return load(folder / "weights.npz"); }, "no intact zip archive");
}

TEST(Io, ReadsSafetensorsAloneWhereThatIsAskedFor) {
  const TemporaryFolder folder;
  const std::string path = golden + "state_dict.safetensors", file = read_text(path);
  const StateDict expected = load(path);
  for (const StateDict& state : {load_safetensors(path), load_safetensors(as_bytes(file))}) {
    ASSERT_EQ(state.size(), expected.size());
    for (const auto& [key, tensor] : expected) expect_tensor(state.at(key), tensor);
  }
  expect_error<FileError>("cannot open '" + folder / "none" + "'", [&] { return load_safetensors(folder / "none"); });
  expect_error<FileError>("cannot read '" + golden + "stored.npz': ",
                          [&] { return load_safetensors(golden + "stored.npz"); });
  expect_error<FileError>("cannot read the file in memory: it has 3 bytes",
                          [] { return load_safetensors(as_bytes("abc")); });
}

TEST(Io, ReadsFilesInMemory) {
  const StateDict expected = load(golden + "state_dict.pt");
  for (const char* name : {"state_dict.pt", "state_dict.safetensors", "state_dict.npz", "legacy_state_dict.pt"}) {
    const std::string file = read_text(golden + name);
    const StateDict state = load(as_bytes(file));
    ASSERT_EQ(state.size(), expected.size()) << name;
    for (const auto& [key, tensor] : expected) expect_tensor(state.at(key), tensor);
  }
  const std::string checkpoint = read_text(golden + "checkpoint.pt");
  EXPECT_EQ(load_value(as_bytes(checkpoint))["epoch"].as_int(), 3);
  expect_error<FileError>("cannot read the file in memory: it begins as no file",
                          [] { return load(as_bytes("other")); });
  expect_error<FileError>("cannot read the file in memory: it begins as no file",
                          [] { return load(std::span<const std::byte>()); });
  expect_error<FileError>("cannot read the file in memory: it is no intact zip archive",
                          [&] { return load(as_bytes(checkpoint.substr(0, 100))); });
}

}  // namespace
}  // namespace gradus::test
