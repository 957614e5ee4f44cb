// Products: each input times its column of weights, the columns of four inputs in one pass over the outputs, which is a
// loop that compilers turn into vectors by themselves.
#include "frozen/writer.hpp"

#include <cmath>

namespace gradus::nn::frozen {

namespace {

struct Pass {
  const char *elements, *sum;
};
constexpr Pass passes[] = {
    {"e0 = x[i]", "e0 * $w0"},
    {"e0 = x[i], e1 = x[i + 1]", "e0 * $w0 + e1 * $w1"},
    {"e0 = x[i], e1 = x[i + 1], e2 = x[i + 2]", "(e0 * $w0 + e1 * $w1) + e2 * $w2"},
    {"e0 = x[i], e1 = x[i + 1], e2 = x[i + 2], e3 = x[i + 3]", "(e0 * $w0 + e1 * $w1) + (e2 * $w2 + e3 * $w3)"},
};
constexpr std::int64_t inputs_at_once = std::size(passes);

/// Writes the constants, input by input: (groups, inputs, padded outputs).
void weights(Writer& to, const Product& p) {
  const auto inputs = static_cast<std::size_t>(p.inputs), outputs = static_cast<std::size_t>(p.outputs);
  const auto wide = static_cast<std::size_t>(padded(p.outputs)), groups = static_cast<std::size_t>(p.groups);
  const std::vector<double> scales = to.int8 ? int8_scales(p) : std::vector<double>(p.bias.size(), 1);
  std::vector<double> bias(groups * wide), scale(groups * wide, 1), weight(groups * inputs * wide);
  for (std::size_t o = 0; o < p.bias.size(); ++o) {
    const std::size_t g = o / outputs, column = o % outputs;
    bias[g * wide + column] = p.bias[o];
    scale[g * wide + column] = scales[o];
    for (std::size_t i = 0; i < inputs; ++i) {
      weight[(g * inputs + i) * wide + column] = p.weight[o * inputs + i] / scales[o];
    }
  }
  to.numbers("bias", bias);
  if (!to.int8) return to.numbers("weight", weight);
  to.numbers("scale", scale);
  std::vector<signed char> bytes;
  for (const double w : weight) bytes.push_back(static_cast<signed char>(std::lround(w)));
  to.array("weight" + to.words.at("n").text, std::span<const signed char>(bytes));
}

/// The array of this step, or the part of group g, of `each` elements.
std::string of_group(const Writer& to, const Product& p, const std::string& array, std::int64_t each) {
  const Fillings own{{"array", array}, {"each", each}};
  return filled(p.groups > 1 ? "(@$array$n + g * $each)" : "@$array$n", own, to.words);
}

/// y += the columns of `count` inputs from i on, each times its input.
void columns(Writer& to, const Product& p, std::int64_t count) {
  const std::int64_t wide = padded(p.outputs);
  const Pass& pass = passes[count - 1];
  Fillings weights;
  for (std::int64_t k = 0; k < count; ++k) {
    const Fillings own{{"offset", k > 0 ? " + " + std::to_string(k * wide) : ""}};
    weights.emplace("w" + std::to_string(k), filled(to.int8 ? "$float(w[j$offset])" : "w[j$offset]", own, to.words));
  }
  to.emit(
      "    const $type* const w = $weight + i * $wide;\n"
      "    const float $elements;\n"
      "    for ($size j = 0; j < $wide; ++j) y[j] += $sum;\n",
      {{"type", to.int8 ? "signed char" : "float"},
       {"weight", of_group(to, p, "weight", p.inputs * wide)},
       {"wide", wide},
       {"elements", pass.elements},
       {"sum", filled(pass.sum, weights)}});
}

/// From the first sum to the end of the function that computes one row of one group.
void body(Writer& to, const Product& p) {
  const std::int64_t wide = padded(p.outputs), rest = p.inputs % inputs_at_once;
  const Fillings own{{"wide", wide},
                     {"whole", p.inputs - rest},
                     {"at_once", inputs_at_once},
                     {"bias", of_group(to, p, "bias", wide)},
                     {"scale", of_group(to, p, "scale", wide)},
                     {"then", to.applied(p.then, "y[j]")}};
  to.emit(to.int8 ? "  for ($size j = 0; j < $wide; ++j) y[j] = 0.0f;\n"
                  : "  for ($size j = 0; j < $wide; ++j) y[j] = $bias[j];\n",
          own);
  if (p.inputs > rest) {
    to.emit("  for ($size i = 0; i < $whole; i += $at_once) {\n", own);
    columns(to, p, inputs_at_once);
    to.emit("  }\n");
  }
  if (rest > 0) {
    to.emit("  {\n    const $size i = $whole;\n", own);
    columns(to, p, rest);
    to.emit("  }\n");
  }
  if (to.int8) to.emit("  for ($size j = 0; j < $wide; ++j) y[j] = y[j] * $scale[j] + $bias[j];\n", own);
  if (p.then.function != Function::none) to.emit("  for ($size j = 0; j < $wide; ++j) y[j] = $then;\n", own);
  to.emit("}\n");
}

}  // namespace

/// What is written beyond a row, to fill the last register, the next one overwrites.
void write(Writer& to, const Product& p) {
  weights(to, p);
  if (p.rows == 1 && p.groups == 1) {
    to.begin();
    return body(to, p);
  }
  const bool grouped = p.groups > 1;
  to.emit("$function void @row$n(const float* $restrict x, float* $restrict y$g)$noexcept {\n",
          {{"g", grouped ? filled(", $size g", {}, to.words) : ""}});
  body(to, p);
  to.begin();
  to.emit("  for ($size r = 0; r < $rows; ++r) {\n    $loop@row$n($x, $y);\n  }\n}\n",
          {{"rows", p.rows},
           {"loop", !grouped ? "" : filled("for ($size g = 0; g < $groups; ++g) ", {{"groups", p.groups}}, to.words)},
           {"x", filled(grouped ? "x + (g * $rows + r) * $stride" : "x + r * $stride",
                        {{"rows", p.rows}, {"stride", p.stride}})},
           {"y", filled(grouped ? "y + r * $width + g * $outputs, g" : "y + r * $width",
                        {{"width", p.groups * p.outputs}, {"outputs", p.outputs}})}});
}

}  // namespace gradus::nn::frozen
