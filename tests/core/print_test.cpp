#include "autograd/record.hpp"
#include "golden.hpp"

#include <gradus/core/print.hpp>
#include <gradus/core/state_dict.hpp>

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>

namespace gradus {
namespace {

using test::json;

PrintOptions options_of(const json& given) {
  PrintOptions options;
  if (given.value("profile", "default") == "short") options = PrintOptions::short_profile();
  options.precision = given.value("precision", options.precision);
  options.threshold = given.value("threshold", options.threshold);
  options.edgeitems = given.value("edgeitems", options.edgeitems);
  options.linewidth = given.value("linewidth", options.linewidth);
  if (given.contains("sci_mode")) options.sci_mode = given["sci_mode"].get<bool>();
  return options;
}

/// Gives x the place in a graph that a fixture describes: "", "requires_grad=True" or "grad_fn=<MulBackward0>".
void enter_graph(Tensor& x, const std::string& place) {
  static const std::string computed = "grad_fn=<";
  if (place.starts_with(computed)) {
    static std::vector<std::unique_ptr<std::string>> names;  // a node keeps only a pointer
    names.push_back(std::make_unique<std::string>(place, computed.size(), place.size() - computed.size() - 1));
    const Tensor leaf = ones({}).requires_grad_();
    detail::record(x, names.back()->c_str(), {leaf}, [](const Tensor&, detail::InputGradients&) {});
  } else if (!place.empty()) {
    x.requires_grad_();
  }
}

TEST(Print, EveryRecordedTensor) {
  const json fixture = test::load_golden("printing.json");
  int compared = 0;
  for (const json& recorded : fixture["cases"]) {
    const std::string dtype = test::golden_dtype(recorded["tensor"]);
    if (dtype == "int32" || dtype == "uint8") continue;  // dtypes that gradus does not have
    Tensor x = test::golden_tensor(recorded["tensor"]);
    enter_graph(x, recorded["autograd"].get<std::string>());
    std::string expected = recorded["text"].get<std::string>();
    if (recorded["parameter"]) expected.erase(0, std::string("Parameter containing:\n").size());
    EXPECT_EQ(to_string(x, options_of(recorded["options"])), expected) << recorded["python"];
    ++compared;
  }
  EXPECT_EQ(compared, 81);
}

TEST(Print, OptionsOfTheProgram) {
  const Tensor x = tensor({1.0 / 3, 2.0 / 3});
  set_printoptions({.precision = 2});
  EXPECT_EQ(to_string(x), "tensor([0.33, 0.67])");
  EXPECT_EQ(print_options().precision, 2);
  set_printoptions({.sci_mode = true});  // what is not named is the default again
  EXPECT_EQ(to_string(x), "tensor([3.3333e-01, 6.6667e-01])");
  set_printoptions(PrintOptions::full_profile());
  EXPECT_EQ(to_string(arange(1500)).find("..."), std::string::npos);
  set_printoptions(PrintOptions::default_profile());
  EXPECT_EQ(to_string(arange(1500)), "tensor([   0,    1,    2,  ..., 1497, 1498, 1499])");
}

TEST(Print, RefusesNegativeOptionsAndKeepsTheOldOnes) {
  set_printoptions({.precision = 3});
  EXPECT_THROW(set_printoptions({.precision = -1}), ValueError);
  EXPECT_THROW(set_printoptions({.edgeitems = -1}), ValueError);
  EXPECT_THROW(to_string(ones(2), {.linewidth = -1}), ValueError);
  EXPECT_EQ(print_options().precision, 3);
  set_printoptions({});
}

TEST(Print, ExtremeOptions) {
  EXPECT_EQ(to_string(tensor({1.5, 2.5}), {.precision = 0}), "tensor([2, 2])");
  EXPECT_EQ(to_string(arange(3), {.linewidth = 0}), "tensor([0,\n        1,\n        2])");
  EXPECT_EQ(to_string(arange(3), {.threshold = 0, .edgeitems = 0}), "tensor([ ...])");
  EXPECT_EQ(to_string(zeros({2, 0}), {.threshold = 0}), "tensor([], size=(2, 0))");
  EXPECT_EQ(to_string(full({}, 0.5), {.precision = 400}), "tensor(0.5" + std::string(399, '0') + ")");
  const Tensor least = full({}, std::numeric_limits<double>::lowest(), float64);
  EXPECT_EQ(to_string(least, {.linewidth = 1000, .sci_mode = false}).size(),
            std::string("tensor(-., dtype=torch.float64)").size() + 309);
}

TEST(Print, NanIsNanWhateverItsSign) {
  const Tensor x = full(1, -std::nan(""));
  EXPECT_EQ(to_string(x), "tensor([nan])");
}

TEST(Print, UndefinedTensorIsNone) { EXPECT_EQ(to_string(Tensor()), "None"); }

TEST(Print, Streams) {
  std::ostringstream out;
  out << ones({1, 2}) << ' ' << Shape{2, 3} << ' ' << Shape() << ' ' << float64 << ' ' << boolean;
  EXPECT_EQ(out.str(), "tensor([[1., 1.]]) torch.Size([2, 3]) torch.Size([]) torch.float64 torch.bool");
}

TEST(Print, ExtremaAlongADimension) {  // as recorded from PyTorch
  const Tensor x = tensor({{1., 2., 0.}, {4., 3., 5.}});
  std::ostringstream out;
  out << x.max(1);
  EXPECT_EQ(out.str(), "torch.return_types.max(\nvalues=tensor([2., 5.]),\nindices=tensor([1, 2]))");
  EXPECT_EQ(to_string(tensor({1., 2.}).min(0)), "torch.return_types.min(\nvalues=tensor(1.),\nindices=tensor(0))");
  EXPECT_EQ(to_string(x.max(0, true)),
            "torch.return_types.max(\nvalues=tensor([[4., 3., 5.]]),\nindices=tensor([[1, 1, 1]]))");
}

TEST(Print, NumbersHaveTheFewestDigitsThatReadBackAsThey) {
  for (int exponent = -1074; exponent <= 1023; ++exponent) {
    const double power = std::ldexp(1.0, exponent);  // to which fewer numbers are nearest below than above
    for (const double x : {power, std::nextafter(power, INFINITY), std::nextafter(-power, 0), power / 3, 0.1 * power}) {
      const bool plain = x == 0 || (std::abs(x) >= 1e-4 && std::abs(x) < 1e16);
      char text[32];
      const auto style = plain ? std::chars_format::fixed : std::chars_format::scientific;
      EXPECT_EQ(format_number(x), std::string(text, std::to_chars(text, text + sizeof text, x, style).ptr));
    }
  }
}

TEST(Print, NumbersAsPythonWritesThem) {
  EXPECT_EQ(format_number(0.1), "0.1");
  EXPECT_EQ(format_number(1e-5), "1e-05");
  EXPECT_EQ(format_number(1e-4), "0.0001");
  EXPECT_EQ(format_number(0.00012345), "0.00012345");
  EXPECT_EQ(format_number(1), "1");
  EXPECT_EQ(format_number(-0.0), "-0");
  EXPECT_EQ(format_number(123456789012345680), "1.2345678901234568e+17");
  EXPECT_EQ(format_number(9999999999999998), "9999999999999998");
  EXPECT_EQ(format_number(1e16), "1e+16");
  EXPECT_EQ(format_number(2.5e-310), "2.5e-310");
  EXPECT_EQ(format_number(-INFINITY), "-inf");
  EXPECT_EQ(format_number(-std::nan("")), "nan");
}

TEST(PrintStateDict, OneLine) {
  EXPECT_EQ(to_string(StateDict()), "OrderedDict()");
  EXPECT_EQ(pretty(StateDict()), "OrderedDict()");
  const StateDict state{{"weight", ones({2, 1})}, {"steps", zeros({}, int64)}};
  EXPECT_EQ(to_string(state), "OrderedDict([('weight', tensor([[1.],\n        [1.]])), ('steps', tensor(0))])");
}

StateDict batch_norm(const Tensor& mean, const Tensor& var) {
  return {{"weight", ones(5)},
          {"bias", zeros(5)},
          {"running_mean", mean},
          {"running_var", var},
          {"num_batches_tracked", tensor(1)}};
}

TEST(PrintStateDict, AsTheNotebookShowsIt) {
  EXPECT_EQ(pretty(batch_norm(tensor({5., 6., 7., 8., 9.}), full(5, 25.f))),
            "OrderedDict([('weight', tensor([1., 1., 1., 1., 1.])),\n"
            "             ('bias', tensor([0., 0., 0., 0., 0.])),\n"
            "             ('running_mean', tensor([5., 6., 7., 8., 9.])),\n"
            "             ('running_var', tensor([25., 25., 25., 25., 25.])),\n"
            "             ('num_batches_tracked', tensor(1))])");
  // Seventy-nine columns fit, eighty do not.
  EXPECT_EQ(pretty(batch_norm(tensor({.5, .6, .7, .8, .9}), full(5, 3.4f))),
            "OrderedDict([('weight', tensor([1., 1., 1., 1., 1.])),\n"
            "             ('bias', tensor([0., 0., 0., 0., 0.])),\n"
            "             ('running_mean',\n"
            "              tensor([0.5000, 0.6000, 0.7000, 0.8000, 0.9000])),\n"
            "             ('running_var', tensor([3.4000, 3.4000, 3.4000, 3.4000, 3.4000])),\n"
            "             ('num_batches_tracked', tensor(1))])");
}

// Recorded from IPython 8.12, which indents the lines of a tensor once more.
TEST(PrintStateDict, TensorsOfSeveralLines) {
  const Tensor matrix = arange(4).reshape({2, 2});
  EXPECT_EQ(pretty({{"0.weight", matrix}, {"0.bias", ones(1)}}),
            "OrderedDict([('0.weight',\n"
            "              tensor([[0, 1],\n"
            "                      [2, 3]])),\n"
            "             ('0.bias', tensor([1.]))])");
  EXPECT_EQ(pretty({{"scale", ones(1)}, {"a", matrix}, {"b", matrix}}),
            "OrderedDict([('scale', tensor([1.])),\n"
            "             ('a', tensor([[0, 1],\n"
            "                      [2, 3]])),\n"
            "             ('b',\n"
            "              tensor([[0, 1],\n"
            "                      [2, 3]]))])");
}

}  // namespace
}  // namespace gradus
