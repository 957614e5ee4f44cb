// ONNX files: what is written comes back as the same net, and other programs take it. That ONNX's own checker and the
// ONNX Runtime agree is tested where they are installed.
#include "files.hpp"
#include "full_disk.hpp"
#include "settled.hpp"
#include "tensors.hpp"

#include <gradus/gradus.hpp>

#include <cstdio>
#include <sstream>

namespace gradus::test {
namespace {

using nn::export_onnx, nn::load_onnx;

/// Skips a test where gradus is built without ONNX.
class Onnx : public testing::Test {
 protected:
  void SetUp() override {
    try {
      load_onnx("/dev/null");
    } catch (const NotImplementedError& e) {
      EXPECT_NE(std::string(e.what()).find("GRADUS_ONNX"), std::string::npos);
      GTEST_SKIP() << "this gradus was built without ONNX";
    } catch (const FileError&) {
    }
    manual_seed(1);
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "net.onnx";
};

nn::Sequential every_layer() {
  nn::Sequential net{nn::Linear(6, 9),
                     nn::BatchNorm1d(9),
                     nn::ReLU(),
                     nn::Dropout(0.5),
                     nn::Linear(9, 7, {.bias = false}),
                     nn::BatchNorm1d(7, {.eps = 1e-3, .affine = false}),
                     nn::LeakyReLU(0.2),
                     nn::Linear(7, 8),
                     nn::Tanh(),
                     nn::Linear(8, 5),
                     nn::GELU(),
                     nn::Linear(5, 4),
                     nn::Sigmoid(),
                     nn::Softplus(),
                     nn::Flatten(),
                     nn::LogSoftmax(1)};
  settle(net);
  return net;
}

/// What slides along the length, and functions that take several operators.
nn::Sequential every_window() {
  nn::Sequential net{nn::Conv1d(2, 6, 4, {.padding = "same"}),
                     nn::BatchNorm1d(6),
                     nn::SiLU(),
                     nn::MaxPool1d(3, {.stride = 2, .padding = 1}),
                     nn::Conv1d(6, 4, 2, {.stride = 2, .padding = 1, .dilation = 2, .groups = 2, .bias = false}),
                     nn::ELU(0.5),
                     nn::AvgPool1d(3, {.stride = 1, .padding = 1, .count_include_pad = false}),
                     nn::Hardtanh(-0.5, 2),
                     nn::LayerNorm(6),
                     nn::Unflatten(1, {2, 2}),
                     nn::Flatten(),
                     nn::Unflatten(1, {12, 2}),
                     nn::AdaptiveAvgPool1d(1)};
  settle(net);
  return net;
}

/// Runs a program with the folder's net.onnx, x.bin and y.bin.
std::string run(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::string out;
  char part[4096];
  while (const std::size_t n = fread(part, 1, sizeof part, pipe)) out.append(part, n);
  return pclose(pipe) == 0 ? out : "failed: " + out;
}

std::string bytes_in(const Tensor& x) {
  const auto data = x.data<float>();
  return {reinterpret_cast<const char*>(data.data()), data.size_bytes()};
}

TEST_F(Onnx, ComesBack) {
  nn::Sequential net = every_layer();
  export_onnx(net, path_);
  nn::Sequential back = load_onnx(path_);
  const Tensor x = randn({5, 6});
  const NoGradGuard no_grad;
  EXPECT_EQ(max_distance(back(x), net(x)), 0);
  EXPECT_FALSE(back.training());
  EXPECT_EQ(back.at<nn::BatchNorm1d>(4).options().eps, 1e-3);
  const StateDict expected = net.state_dict(), got = back.state_dict();
  for (const auto& [name, tensor] : expected) {
    ASSERT_TRUE(got.contains(name)) << name;
    EXPECT_TRUE(tensor.dtype() == int64 || max_distance(got.at(name), tensor) == 0) << name;
  }
}

TEST_F(Onnx, ComesBackWithItsWindows) {
  nn::Sequential net = every_window();
  export_onnx(net, path_, {.row = {2, 22}});
  nn::Sequential back = load_onnx(path_);
  const Tensor x = randn({5, 2, 22});
  const NoGradGuard no_grad;
  EXPECT_LE(max_distance(back(x), net(x)), 1e-6) << back;
  EXPECT_EQ(back.at<nn::Conv1d>(0).options().padding.text(), "same");
  EXPECT_EQ(max_distance(back.at<nn::Conv1d>(4).weight, net.at<nn::Conv1d>(4).weight), 0);
}

TEST_F(Onnx, TakesFloat64Nets) {
  nn::Sequential net{nn::Linear(3, 2), nn::Tanh()};
  net.to(float64).eval();
  export_onnx(net, path_);
  const Tensor x = randn({5, 3});
  const NoGradGuard no_grad;
  EXPECT_LE(max_distance(load_onnx(path_)(x), net(x.to(float64)).to(float32)), 1e-6);
}

struct Own : nn::Module {
  nn::Linear hidden{6, 8}, out{4, 3};
  void state(nn::StateList& list) override { list("hidden", hidden)("out", out); }
  Tensor forward(const Tensor& x) const override { return out(relu(hidden(x)).reshape({-1, 2, 4})); }
};

TEST_F(Onnx, NamesTheLayersOfAModuleOfTheUsersOwn) {
  Own own;
  own.eval();
  export_onnx(own, path_, {.row = 6});
  const std::string bytes = read_text(path_);
  EXPECT_NE(bytes.find("hidden.weight"), bytes.npos);
  const Tensor x = randn({5, 6});
  const NoGradGuard no_grad;
  EXPECT_LE(max_distance(load_onnx(path_)(x), own(x)), 1e-6);
}

TEST_F(Onnx, DrawsNothing) {
  nn::Sequential net = every_layer();
  export_onnx(net, path_);
  manual_seed(3);
  const Tensor expected = randn({4});
  manual_seed(3);
  load_onnx(path_);
  EXPECT_EQ(max_distance(randn({4}), expected), 0);
}

/// Compares net(x) with what the ONNX Runtime makes of the file; both batches go through one session.
constexpr const char* runtime_script = R"(
const fs = require('fs'), ort = require('onnxruntime-node');
const floats = (file) => new Float32Array(new Uint8Array(fs.readFileSync(file)).buffer);
(async () => {
  const session = await ort.InferenceSession.create('net.onnx');
  const dims = process.argv.slice(2).map(Number), x = floats('x.bin'), y = floats('y.bin');
  const out = (await session.run({input: new ort.Tensor('float32', x, dims)})).output;
  const one = (await session.run({input: new ort.Tensor('float32', x.slice(0, x.length / dims[0]), [1, ...dims.slice(1)])})).output;
  let worst = Math.abs(out.data.length - y.length);
  out.data.forEach((v, i) => worst = Math.max(worst, Math.abs(v - y[i]) / Math.max(1, Math.abs(y[i]))));
  one.data.forEach((v, i) => worst = Math.max(worst, Math.abs(v - y[i]) / Math.max(1, Math.abs(y[i]))));
  console.log(worst);
})();
)";

void expect_runtime_agrees(const TemporaryFolder& folder, nn::Sequential& net, Shape batch) {
  const Tensor x = randn(batch);
  const NoGradGuard no_grad;
  write_text(folder / "x.bin", bytes_in(x));
  write_text(folder / "y.bin", bytes_in(net(x)));
  write_text(folder / "run.js", runtime_script);
  std::string dims;
  for (const std::int64_t extent : batch) dims += " " + std::to_string(extent);
  const std::string out = run("cd " + folder.path().string() + " && node run.js" + dims);
  double worst = 1;
  std::istringstream(out) >> worst;
  EXPECT_LE(worst, 1e-6) << out << net;
}

TEST_F(Onnx, RunsInTheOnnxRuntime) {
  if (run("node -e \"require('onnxruntime-node')\"") != "") GTEST_SKIP() << "no onnxruntime-node on NODE_PATH";
  nn::Sequential net = every_layer();
  export_onnx(net, path_);
  expect_runtime_agrees(folder_, net, {5, 6});

  nn::Sequential channels{nn::BatchNorm1d(3), nn::Linear(4, 5), nn::BatchNorm1d(3),
                          nn::Softmax(1),     nn::Flatten(),    nn::Linear(15, 2)};
  settle(channels);
  export_onnx(channels, path_, {.row = {3, 4}});
  expect_runtime_agrees(folder_, channels, {6, 3, 4});

  nn::Sequential windows = every_window();
  export_onnx(windows, path_, {.row = {2, 22}});
  expect_runtime_agrees(folder_, windows, {3, 2, 22});

  nn::Sequential over_the_end{
      nn::MaxPool1d(3, {.ceil_mode = true}), nn::AvgPool1d(2, {.padding = 1, .ceil_mode = true}),
      nn::AvgPool1d(2, {.ceil_mode = true, .count_include_pad = false}), nn::AdaptiveAvgPool1d(3)};
  over_the_end.eval();
  export_onnx(over_the_end, path_, {.row = {2, 20}});
  expect_runtime_agrees(folder_, over_the_end, {3, 2, 20});
}

TEST_F(Onnx, PassesTheCheckerOfOnnx) {
  const std::string python = "/usr/bin/python3 -c 'import onnx'";
  if (run(python) != "") GTEST_SKIP() << "no python3-onnx here";
  nn::Sequential net = every_layer(), windows = every_window(), nothing{nn::Dropout(0.5)};
  nothing.eval();
  const std::string check =
      "/usr/bin/python3 -c 'import onnx, sys\nm = onnx.load(sys.argv[1])\nonnx.checker.check_model(m, "
      "full_check=True)\n"
      "d = m.graph.input[0].type.tensor_type.shape.dim\nprint(d[0].dim_param, d[1].dim_value)' ";
  export_onnx(net, path_);
  EXPECT_EQ(run(check + path_), "batch 6\n");
  export_onnx(windows, path_, {.row = {2, 22}});
  EXPECT_EQ(run(check + path_), "batch 2\n");
  export_onnx(nothing, path_, {.row = 3});
  EXPECT_EQ(run(check + path_), "batch 3\n");
}

TEST_F(Onnx, RefusesBeforeItWrites) {
  nn::Sequential net{nn::Linear(4, 3), nn::BatchNorm1d(3)};
  expect_error<ValueError>("export_onnx: the net is in training mode", [&] { export_onnx(net, path_); });
  net.eval();
  net.at<nn::BatchNorm1d>(1).running_var.fill_(NAN);
  expect_error_with<ValueError>([&] { export_onnx(net, path_); }, "running_var of channel 0");
  EXPECT_FALSE(std::filesystem::exists(path_));
  nn::Sequential flat{nn::Flatten()};
  flat.eval();
  expect_error_with<ValueError>([&] { export_onnx(flat, path_); }, ".row = {C, L}");
  net.at<nn::BatchNorm1d>(1).running_var.fill_(1);
  EXPECT_THROW(export_onnx(net, folder_ / "no/folder.onnx"), FileError);
}

TEST_F(Onnx, KeepsTheOldFileWhenTheNewOneDoesNotFit) {
  write_text(path_, "old");
  nn::Sequential net = every_layer();
  {
    const FullDisk full(100);
    EXPECT_THROW(export_onnx(net, path_), FileError);
  }
  EXPECT_EQ(read_text(path_), "old");
}

TEST_F(Onnx, RefusesWhatIsNoSequential) {
  EXPECT_THROW(load_onnx(folder_ / "missing.onnx"), FileError);
  write_text(path_, "not a model");
  expect_error_with<FileError>([&] { load_onnx(path_); }, "is not an ONNX model");

  nn::Sequential net{nn::Linear(4, 3), nn::Softplus()};
  net.eval();
  export_onnx(net, path_);
  std::string bytes = read_text(path_);
  for (std::size_t at; (at = bytes.find("Softplus")) != bytes.npos;) bytes.replace(at, 8, "Softsign");
  write_text(path_, bytes);
  expect_error_with<FileError>([&] { load_onnx(path_); }, "has the operator Softsign");

  nn::Sequential pool{nn::MaxPool1d(2, {.ceil_mode = true})};
  pool.eval();
  export_onnx(pool, path_, {.row = {1, 5}});
  expect_error_with<FileError>([&] { load_onnx(path_); }, "pads of 0 and 1, which no layer has");
}

}  // namespace
}  // namespace gradus::test
