// Texts of random tensors under random options, compared with PyTorch where this machine has it.
#include "paths.hpp"

#include <gradus/core/print.hpp>
#include <gradus/core/state_dict.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <random>

namespace gradus {
namespace {

using nlohmann::json;

class Cases {
 public:
  json tensor_case() {
    Described x = random_tensor(pick(0, 4));
    const PrintOptions options = random_options();
    x.description["options"] = as_json(options);
    x.description["text"] = to_string(x.tensor, options);
    return x.description;
  }

  json state_dict_case() {
    StateDict state;
    json entries = json::array();
    for (int i = pick(0, 5); i > 0; --i) {
      const std::string name = std::string(static_cast<std::size_t>(pick(1, 20)), 'k') + std::to_string(i);
      Described x = random_tensor(pick(0, 5) ? pick(0, 1) : 2);
      x.description["name"] = name;
      entries.push_back(x.description);
      state[name] = x.tensor;
    }
    const bool laid_out = pick(0, 3) > 0;
    const int width = pick(0, 1) ? 79 : pick(30, 100);
    return {{"entries", entries},
            {"options", as_json({})},
            {"pretty", laid_out},
            {"width", width},
            {"text", laid_out ? pretty(state, static_cast<std::size_t>(width)) : to_string(state)}};
  }

 private:
  struct Described {
    Tensor tensor;
    json description;
  };

  int pick(int low, int high) { return std::uniform_int_distribution(low, high)(generator_); }

  PrintOptions random_options() {
    PrintOptions options;
    if (pick(0, 1)) return options;
    options.precision = pick(0, 9);
    options.threshold = pick(0, 60);
    options.edgeitems = pick(1, 4);
    options.linewidth = pick(10, 120);
    if (pick(0, 2) == 0) options.sci_mode = pick(0, 1) == 1;
    return options;
  }

  static json as_json(const PrintOptions& options) {
    const json sci_mode = options.sci_mode ? json(*options.sci_mode) : json();
    return {{"precision", options.precision},
            {"threshold", options.threshold},
            {"edgeitems", options.edgeitems},
            {"linewidth", options.linewidth},
            {"sci_mode", sci_mode}};
  }

  Described random_tensor(int rank) {
    Shape shape;
    for (int i = 0; i < rank; ++i) shape.push_back(pick(0, 30) == 0 ? 0 : pick(1, pick(0, 1) ? 3 : rank < 3 ? 20 : 9));
    if (pick(0, 40) == 0) shape = Shape{pick(1, 3), pick(300, 900)};
    Tensor x = empty(shape, static_cast<Dtype>(pick(0, 5) ? pick(1, 3) : 0));
    json texts = json::array();
    const int kind = pick(0, 5);
    visit(x.dtype(), [&]<class T>(T*) {
      for (T& element : x.data<T>()) {
        element = static_cast<T>(random_number(kind, is_floating(x.dtype())));
        char text[40];
        std::snprintf(text, sizeof text, "%.17g", static_cast<double>(element));
        texts.push_back(text);
      }
    });
    json description = {{"dtype", to_string(x.dtype())},
                        {"shape", std::vector<std::int64_t>(shape.begin(), shape.end())},
                        {"data", texts},
                        {"place", ""}};
    if (is_floating(x.dtype()) && pick(0, 2) == 0) {
      x.requires_grad_();
      const int place = pick(0, 2);
      if (place > 0) x = place == 1 ? x / 1 : x * 1;
      description["place"] = place == 0 ? "leaf" : place == 1 ? "div" : "mul";
    }
    return {x, description};
  }

  double random_number(int kind, bool floating) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-45, 3e38, 0.99996, 1e-4, 1e8, 1000};
    const double normal = std::normal_distribution()(generator_);
    if (!floating) return std::floor(normal * std::pow(10, kind));
    switch (kind) {
      case 0: return pick(0, 3) ? normal : special[pick(0, 10)];
      case 1: return std::floor(normal * 10);
      case 2: return pick(0, 3) ? std::floor(normal * 1000) : special[pick(0, 10)];
      case 3: return normal * std::pow(10, pick(-3, 3));
      case 4: return normal * std::pow(10, pick(-45, 37));
      default: return normal;
    }
  }

  std::mt19937 generator_{20};
};

TEST(PrintAgainstTorch, RandomTensors) {
  Cases cases;
  json all = json::array();
  for (int i = 0; i < 1000; ++i) all.push_back(i % 3 ? cases.tensor_case() : cases.state_dict_case());
  const std::string file = testing::TempDir() + "gradus_print_cases.json";
  std::ofstream(file) << all;

  const char* python = std::getenv("PYTHON");
  const std::string command = std::string(python ? python : "python3") + " " +
                              gradus::test::source_path("tests/checks/print_against_torch.py ") + file;
  const int status = std::system(command.c_str()) / 256;
  if (status == 77 || status == 127) GTEST_SKIP() << "no PyTorch here; PYTHON names an interpreter that has it";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace gradus
