#include "frozen/writer.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <cmath>

namespace gradus::nn::frozen {

namespace {

/// Calls the steps in turn, between two arrays on the stack.
void write_predict(Writer& writer, const Program& program) {
  std::int64_t sizes[2] = {1, 1};
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const Step& step = program.steps[i];
    const auto* product = std::get_if<Product>(&step.work);
    const std::int64_t spill = product ? padded(product->outputs) - product->outputs : 0;
    sizes[i % 2] = std::max(sizes[i % 2], step.out + spill);
  }
  writer.emit(
      "\n// Takes $bytes bytes of the stack.\n"
      "$function void @predict(const float* input, float* output)$noexcept {\n"
      "  $aligned float even[$even];\n  $aligned float odd[$odd];\n",
      {{"bytes", 4 * (sizes[0] + sizes[1])}, {"even", sizes[0]}, {"odd", sizes[1]}});
  std::string from = "input";
  for (std::size_t i = 0; i < program.steps.size(); ++i) {
    const std::string to = i % 2 == 0 ? "even" : "odd";
    writer.emit("  @step$i($from, $to);\n", {{"i", i}, {"from", from}, {"to", to}});
    from = to;
  }
  writer.emit("  for ($size j = 0; j < $count; ++j) output[j] = $from[j];\n",
              {{"count", numel(program.out)}, {"from", from}});
  if (program.steps.size() < 2) writer.emit("  $void(odd);\n");
  if (program.steps.empty()) writer.emit("  $void(even);\n");
  writer.emit("}\n");
}

void write_checks(Writer& writer) {
  writer.emit(
      "\n// FNV-1a over the bytes of `size` at `data`.\n"
      "$function unsigned long @hash(unsigned long h, const void* data, $size size)$noexcept {\n"
      "  const unsigned char* bytes = $bytes(data);\n"
      "  for ($size i = 0; i < size; ++i) h = ((h ^ bytes[i]) * 16777619ul) & 0xfffffffful;\n"
      "  return h;\n}\n"
      "\n// Whether the constants are as they were written, and the example gives its output.\n"
      "$function $bool @self_check($nothing)$noexcept {\n"
      "  unsigned long h = 2166136261ul;\n");
  for (const std::string& a : writer.arrays) writer.emit("  h = @hash(h, $a, sizeof $a);\n", {{"a", a}});
  writer.emit(
      "  float y[$outputs];\n"
      "  @predict(@example_input, y);\n"
      "  for ($size j = 0; j < $outputs; ++j) {\n"
      "    const float expected = @example_output[j], difference = y[j] - expected;\n"
      "    const float size = expected < 0.0f ? -expected : expected, bound = 1e-5f * (1.0f + size);\n"
      "    if (!(difference <= bound && difference >= -bound)) return $false;\n"
      "  }\n"
      "  return h == $checksum;\n}\n");
}

constexpr std::string_view about =
    "// $name: a trained net, written by gradus. $predict computes $outputs numbers from $inputs.\n"
    "// Little-endian, IEEE floats; $language.\n";

constexpr std::string_view cpp_head =
    "#pragma once\n\n#include <cstddef>\n$math\nnamespace $name {\n\n"
    "inline constexpr std::size_t inputs = $inputs, outputs = $outputs;\n"
    "inline constexpr unsigned long checksum = $checksum;\n";

constexpr std::string_view c_head =
    "#ifndef $big_H\n#define $big_H\n\n#include <stddef.h>\n$math\n"
    "#define $big_INPUTS $inputs\n#define $big_OUTPUTS $outputs\n#define $big_CHECKSUM $checksum\n"
    "#if defined(__GNUC__)\n#define $big_ALIGNED __attribute__((aligned(64)))\n#else\n#define $big_ALIGNED\n#endif\n";

/// Where the mathematics come from. Freestanding C++ has no header for them, but g++ and clang know what to call.
std::string mathematics(const SourceOptions& options) {
  if (!options.cpp) return "#include <math.h>\n";
  std::string text = gradus::detail::message(
      "#if __STDC_HOSTED__\n#include <math.h>\n#else\n#define HUGE_VALF __builtin_huge_valf()\n", "namespace ",
      options.name, " {\n");
  for (const char* function : math_functions) {
    text += filled("inline float $ff(float v) { return __builtin_$ff(v); }\n", {{"ff", std::string(function) + "f"}});
  }
  return text + "}\n#endif\n";
}

}  // namespace

std::vector<double> int8_scales(const Product& product) {
  std::vector<double> scales;
  const std::size_t inputs = static_cast<std::size_t>(product.inputs);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    double largest = 0;
    for (std::size_t i = 0; i < inputs; ++i) largest = std::max(largest, std::abs(product.weight[o * inputs + i]));
    scales.push_back(largest > 0 ? static_cast<double>(static_cast<float>(largest / 127)) : 1);
  }
  return scales;
}

void round_to_int8(Program& program) {
  for (Step& step : program.steps) {
    auto* product = std::get_if<Product>(&step.work);
    if (!product) continue;
    const std::vector<double> scales = int8_scales(*product);
    for (std::size_t i = 0; i < product->weight.size(); ++i) {
      const double scale = scales[i / static_cast<std::size_t>(product->inputs)];
      product->weight[i] = std::round(product->weight[i] / scale) * scale;
    }
  }
}

std::string source(const Program& program, const SourceOptions& options, std::span<const float> x,
                   std::span<const float> y) {
  Writer writer(options);
  for (std::size_t i = 0; i < program.steps.size(); ++i) writer.step(program.steps[i], i);
  writer.array("example_input", x);
  writer.array("example_output", y);
  write_predict(writer, program);
  write_checks(writer);
  const Fillings own{{"predict", writer.id("predict") + (options.cpp ? " in namespace " + options.name : "")},
                     {"inputs", numel(program.in)},
                     {"outputs", numel(program.out)},
                     {"checksum", std::to_string(writer.checksum) + "ul"},
                     {"language", options.cpp ? "C++17" : "C99"},
                     {"math", writer.needs_math ? mathematics(options) : ""}};
  const std::string foot = options.cpp ? "\n}  // namespace " + options.name + "\n" : "\n#endif\n";
  const std::string_view head = options.cpp ? cpp_head : c_head;
  return filled(about, own, writer.words) + filled(head, own, writer.words) + writer.text + foot;
}

}  // namespace gradus::nn::frozen
