#include "frozen/writer.hpp"

#include <charconv>
#include <cmath>

namespace gradus::nn::frozen {

namespace {

constexpr std::size_t line_width = 118;  // of numbers

/// The shortest text that reads back as the same number.
std::string literal(float value) {
  if (std::isinf(value)) return value > 0 ? "HUGE_VALF" : "-HUGE_VALF";
  char text[32];
  std::string shortest(text, std::to_chars(text, text + sizeof text, value).ptr);
  if (shortest.find_first_of(".e") == shortest.npos) shortest += ".0";
  return shortest + "f";
}
std::string literal(int value) { return std::to_string(value); }
std::string literal(unsigned value) { return std::to_string(value) + "u"; }

template <class T>
constexpr const char* type_of = "float";
template <>
constexpr const char* type_of<unsigned> = "unsigned";
template <>
constexpr const char* type_of<signed char> = "signed char";

std::uint32_t fnv1a(std::uint32_t hash, std::span<const std::byte> bytes) {
  for (const std::byte b : bytes) hash = (hash ^ static_cast<std::uint32_t>(b)) * 16777619u;
  return hash;
}

/// What differs between the languages.
struct Word {
  const char *name, *cpp, *c;
};
constexpr Word words_of_languages[] = {{"size", "std::size_t", "size_t"},
                                       {"function", "inline", "static inline"},
                                       {"array", "inline constexpr", "static const"},
                                       {"noexcept", " noexcept", ""},
                                       {"restrict", "__restrict", "restrict"},
                                       {"float", "float", "(float)"},
                                       {"aligned", "alignas(64)", "$big_ALIGNED"},
                                       {"void", "static_cast<void>", "(void)"},
                                       {"bool", "bool", "int"},
                                       {"false", "false", "0"},
                                       {"nothing", "", "void"},
                                       {"bytes", "static_cast<const unsigned char*>", "(const unsigned char*)"},
                                       {"outputs", "outputs", "$big_OUTPUTS"},
                                       {"checksum", "checksum", "$big_CHECKSUM"}};

const char* expression(Function function) {
  switch (function) {
    case Function::none: return "$v";
    case Function::relu: return "$v < 0.0f ? 0.0f : $v";
    case Function::leaky_relu: return "$v < 0.0f ? $v * $a : $v";
    case Function::hardtanh: return "$v < $a ? $a : $v > $b ? $b : $v";
    case Function::sigmoid: return "1.0f / (1.0f + $exp(-$v))";
    case Function::tanh: return "$tanh($v)";
    case Function::gelu: return "$v * 0.5f * (1.0f + $erf($v * 0.70710678f))";
    case Function::softplus: return "$v > 20.0f ? $v : $log1p($exp($v))";
    case Function::elu: return "$v > 0.0f ? $v : $a * $expm1($v)";
    case Function::silu: return "$v / (1.0f + $exp(-$v))";
  }
  return "";
}

}  // namespace

Writer::Writer(const SourceOptions& options)
    : int8(options.int8_weights), prefix_(options.cpp ? "" : options.name + "_") {
  std::string big = options.name + "_";
  for (char& c : big) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  words = {{"@", prefix_}, {"name", options.name}, {"big_", big}};
  for (const auto& [name, cpp, c] : words_of_languages) words.emplace(name, filled(options.cpp ? cpp : c, words));
  for (const std::string function : math_functions) words.emplace(function, function + "f");
}

// --- constants

template <class T>
void Writer::array(const std::string& own, std::span<const T> values) {
  emit("$aligned $array $type $name[$count] = {", {{"type", type_of<T>}, {"name", id(own)}, {"count", values.size()}});
  std::size_t column = line_width;
  for (const T value : values) {
    const std::string number = literal(value);
    if ((column += number.size() + 2) > line_width) {
      text += "\n    ";
      column = number.size() + 6;
    }
    text += number + ", ";
  }
  text += "};\n";
  checksum = fnv1a(checksum, std::as_bytes(values));
  arrays.push_back(id(own));
}
template void Writer::array(const std::string&, std::span<const float>);
template void Writer::array(const std::string&, std::span<const signed char>);

void Writer::numbers(const std::string& own, const std::vector<double>& values) {
  const std::vector<float> floats(values.begin(), values.end());
  array(own + words.at("n").text, std::span<const float>(floats));
}

// --- steps

void Writer::begin(std::string_view pattern, const Fillings& own) {
  emit("$function void @step$n(const float* $restrict x, float* $restrict y)$noexcept {\n");
  emit(pattern, own);
}

std::string Writer::applied(const Activation& activation, const std::string& v) {
  const auto a = static_cast<float>(activation.a), b = static_cast<float>(activation.b);
  needs_math = needs_math || activation.function > Function::hardtanh || std::isinf(a) || std::isinf(b);
  return filled(expression(activation.function), {{"v", v}, {"a", literal(a)}, {"b", literal(b)}}, words);
}

namespace {

void write(Writer& to, const Patches& p) {
  to.begin(
      "  for ($size g = 0; g < $groups; ++g) {\n"
      "    for ($size i = 0; i < $positions; ++i) {\n"
      "      for ($size k = 0; k < $kernel; ++k, y += $part) {\n"
      "        for ($size c = 0; c < $part; ++c) "
      "y[c] = x[(i * $stride + k * $dilation) * $channels + g * $part + c];\n"
      "      }\n    }\n  }\n}\n",
      {{"groups", p.groups},
       {"positions", p.positions},
       {"kernel", p.kernel},
       {"part", p.channels / p.groups},
       {"stride", p.stride},
       {"dilation", p.dilation},
       {"channels", p.channels}});
}

void write(Writer& to, const Norm& norm) {
  to.numbers("mean", norm.mean);
  to.numbers("scale", norm.scale);
  to.numbers("shift", norm.shift);
  const std::int64_t channels = std::ssize(norm.mean);
  to.begin(
      "  for ($size r = 0; r < $in; r += $period) {\n"
      "    for ($size j = 0; j < $period; ++j) {\n"
      "      y[r + j] = (x[r + j] - @mean$n[j$each]) * @scale$n[j$each] + @shift$n[j$each];\n"
      "    }\n  }\n}\n",
      {{"period", channels * norm.each}, {"each", norm.each > 1 ? " / " + std::to_string(norm.each) : ""}});
}

void write(Writer& to, const RowNorm& norm) {
  to.needs_math = true;
  to.numbers("weight", norm.weight);
  to.numbers("bias", norm.bias);
  to.begin(
      "  for ($size r = 0; r < $in; r += $width) {\n"
      "    float mean = 0.0f, var = 0.0f;\n"
      "    for ($size j = 0; j < $width; ++j) mean += x[r + j];\n"
      "    mean /= $width.0f;\n"
      "    for ($size j = 0; j < $width; ++j) var += (x[r + j] - mean) * (x[r + j] - mean);\n"
      "    const float rstd = 1.0f / $sqrt(var / $width.0f + $eps);\n"
      "    for ($size j = 0; j < $width; ++j) y[r + j] = (x[r + j] - mean) * rstd * @weight$n[j] + @bias$n[j];\n"
      "  }\n}\n",
      {{"width", norm.weight.size()}, {"eps", literal(static_cast<float>(norm.eps))}});
}

void write(Writer& to, const Activation& activation) {
  const std::string then = to.applied(activation, "x[j]");
  to.begin("  for ($size j = 0; j < $in; ++j) y[j] = $then;\n}\n", {{"then", then}});
}

void write(Writer& to, const Softmax& s) {
  to.needs_math = true;
  to.begin(
      "  for ($size g = 0; g < $in; g += $width) {\n"
      "    float top = x[g], total = 0.0f;\n"
      "    for ($size j = 0; j < $width; ++j) top = x[g + j] > top ? x[g + j] : top;\n",
      {{"width", s.size}});
  to.emit(s.log ? "    for ($size j = 0; j < $width; ++j) total += $exp(x[g + j] - top);\n"
                  "    total = $log(total);\n"
                  "    for ($size j = 0; j < $width; ++j) y[g + j] = (x[g + j] - top) - total;\n  }\n}\n"
                : "    for ($size j = 0; j < $width; ++j) {\n"
                  "      y[g + j] = $exp(x[g + j] - top);\n"
                  "      total += y[g + j];\n    }\n"
                  "    for ($size j = 0; j < $width; ++j) y[g + j] /= total;\n  }\n}\n",
          {{"width", s.size}});
}

void write(Writer& to, const Pool& pool) {
  std::vector<unsigned> ends;
  std::vector<double> counts;
  for (std::int64_t i = 0; i < pool.windows.places; ++i) {
    const Window window = pool.windows[i];
    ends.insert(ends.end(), {static_cast<unsigned>(window.first), static_cast<unsigned>(window.last)});
    counts.push_back(window.count);
  }
  to.array("ends" + to.words.at("n").text, std::span<const unsigned>(ends));
  if (!pool.max) to.numbers("count", counts);
  to.begin(
      "  for ($size i = 0; i < $places; ++i) {\n"
      "    const $size first = @ends$n[2 * i], last = @ends$n[2 * i + 1];\n"
      "    for ($size c = 0; c < $channels; ++c) {\n"
      "      float all = x[first * $channels + c];\n"
      "      for ($size l = first + $step; l < last; l += $step) {\n"
      "        const float v = x[l * $channels + c];\n"
      "        $take;\n      }\n"
      "      y[i * $channels + c] = $all;\n    }\n  }\n}\n",
      {{"places", pool.windows.places},
       {"channels", pool.channels},
       {"step", pool.windows.dilation},
       {"take", pool.max ? "all = v > all || v != v ? v : all" : "all += v"},
       {"all", pool.max ? "all" : "all / " + to.id("count") + to.words.at("n").text + "[i]"}});
}

void write(Writer& to, const Transpose& t) {
  to.begin(
      "  for ($size j = 0; j < $columns; ++j) {\n"
      "    for ($size i = 0; i < $rows; ++i) y[j * $rows + i] = x[i * $columns + j];\n  }\n}\n",
      {{"rows", t.rows}, {"columns", t.columns}});
}

void write(Writer& to, const Pad& pad) {
  to.begin(
      "  for ($size j = 0; j < $out; ++j) y[j] = 0.0f;\n"
      "  for ($size j = 0; j < $in; ++j) y[j + $before] = x[j];\n}\n",
      {{"before", pad.before}});
}

}  // namespace

void Writer::step(const Step& step, std::size_t number) {
  words.insert_or_assign("n", number);
  words.insert_or_assign("in", step.in);
  words.insert_or_assign("out", step.out);
  std::string layers = step.layers;
  for (char& c : layers) c = c < 0x20 || c > 0x7e || c == '\\' ? '?' : c;
  emit("\n// $layers: $in to $out\n", {{"layers", layers}});
  std::visit([&](const auto& work) { write(*this, work); }, step.work);
}

}  // namespace gradus::nn::frozen
