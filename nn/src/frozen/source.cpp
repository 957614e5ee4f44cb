#include "frozen/source.hpp"

#include "frozen/dialect.hpp"

#include <algorithm>
#include <cmath>

namespace gradus::nn::frozen {

using gradus::detail::message;

namespace {

constexpr std::int64_t group_size = 16;     // outputs are padded to it, so that their loops fill whole registers
constexpr std::int64_t inputs_at_once = 4;  // summed in one pass over the outputs

std::int64_t padded(std::int64_t outputs) { return (outputs + group_size - 1) / group_size * group_size; }

class Writer {
 public:
  Writer(const SourceOptions& options) : d_(options), int8_(options.int8_weights) {}

  std::string text(const Program& program, std::span<const float> x, std::span<const float> y) {
    for (std::size_t i = 0; i < program.steps.size(); ++i) write_step(program.steps[i], i);
    array("example_input", x);
    array("example_output", y);
    write_predict(program);
    write_checks();
    return head(program) + body_ + foot();
  }

 private:
  // --- constants
  template <class T>
  void array(const std::string& own, std::span<const T> values, const char* type = "float") {
    body_ += message(d_.cpp ? "alignas(64) inline constexpr " : d_.aligned() + "static const ", type, " ", d_.id(own),
                     "[", values.size(), "] = {");
    std::size_t column = 120;
    for (const T value : values) {
      std::string text;
      if constexpr (std::is_same_v<T, float>) {
        text = literal(value);
      } else {
        text = std::to_string(value);
      }
      if ((column += text.size() + 2) > 118) {
        body_ += "\n    ";
        column = text.size() + 6;
      }
      body_ += text + ", ";
    }
    body_ += "};\n";
    checksum_ = fnv1a(checksum_, values.data(), values.size() * sizeof(T));
    arrays_.push_back(d_.id(own));
  }
  void array(const std::string& own, const std::vector<double>& values) {
    const std::vector<float> floats(values.begin(), values.end());
    array(own, std::span<const float>(floats));
  }
  void line(const std::string& text) { body_ += text + "\n"; }

  // --- steps
  void write_step(const Step& step, std::size_t number) {
    n_ = std::to_string(number);
    std::string layers = step.layers;
    for (char& c : layers) c = c < 0x20 || c > 0x7e || c == '\\' ? '?' : c;
    line(message("\n// ", layers, ": ", step.in, " to ", step.out));
    std::visit([&](const auto& work) { write(work, step); }, step.work);
  }
  void begin() { line(message(d_.function("void", "step" + n_), d_.pointers(), " {")); }
  std::string constant(const std::string& own) const { return d_.id(own + n_); }

  void write_weights(const Product& p) {
    const std::int64_t outputs = padded(p.outputs);
    std::vector<double> columns(static_cast<std::size_t>(p.inputs * outputs)), bias = p.bias;
    for (std::int64_t i = 0; i < p.inputs; ++i) {
      for (std::int64_t o = 0; o < p.outputs; ++o) {
        columns[static_cast<std::size_t>(i * outputs + o)] = p.weight[static_cast<std::size_t>(o * p.inputs + i)];
      }
    }
    bias.resize(static_cast<std::size_t>(outputs));
    array("bias" + n_, bias);
    if (!int8_) return array("weight" + n_, columns);
    std::vector<double> scales = int8_scales(p);
    scales.resize(static_cast<std::size_t>(outputs), 1);
    std::vector<signed char> bytes;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      bytes.push_back(static_cast<signed char>(std::lround(columns[i] / scales[i % scales.size()])));
    }
    array("scale" + n_, scales);
    array("weight" + n_, std::span<const signed char>(bytes), "signed char");
  }

  /// y += sum of `count` inputs from i on, each times its column.
  void write_inputs(std::int64_t count, std::int64_t outputs, const std::string& indent) {
    std::vector<std::string> products;
    std::string elements;
    for (std::int64_t k = 0; k < count; ++k) {
      const std::string e = message("e", k), plus = k > 0 ? message(" + ", k) : "";
      const std::string w = k > 0 ? message("w[j + ", k * outputs, "]") : "w[j]";
      elements += message(k > 0 ? ", " : "", e, " = x[i", plus, "]");
      products.push_back(message(e, " * ", int8_ ? d_.to_float(w) : w));
    }
    std::string sum = products[0];
    if (count > 1) sum = message("(", products[0], " + ", products[1], ")");
    if (count == 3) sum += " + " + products[2];
    if (count == 4) sum += message(" + (", products[2], " + ", products[3], ")");
    line(message(indent, "const ", int8_ ? "signed char" : "float", "* const w = ", constant("weight"), " + i * ",
                 outputs, ";"));
    line(message(indent, "const float ", elements, ";"));
    line(message(indent, d_.loop("j", outputs), "y[j] += ", sum, ";"));
  }

  void write(const Product& p, const Step&) {
    write_weights(p);
    begin();
    const std::int64_t outputs = padded(p.outputs), rest = p.inputs % inputs_at_once;
    line(message("  ", d_.loop("j", outputs), "y[j] = ", int8_ ? "0.0f" : constant("bias") + "[j]", ";"));
    if (p.inputs > rest) {
      line(message("  ", d_.loop("i", p.inputs - rest, inputs_at_once), "{"));
      write_inputs(inputs_at_once, outputs, "    ");
      line("  }");
    }
    if (rest > 0) {
      line(message("  {\n    const ", d_.size_type(), " i = ", p.inputs - rest, ";"));
      write_inputs(rest, outputs, "    ");
      line("  }");
    }
    if (int8_) {
      line(message("  ", d_.loop("j", outputs), "y[j] = y[j] * ", constant("scale"), "[j] + ", constant("bias"),
                   "[j];"));
    }
    if (p.then.function != Function::none) {
      line(message("  ", d_.loop("j", outputs), "y[j] = ", applied(p.then, "y[j]"), ";"));
    }
    line("}");
  }

  void write(const Norm& norm, const Step& step) {
    array("mean" + n_, norm.mean);
    array("scale" + n_, norm.scale);
    array("shift" + n_, norm.shift);
    const std::int64_t period = static_cast<std::int64_t>(norm.mean.size());
    begin();
    line(message("  ", d_.loop("r", step.in, period), "{\n    ", d_.loop("j", period), "y[r + j] = (x[r + j] - ",
                 constant("mean"), "[j]) * ", constant("scale"), "[j] + ", constant("shift"), "[j];\n  }\n}"));
  }

  std::string applied(const Activation& activation, const std::string& v) {
    const std::string a = literal(static_cast<float>(activation.a)), b = literal(static_cast<float>(activation.b));
    needs_math_ =
        needs_math_ || (activation.function > Function::leaky_relu && activation.function != Function::hardtanh);
    const auto call = [&](const char* f, const std::string& x) { return message(d_.math(f), "(", x, ")"); };
    switch (activation.function) {
      case Function::none:
        break;
      case Function::relu:
        return message(v, " < 0.0f ? 0.0f : ", v);
      case Function::leaky_relu:
        return message(v, " < 0.0f ? ", v, " * ", a, " : ", v);
      case Function::sigmoid:
        return message("1.0f / (1.0f + ", call("exp", "-" + v), ")");
      case Function::tanh:
        return call("tanh", v);
      case Function::gelu:
        return message(v, " * 0.5f * (1.0f + ", call("erf", v + " * 0.70710678f"), ")");
      case Function::softplus:
        return message(v, " > 20.0f ? ", v, " : ", call("log1p", call("exp", v)));
      case Function::elu:
        return message(v, " > 0.0f ? ", v, " : ", a, " * ", call("expm1", v));
      case Function::silu:
        return message(v, " / (1.0f + ", call("exp", "-" + v), ")");
      case Function::hardtanh:
        return message(v, " < ", a, " ? ", a, " : ", v, " > ", b, " ? ", b, " : ", v);
    }
    return v;
  }

  void write(const Activation& activation, const Step& step) {
    begin();
    line(message("  ", d_.loop("j", step.in), "y[j] = ", applied(activation, "x[j]"), ";\n}"));
  }

  void write(const Softmax& s, const Step&) {
    needs_math_ = true;
    begin();
    line(message("  ", d_.loop("g", s.groups * s.size, s.size), "{\n    float top = x[g], total = 0.0f;"));
    line(message("    ", d_.loop("j", s.size), "top = x[g + j] > top ? x[g + j] : top;"));
    const std::string power = message(d_.math("exp"), "(x[g + j] - top)");
    if (s.log) {
      line(message("    ", d_.loop("j", s.size), "total += ", power, ";"));
      line(message("    total = ", d_.math("log"), "(total);"));
      line(message("    ", d_.loop("j", s.size), "y[g + j] = (x[g + j] - top) - total;"));
    } else {
      line(message("    ", d_.loop("j", s.size), "{\n      y[g + j] = ", power, ";\n      total += y[g + j];\n    }"));
      line(message("    ", d_.loop("j", s.size), "y[g + j] /= total;"));
    }
    line("  }\n}");
  }

  void write(const Pool& p, const Step&) {
    needs_math_ = needs_math_ || p.max;
    begin();
    line(message("  ", d_.loop("o", p.out_length), d_.loop("c", p.channels), "{\n    const ", d_.size_type(),
                 " l = o * ", p.stride, ";\n    float sum = ",
                 p.max ? "-HUGE_VALF" : message("0.0f, count = ", p.count_padding ? p.kernel : 0, ".0f"), ";"));
    line(message("    ", d_.loop("k", p.kernel), "{"));
    if (p.padding > 0)
      line(message("      if (l + k < ", p.padding, " || l + k >= ", p.padding + p.length, ") continue;"));
    line(message("      const float v = x[(l + k - ", p.padding, ") * ", p.channels, " + c];"));
    line(p.max ? "      sum = v > sum || v != v ? v : sum;" : "      sum += v;");
    if (!p.max && !p.count_padding) line("      count += 1.0f;");
    line(message("    }\n    y[o * ", p.channels, " + c] = sum", p.max ? "" : " / count", ";\n  }\n}"));
  }

  void write(const Transpose& t, const Step&) {
    begin();
    line(message("  ", d_.loop("j", t.columns), "{\n    ", d_.loop("i", t.rows), "y[j * ", t.rows, " + i] = x[i * ",
                 t.columns, " + j];\n  }\n}"));
  }

  void write(const Pad& pad, const Step& step) {
    begin();
    line(message("  ", d_.loop("j", step.out), "y[j] = 0.0f;"));
    line(message("  ", d_.loop("j", step.in), "y[j + ", pad.before, "] = x[j];\n}"));
  }

  // --- what is called
  void write_predict(const Program& program) {
    const auto& steps = program.steps;
    std::int64_t sizes[2] = {1, 1};
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto* product = std::get_if<Product>(&steps[i].work);
      const std::int64_t spill = product ? padded(product->outputs) - product->outputs : 0;
      sizes[i % 2] = std::max(sizes[i % 2], steps[i].out + spill);
    }
    line(message("\n", d_.function("void", "predict"), "(const float* input, float* output)", d_.cpp ? " noexcept" : "",
                 " {\n  ", d_.aligned(), "float even[", sizes[0], "];\n  ", d_.aligned(), "float odd[", sizes[1],
                 "];"));
    std::string from = "input";
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const std::string to = i % 2 == 0 ? "even" : "odd", call = d_.id(message("step", i));
      const auto* product = std::get_if<Product>(&steps[i].work);
      if (product && product->rows > 1) {
        line(message("  ", d_.loop("r", product->rows), call, "(", from, " + r * ", product->stride, ", ", to,
                     " + r * ", product->outputs, ");"));
      } else {
        line(message("  ", call, "(", from, ", ", to, ");"));
      }
      from = to;
    }
    line(message("  ", d_.loop("j", numel(program.out)), "output[j] = ", from, "[j];"));
    if (steps.size() < 2) line(d_.cpp ? "  static_cast<void>(odd);" : "  (void)odd;");
    if (steps.empty()) line(d_.cpp ? "  static_cast<void>(even);" : "  (void)even;");
    line("}");
  }

  void write_checks() {
    const std::string byte = "const unsigned char*",
                      from = d_.cpp ? "reinterpret_cast<" + byte + ">(data)" : "(" + byte + ")data";
    line("\n// FNV-1a over the bytes of `size` at `data`.");
    line(message(d_.function("unsigned long", "hash"), "(unsigned long h, const void* data, ", d_.size_type(), " size)",
                 d_.cpp ? " noexcept" : "", " {\n  ", byte,
                 " bytes = ", d_.cpp ? "static_cast<" + byte + ">(data)" : from, ";"));
    line(message("  for (", d_.size_type(),
                 " i = 0; i < size; ++i) h = ((h ^ bytes[i]) * 16777619ul) & 0xfffffffful;\n"
                 "  return h;\n}"));
    line("\n// Whether the constants are as they were written, and the example gives its output.");
    line(message(d_.function(d_.cpp ? "bool" : "int", "self_check"), d_.cpp ? "() noexcept {" : "(void) {"));
    line("  unsigned long h = 2166136261ul;");
    for (const std::string& a : arrays_) line(message("  h = ", d_.id("hash"), "(h, ", a, ", sizeof ", a, ");"));
    const std::string outputs = d_.cpp ? "outputs" : d_.upper() + "_OUTPUTS";
    line(message("  float y[", outputs, "];\n  ", d_.id("predict"), "(", d_.id("example_input"), ", y);"));
    line(message("  for (", d_.size_type(), " j = 0; j < ", outputs, "; ++j) {\n    const float expected = ",
                 d_.id("example_output"), "[j], difference = y[j] - expected;"));
    line("    const float size = expected < 0.0f ? -expected : expected, bound = 1e-5f * (1.0f + size);");
    line(message("    if (!(difference <= bound && difference >= -bound)) return ", d_.cpp ? "false" : "0", ";\n  }"));
    line(message("  return h == ", d_.cpp ? "checksum" : d_.upper() + "_CHECKSUM", ";\n}"));
  }

  // --- around it
  std::string head(const Program& program) const {
    std::string text =
        message("// ", d_.name, ": a trained net, written by gradus. ", d_.id("predict"),
                d_.cpp ? " in namespace " + d_.name : "", " computes ", numel(program.out), " numbers from ",
                numel(program.in), ".\n", "// Little-endian, IEEE floats; ", d_.cpp ? "C++17" : "C99", ".\n");
    text += d_.cpp ? "#pragma once\n\n#include <cstddef>\n"
                   : message("#ifndef ", d_.upper(), "_H\n#define ", d_.upper(), "_H\n\n#include <stddef.h>\n");
    if (needs_math_) text += d_.cpp ? "#include <cmath>\n" : "#include <math.h>\n";
    if (d_.cpp) {
      return text + message("\nnamespace ", d_.name, " {\n\ninline constexpr std::size_t inputs = ", numel(program.in),
                            ", outputs = ", numel(program.out),
                            ";\ninline constexpr unsigned long checksum = ", checksum_, "ul;\n");
    }
    return text + message("\n#define ", d_.upper(), "_INPUTS ", numel(program.in), "\n#define ", d_.upper(),
                          "_OUTPUTS ", numel(program.out), "\n#define ", d_.upper(), "_CHECKSUM ", checksum_,
                          "ul\n#if defined(__GNUC__)\n#define ", d_.upper(),
                          "_ALIGNED __attribute__((aligned(64)))\n#else\n#define ", d_.upper(), "_ALIGNED\n#endif\n");
  }
  std::string foot() const { return d_.cpp ? message("\n}  // namespace ", d_.name, "\n") : "\n#endif\n"; }

  const Dialect d_;
  const bool int8_;
  std::string body_, n_;
  std::vector<std::string> arrays_;
  std::uint32_t checksum_ = 2166136261u;
  bool needs_math_ = false;
};

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
  return Writer(options).text(program, x, y);
}

}  // namespace gradus::nn::frozen
