// From training to wherever the net is to run: as a plan, as a header for the compiler at hand, as an ONNX file; with
// weights of 32, 16 and 8 bits. Each answers the test digits, and a table shows what it costs.
#include "command_line.hpp"
#include "images.hpp"
#include "text.hpp"
#include "text_table.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
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
  nn::Sequential net{nn::Linear(64, 100),  nn::BatchNorm1d(100), nn::ReLU(),           nn::Linear(100, 100),
                     nn::BatchNorm1d(100), nn::ReLU(),           nn::Linear(100, 100), nn::BatchNorm1d(100),
                     nn::ReLU(),           nn::Linear(100, 10)};
  optim::SGD optimizer(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  DataLoader loader(TensorDataset(images.x, images.y), {.batch_size = 60, .shuffle = true, .drop_last = true});
  optim::CosineAnnealingLR schedule(optimizer, epochs);
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (const auto& [x, y] : loader) {
      optimizer.zero_grad();
      nn::functional::cross_entropy(net(x), y).backward();
      optimizer.step();
    }
    schedule.step();
  }
  net.eval();
  return net;
}

// --- the table

void add_row(TextTable& table, const std::string& name, std::int64_t right, std::int64_t all, std::uintmax_t bytes,
             double microseconds) {
  table.row(name, percent(static_cast<double>(right) / static_cast<double>(all), 2),
            fixed(static_cast<double>(bytes) / 1000, 1) + " kB", fixed(microseconds, 2) + " us");
}

std::int64_t count_right(const Tensor& logits, const Tensor& y) {
  return (logits.argmax(1) == y).to(int64).sum().item<std::int64_t>();
}

/// The shortest of many runs: what the machine does besides makes only longer ones.
template <class F>
double microseconds(F f) {
  using Clock = std::chrono::steady_clock;
  double shortest = 1e9;
  for (int run = 0; run < 300; ++run) {
    const auto start = Clock::now();
    for (int i = 0; i < 20; ++i) f();
    shortest = std::min(shortest, std::chrono::duration<double, std::micro>(Clock::now() - start).count() / 20);
  }
  return shortest;
}

// --- here

std::uintmax_t bytes_of(const nn::Module& net) {
  std::uintmax_t bytes = 0;
  for (const auto& [name, x] : net.state_dict()) bytes += static_cast<std::uintmax_t>(x.numel()) * item_size(x.dtype());
  return bytes;
}

void measure_net(TextTable& table, const std::string& name, nn::Sequential& net, std::uintmax_t bytes,
                 const Images& test) {
  const NoGradGuard no_grad;
  const Tensor row = test.x.narrow(0, 0, 1);
  add_row(table, name, count_right(net(test.x), test.y), test.x.size(0), bytes, microseconds([&] { net(row); }));
}

void measure_plan(TextTable& table, const std::string& name, const nn::Plan& plan, const Images& test) {
  const Tensor row = test.x.narrow(0, 0, 1);
  std::vector<float> y(plan.outputs());
  add_row(table, name, count_right(plan(test.x), test.y), test.x.size(0), plan.weight_bytes(),
          microseconds([&] { plan(std::as_const(row).data<float>(), y); }));
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
  std::ofstream file(path, std::ios::binary);
  for (std::int64_t i = 0; i < images.x.size(0); ++i) {
    const auto pixels = images.x.data<float>().subspan(static_cast<std::size_t>(i) * 64, 64);
    const float label = static_cast<float>(images.y.data<std::int64_t>()[static_cast<std::size_t>(i)]);
    file.write(reinterpret_cast<const char*>(pixels.data()), static_cast<std::streamsize>(pixels.size_bytes()));
    file.write(reinterpret_cast<const char*>(&label), sizeof label);
  }
}

void measure_header(TextTable& table, const std::string& name, const nn::Module& net, bool int8_weights,
                    const Options& o, const Images& test) {
  nn::export_header(net, o.folder + "/digits.hpp", {.name = "digits", .int8_weights = int8_weights});
  std::ofstream(o.folder + "/digits.cpp") << driver;
  std::ofstream(o.folder + "/predict.cpp")
      << "#include \"digits.hpp\"\nvoid predict(const float* x, float* y) { digits::predict(x, y); }\n";
  const std::string compile = "cd '" + o.folder + "' && " + o.compiler + " -std=c++17 ";
  if (std::system((compile + "-c predict.cpp -o predict.o && " + compile + "digits.cpp -o digits").c_str()) != 0) {
    throw ValueError("the compiler, '" + o.compiler + "', refused the header; name another with --compiler");
  }
  FILE* program = popen(("'" + o.folder + "/digits' '" + o.folder + "/rows.bin'").c_str(), "r");
  long long right = 0;
  double time = 0;
  const int read = std::fscanf(program, "%lld %lf", &right, &time);
  if (pclose(program) != 0 || read != 2) throw ValueError("the compiled header fails its self-check");
  add_row(table, name, right, test.x.size(0), std::filesystem::file_size(o.folder + "/predict.o"), time);
}

void run(const Options& o) {
  std::filesystem::create_directories(o.folder);
  manual_seed(8);
  const ImageSet digits = load_digits(GRADUS_DATA_DIR "/digits.csv");
  nn::Sequential net = train(digits.train, o.epochs);
  write_rows(o.folder + "/rows.bin", digits.test);

  TextTable table({"", "right", "size", "one row"}, {.text_columns = 1, .plain = true});
  measure_net(table, "the net", net, bytes_of(net), digits.test);
  measure_plan(table, "nn::Plan", nn::Plan(net, {64}), digits.test);
  measure_plan(table, "nn::Plan, half weights", nn::Plan(net, {64}, {.half_weights = true}), digits.test);
  measure_header(table, "digits.hpp, int8 weights", net, true, o, digits.test);
  measure_header(table, "digits.hpp", net, false, o, digits.test);
  try {
    nn::export_onnx(net, o.folder + "/digits.onnx", {.name = "digits"});
    nn::Sequential loaded = nn::load_onnx(o.folder + "/digits.onnx");
    measure_net(table, "digits.onnx, loaded", loaded, std::filesystem::file_size(o.folder + "/digits.onnx"),
                digits.test);
  } catch (const NotImplementedError&) {
    table.row("digits.onnx", "this gradus was built without -DGRADUS_ONNX=ON");
  }
  std::printf("%s", table.text().c_str());
  std::printf("\nThe files are in %s.\n", o.folder.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("15_deploy", [&] {
    Options options;
    CLI::App app("Train on handwritten digits, and take the net to where it is to run.");
    app.add_option("--folder", options.folder, "of what is written")->check(not_empty)->capture_default_str();
    app.add_option("--compiler", options.compiler, "with its flags, for the header")
        ->check(not_empty)
        ->capture_default_str();
    app.add_option("--epochs", options.epochs)->check(CLI::PositiveNumber)->capture_default_str();
    if (const auto status = parse_command_line(app, argc, argv)) return *status;
    run(options);
    return 0;
  });
}
