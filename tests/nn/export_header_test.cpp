// The written header, compiled and run where it is to go: by the compilers of this machine, for ARM under qemu, as C++
// and as C, gives what the net gives.
#include "files.hpp"
#include "full_disk.hpp"
#include "settled.hpp"
#include "tensors.hpp"

#include <gradus/gradus.hpp>

#include <cstdio>
#include <sstream>

namespace gradus::test {
namespace {

using nn::export_header;

constexpr std::int64_t row_count = 7;

struct Outcome {
  int status;
  std::string out;
};

Outcome shell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  Outcome outcome{-1, ""};
  char part[4096];
  while (const std::size_t n = fread(part, 1, sizeof part, pipe)) outcome.out.append(part, n);
  outcome.status = pclose(pipe);
  return outcome;
}

bool installed(const std::string& program) { return shell("command -v " + program).status == 0; }

/// A machine that the header may go to.
struct Target {
  std::string name, compiler, flags, emulator;
  bool c = false;
};

const std::string strict_flags = " -Wall -Wextra -Wconversion -Werror ";
const std::string freestanding_flags = " -fno-exceptions -fno-rtti -ffreestanding ";

/// A program that prints, after what self_check says, the outputs of every row of x.
std::string driver(const std::string& header, const Tensor& x, bool c) {
  std::ostringstream text;
  const std::string net = c ? "net_" : "net::", outputs = c ? "NET_OUTPUTS" : "net::outputs";
  text << "#include \"" << header << "\"\n#include <stdio.h>\nstatic const float x[][" << x.numel() / x.size(0)
       << "] = {" << std::hexfloat;
  const std::int64_t width = x.numel() / x.size(0);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const char* separator = i == 0 ? "{" : i % width == 0 ? "}, {" : ", ";
    text << separator << static_cast<double>(x.data<float>()[static_cast<std::size_t>(i)]);
  }
  text << "}};\nint main(void) {\n  printf(\"%d\\n\", (int)" << net << "self_check());\n  for (int r = 0; r < "
       << std::dec << x.size(0) << "; ++r) {\n    float y[" << outputs << "];\n    " << net << "predict(x[r], y);\n"
       << "    for (int j = 0; j < (int)" << outputs
       << "; ++j) printf(\"%.9g\\n\", (double)y[j]);\n  }\n  return 0;\n}\n";
  return text.str();
}

/// What the header of `net` prints on `target`, with 1 before it if its self_check passed.
std::vector<float> outputs_on(const Target& target, nn::Module& net, const Tensor& x, nn::HeaderOptions options) {
  const TemporaryFolder folder;
  const std::string header = target.c ? "net.h" : "net.hpp", main = target.c ? "main.c" : "main.cpp";
  export_header(net, folder / header, options);
  write_text(folder / main, driver(header, x, target.c));
  const Outcome built = shell("cd " + folder.path().string() + " && " + target.compiler + strict_flags + target.flags +
                              " " + main + " -o program -lm");
  EXPECT_EQ(built.status, 0) << built.out.substr(0, 2000);
  const Outcome ran = shell("cd " + folder.path().string() + " && " + "timeout 60 " + target.emulator + " ./program");
  EXPECT_EQ(ran.status, 0) << ran.out;
  std::istringstream lines(ran.out);
  std::vector<float> values;
  for (float v; lines >> v;) values.push_back(v);
  return values;
}

void expect_same(const Target& target, nn::Module& net, Shape row, double bound = 1e-6,
                 nn::HeaderOptions options = {}) {
  net.eval();
  row.insert(0, row_count);
  const Tensor x = randn(row);
  const NoGradGuard no_grad;
  const Tensor expected = net(x);
  const std::vector<float> got = outputs_on(target, net, x, options);
  ASSERT_EQ(got.size(), static_cast<std::size_t>(expected.numel()) + 1) << target.name;
  EXPECT_EQ(got[0], 1) << "self_check on " << target.name;
  const Tensor y = from_span(std::span(got).subspan(1), expected.shape());
  EXPECT_LE(max_distance(y, expected), bound * std::max(1.0, expected.abs().max().item<double>()))
      << target.name << "\n"
      << net;
}

nn::Sequential digits_net() {
  nn::Sequential net{nn::Linear(64, 100), nn::BatchNorm1d(100), nn::ReLU(),        nn::Linear(100, 30),
                     nn::LeakyReLU(0.1),  nn::BatchNorm1d(30),  nn::Linear(30, 10)};
  settle(net);
  return net;
}

/// Every kind of step: norms that stay, activations of their own, softmax over either dimension.
nn::Sequential every_step() {
  nn::Sequential net{nn::BatchNorm1d(3), nn::Tanh(),     nn::Linear(6, 5), nn::BatchNorm1d(3), nn::GELU(),
                     nn::Softmax(1),     nn::Softmax(2), nn::Flatten(),    nn::Linear(15, 7),  nn::Sigmoid(),
                     nn::Linear(7, 3),   nn::Softplus(), nn::Linear(3, 4), nn::LogSoftmax(1)};
  settle(net);
  return net;
}

/// What slides along the length, with gaps, groups, padding and windows over the end.
nn::Sequential every_window() {
  nn::Sequential net{nn::BatchNorm1d(4),
                     nn::Conv1d(4, 6, 3, {.padding = "same"}),
                     nn::ReLU(),
                     nn::MaxPool1d(2, {.padding = 1, .dilation = 2, .ceil_mode = true}),
                     nn::Conv1d(6, 8, 2, {.dilation = 2, .groups = 2}),
                     nn::BatchNorm1d(8),
                     nn::SiLU(),
                     nn::AvgPool1d(2, {.stride = 1, .padding = 1, .count_include_pad = false}),
                     nn::AdaptiveAvgPool1d(2),
                     nn::ELU(0.5),
                     nn::Flatten(),
                     nn::LayerNorm(16),
                     nn::Linear(16, 3),
                     nn::Hardtanh(-0.5, 2)};
  settle(net);
  return net;
}

void expect_all(const Target& target) {
  if (!installed(target.compiler)) GTEST_SKIP() << "no " << target.compiler << " here";
  if (!target.emulator.empty() && !installed(target.emulator.substr(0, target.emulator.find(' ')))) {
    GTEST_SKIP() << "no " << target.emulator << " here";
  }
  manual_seed(1);
  nn::Sequential digits = digits_net(), all = every_step(), windows = every_window();
  expect_same(target, digits, {64});
  expect_same(target, digits, {64}, 0.05, {.int8_weights = true});
  expect_same(target, all, {3, 6}, 1e-6, {.row = {3, 6}});
  expect_same(target, windows, {4, 11}, 1e-6, {.row = {4, 11}});
}

TEST(ExportHeader, GivesTheSameAsCpp) { expect_all({"C++", "c++", "-std=c++17 -O1" + freestanding_flags, ""}); }
TEST(ExportHeader, GivesTheSameAsC) { expect_all({"C", "cc", "-std=c99 -O1 -pedantic", "", true}); }
TEST(ExportHeader, GivesTheSameVectorised) { expect_all({"C++ -O3", "c++", "-std=c++20 -O3 -march=native", ""}); }
TEST(ExportHeader, GivesTheSameWithClang) {
  expect_all({"clang", "clang++", "-std=c++17 -O2 -fno-exceptions -fno-rtti", ""});
}

/// Printing goes through the debugger's channel, semihosting; newlib's start-up expects the floating-point unit
/// switched on.
constexpr const char* cortex_start = R"(void _start(void);
static void reset(void) {
  *(volatile unsigned*)0xE000ED88 |= 0xFu << 20;
  __asm__ volatile("dsb\n isb");
  _start();
}
__attribute__((section(".vectors"), used)) static void (*const vectors[2])(void) = {(void (*)(void))0x3FFFF0, reset};
)";

TEST(ExportHeader, GivesTheSameOnACortexM4) {
  if (!installed("arm-none-eabi-gcc")) GTEST_SKIP() << "no arm-none-eabi-gcc here";
  const TemporaryFolder folder;
  const std::string cpu = " -mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -O2 ";
  write_text(folder / "start.c", cortex_start);
  ASSERT_EQ(shell("arm-none-eabi-gcc -c" + cpu + (folder / "start.c") + " -o " + (folder / "start.o")).status, 0);
  const std::string flags = cpu + "--specs=rdimon.specs -Wl,--section-start=.vectors=0 " + (folder / "start.o");
  const std::string board =
      "qemu-system-arm -M mps2-an386 -display none -monitor none -serial none -semihosting -kernel";
  expect_all({"Cortex-M4", "arm-none-eabi-g++", "-std=c++17" + flags, board});
  expect_all({"Cortex-M4, C", "arm-none-eabi-gcc", "-std=c99" + flags, board, true});
}
TEST(ExportHeader, GivesTheSameOnAarch64) {
  expect_all({"aarch64", "aarch64-linux-gnu-g++", "-std=c++17 -O3 -static", "qemu-aarch64"});
}

TEST(ExportHeader, FillsOddSizes) {
  manual_seed(2);
  const Target here{"C++", "c++", "-std=c++17 -O1" + freestanding_flags, ""};
  for (const std::int64_t inputs : {1, 2, 3, 5}) {
    nn::Sequential net{nn::Linear(inputs, 17), nn::ReLU(), nn::Linear(17, inputs, {.bias = false})};
    expect_same(here, net, {inputs});
  }
  nn::Sequential nothing{nn::Dropout(0.5)};
  expect_same(here, nothing, {3}, 0, {.row = 3});
}

TEST(ExportHeader, NoticesWhatWasChanged) {
  const TemporaryFolder folder;
  nn::Sequential net = digits_net();
  net.eval();
  export_header(net, folder / "net.hpp", {.example = ones({64})});
  std::string text = read_text(folder / "net.hpp");
  const std::size_t weight = text.find("weight0"), digit = text.find_first_of("12345678", text.find("0.", weight));
  ++text[digit];
  write_text(folder / "net.hpp", text);
  write_text(folder / "main.cpp", "#include \"net.hpp\"\nint main() { return net::self_check() ? 0 : 3; }\n");
  const Outcome outcome = shell("cd " + folder.path().string() + " && c++ -std=c++17 main.cpp -o program && ./program");
  EXPECT_EQ(WEXITSTATUS(outcome.status), 3) << outcome.out;
}

TEST(ExportHeader, RefusesBeforeItWrites) {
  const TemporaryFolder folder;
  const std::string path = folder / "net.hpp";
  nn::Sequential net{nn::Linear(4, 3), nn::BatchNorm1d(3)};
  expect_error<ValueError>("export_header: the net is in training mode", [&] { export_header(net, path); });
  net.eval();
  for (const char* name : {"", "2d", "a-b", "class", "std", "_x", "a__b"}) {
    expect_error<ValueError>("export_header: '" + std::string(name) + "' cannot be a name in C++",
                             [&] { export_header(net, path, {.name = name}); });
  }
  expect_error<ValueError>("export_header: the extension of 'net.txt'", [&] { export_header(net, "net.txt"); });
  expect_error<ValueError>("export_header: the example has shape [3], a row [4]",
                           [&] { export_header(net, path, {.example = ones({3})}); });
  nn::Sequential flat{nn::Flatten(), nn::Linear(4, 3)};
  flat.eval();
  expect_error<ValueError>("export_header: the first layer does not tell", [&] { export_header(flat, path); });
  net.at<nn::BatchNorm1d>(1).running_var.fill_(NAN);
  expect_error_with<ValueError>([&] { export_header(net, path); }, "running_var of channel 0");
  EXPECT_FALSE(std::filesystem::exists(path));
  net.at<nn::BatchNorm1d>(1).running_var.fill_(1);
  EXPECT_THROW(export_header(net, folder / "no/such/folder/net.hpp"), FileError);
}

TEST(ExportHeader, KeepsTheOldFileWhenTheNewOneDoesNotFit) {
  const TemporaryFolder folder;
  write_text(folder / "net.hpp", "old");
  nn::Sequential net = digits_net();
  {
    const FullDisk full(10000);
    EXPECT_THROW(export_header(net, folder / "net.hpp"), FileError);
  }
  EXPECT_EQ(read_text(folder / "net.hpp"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1) << "a part of the new one stays";
}

}  // namespace
}  // namespace gradus::test
