// From training to wherever the net is to run: as a plan, as a header for the compiler at hand, as an ONNX file; with
// weights of 32, 16 and 8 bits. Each answers the test digits, and a table shows what it costs.
#include "command_line.hpp"
#include "images.hpp"
#include "text.hpp"
#include "text_table.hpp"
#include "timing.hpp"
#include "training.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>

using namespace gradus;

namespace {

struct Options {
  std::string folder = std::filesystem::temp_directory_path() / "gradus_deploy", compiler = "c++ -O3 -march=native";
  std::int64_t epochs = 20;
};

nn::Sequential train(const Images& images, std::int64_t epochs) {
  nn::Sequential net = make_mlp({64, 100, 100, 100, 10});
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  DataLoader loader(TensorDataset(images.x, images.y), {.batch_size = 60, .shuffle = true, .drop_last = true});
  optim::CosineAnnealingLR schedule(optimizer, epochs);
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    train_epoch(net, optimizer, loader);
    schedule.step();
  }
  net.eval();
  return net;
}

/// The table, with a row for every form of the net.
class Comparison {
 public:
  explicit Comparison(const Images& test) : test_(test), row_(test.x.narrow(0, 0, 1)) {}

  void add(const std::string& name, double share_right, std::uintmax_t bytes, double time) {
    table_.row(name, percent(share_right, 2), fixed(static_cast<double>(bytes) / 1000, 1) + " kB",
               fixed(time, 2) + " us");
  }
  void add(const std::string& name, nn::Sequential& net, std::uintmax_t bytes) {
    const NoGradGuard no_grad;
    add(name, share_right(net(test_.x)), bytes, microseconds([&] { net(row_); }, 300, 20));
  }
  void add(const std::string& name, const nn::Plan& plan) {
    std::vector<float> y(plan.outputs());
    const auto pixels = std::as_const(row_).data<float>();
    add(name, share_right(plan(test_.x)), plan.weight_bytes(), microseconds([&] { plan(pixels, y); }, 300, 20));
  }
  void add_missing(const std::string& name, const char* why) { table_.row(name, why); }
  std::string text() const { return table_.text(); }

 private:
  double share_right(const Tensor& logits) const { return (logits.argmax(1) == test_.y).to(float64).mean().item(); }

  const Images& test_;
  Tensor row_;
  TextTable table_{{"", "right", "size", "one row"}, {.text_columns = 1}};
};

std::uintmax_t bytes_of(const nn::Module& net) {
  std::uintmax_t bytes = 0;
  for (const auto& [name, x] : net.state_dict()) bytes += static_cast<std::uintmax_t>(x.numel()) * item_size(x.dtype());
  return bytes;
}

// --- as a header

/// A program that reads rows and labels, and prints how many it got right and the microseconds a row.
constexpr const char* driver = R"(#include "digits.hpp"
#include <chrono>
#include <cstdio>
#include <vector>
int main(int, char** argv) {
  std::FILE* file = std::fopen(argv[1], "rb");
  std::vector<float> x;
  std::vector<int> labels;
  for (float row[digits::inputs + 1]; std::fread(row, sizeof row, 1, file) == 1;) {
    x.insert(x.end(), row, row + digits::inputs);
    labels.push_back(static_cast<int>(row[digits::inputs]));
  }
  if (!digits::self_check()) return 1;
  int right = 0;
  double shortest = 1e9;
  for (int run = 0; run < 50; ++run) {
    right = 0;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t r = 0; r < labels.size(); ++r) {
      float y[digits::outputs];
      digits::predict(x.data() + r * digits::inputs, y);
      int best = 0;
      for (int j = 1; j < static_cast<int>(digits::outputs); ++j) best = y[j] > y[best] ? j : best;
      right += best == labels[r];
    }
    const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - start;
    const double each = time.count() / static_cast<double>(labels.size());
    shortest = each < shortest ? each : shortest;
  }
  std::printf("%d %.3f", right, shortest);
}
)";

void write_rows(const std::string& path, const Images& images) {
  const auto rows = cat({images.x, images.y.to(float32).unsqueeze(1)}, 1).to_vector<float>();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(rows.data()), static_cast<std::streamsize>(rows.size() * sizeof(float)));
}

void add_header(Comparison& table, const std::string& name, const nn::Module& net, bool int8_weights, const Options& o,
                std::int64_t rows) {
  nn::export_header(net, o.folder + "/digits.hpp", {.name = "digits", .int8_weights = int8_weights});
  std::ofstream(o.folder + "/digits.cpp") << driver;
  std::ofstream(o.folder + "/predict.cpp")
      << "#include \"digits.hpp\"\nvoid predict(const float* x, float* y) { digits::predict(x, y); }\n";
  const std::string compile = "cd '" + o.folder + "' && " + o.compiler + " -std=c++17 ";
  if (std::system((compile + "-c predict.cpp -o predict.o && " + compile + "digits.cpp -o digits").c_str()) != 0) {
    throw ValueError("the compiler, '" + o.compiler + "', refused the header; name another with --compiler");
  }
  FILE* program = popen(("'" + o.folder + "/digits' '" + o.folder + "/rows.bin'").c_str(), "r");
  double right = 0, time = 0;
  const int read = std::fscanf(program, "%lf %lf", &right, &time);
  if (pclose(program) != 0 || read != 2) throw ValueError("the compiled header fails its self-check");
  table.add(name, right / static_cast<double>(rows), std::filesystem::file_size(o.folder + "/predict.o"), time);
}

void add_onnx(Comparison& table, const nn::Sequential& net, const std::string& path) {
  try {
    nn::export_onnx(net, path, {.name = "digits"});
    nn::Sequential loaded = nn::load_onnx(path);
    table.add("digits.onnx, loaded", loaded, std::filesystem::file_size(path));
  } catch (const NotImplementedError&) {
    table.add_missing("digits.onnx", "this gradus was built without -DGRADUS_ONNX=ON");
  }
}

int run(const Options& o) {
  std::filesystem::create_directories(o.folder);
  manual_seed(8);
  const ImageSet digits = load_digits(GRADUS_DATA_DIR "/digits.csv");
  nn::Sequential net = train(digits.train, o.epochs);
  write_rows(o.folder + "/rows.bin", digits.test);

  Comparison table(digits.test);
  table.add("the net", net, bytes_of(net));
  table.add("nn::Plan", nn::Plan(net, {64}));
  table.add("nn::Plan, half weights", nn::Plan(net, {64}, {.half_weights = true}));
  add_header(table, "digits.hpp, int8 weights", net, true, o, digits.test.x.size(0));
  add_header(table, "digits.hpp", net, false, o, digits.test.x.size(0));
  add_onnx(table, net, o.folder + "/digits.onnx");
  std::printf("%s\nThe files are in %s.\n", table.text().c_str(), o.folder.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("15_deploy", [&] {
    Options o;
    CLI::App app("Train on handwritten digits, and take the net to where it is to run.");
    app.option_defaults()->always_capture_default();
    app.add_option("--folder", o.folder, "of what is written")->check(not_empty);
    app.add_option("--compiler", o.compiler, "with its flags, for the header")->check(not_empty);
    app.add_option("--epochs", o.epochs)->check(CLI::PositiveNumber);
    parse_command_line(app, argc, argv);
    return run(o);
  });
}
