// The layers and losses of layers.json: values, gradients, names, texts and errors are PyTorch's.
#include "errors.hpp"
#include "golden.hpp"
#include "near.hpp"

#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/layer_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/loss.hpp>
#include <gradus/nn/pooling.hpp>
#include <gradus/nn/sequential.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <set>

namespace gradus {
namespace {

using namespace nn;
using test::expect_error;
using test::golden_tensor;
using test::json;
using test::max_distance;

// clang-format off
const std::map<std::string, AnyModule (*)()> layers = {
    {"nn.Embedding(5, 3)", []() -> AnyModule { return Embedding(5, 3); }},
    {"nn.Embedding(5, 3, padding_idx=1)", []() -> AnyModule { return Embedding(5, 3, {.padding_idx = 1}); }},
    {"nn.Embedding(5, 3, padding_idx=2)", []() -> AnyModule { return Embedding(5, 3, {.padding_idx = 2}); }},
    {"nn.Embedding(5, 3, padding_idx=-1)", []() -> AnyModule { return Embedding(5, 3, {.padding_idx = -1}); }},
    {"nn.Conv1d(4, 6, 3)", []() -> AnyModule { return Conv1d(4, 6, 3); }},
    {"nn.Conv1d(4, 6, 3, stride=2)", []() -> AnyModule { return Conv1d(4, 6, 3, {.stride = 2}); }},
    {"nn.Conv1d(4, 6, 3, bias=False)", []() -> AnyModule { return Conv1d(4, 6, 3, {.bias = false}); }},
    {"nn.Conv1d(4, 6, 3, groups=2)", []() -> AnyModule { return Conv1d(4, 6, 3, {.groups = 2}); }},
    {"nn.Conv1d(4, 6, 3, padding=2, bias=False)", []() -> AnyModule { return Conv1d(4, 6, 3, {.padding = 2, .bias = false}); }},
    {"nn.Conv1d(4, 6, 3, padding='same')", []() -> AnyModule { return Conv1d(4, 6, 3, {.padding = "same"}); }},
    {"nn.Conv1d(4, 6, 4, padding='same', dilation=3)", []() -> AnyModule { return Conv1d(4, 6, 4, {.padding = "same", .dilation = 3}); }},
    {"nn.Conv1d(4, 6, 3, padding='valid')", []() -> AnyModule { return Conv1d(4, 6, 3, {.padding = "valid"}); }},
    {"nn.Conv1d(4, 6, 2, stride=3, padding=1, dilation=2, groups=2)",
     []() -> AnyModule { return Conv1d(4, 6, 2, {.stride = 3, .padding = 1, .dilation = 2, .groups = 2}); }},
    {"nn.Conv1d(4, 8, 5, groups=4, padding=2)", []() -> AnyModule { return Conv1d(4, 8, 5, {.padding = 2, .groups = 4}); }},
    {"nn.Conv1d(1, 16, 9)", []() -> AnyModule { return Conv1d(1, 16, 9); }},
    {"nn.Conv1d(3, 2, 1)", []() -> AnyModule { return Conv1d(3, 2, 1); }},
    {"nn.MaxPool1d(3)", []() -> AnyModule { return MaxPool1d(3); }},
    {"nn.MaxPool1d(3, stride=1, padding=1)", []() -> AnyModule { return MaxPool1d(3, {.stride = 1, .padding = 1}); }},
    {"nn.MaxPool1d(2, dilation=3)", []() -> AnyModule { return MaxPool1d(2, {.dilation = 3}); }},
    {"nn.MaxPool1d(3, stride=2, ceil_mode=True)", []() -> AnyModule { return MaxPool1d(3, {.stride = 2, .ceil_mode = true}); }},
    {"nn.AvgPool1d(3)", []() -> AnyModule { return AvgPool1d(3); }},
    {"nn.AvgPool1d(3, stride=2, padding=1)", []() -> AnyModule { return AvgPool1d(3, {.stride = 2, .padding = 1}); }},
    {"nn.AvgPool1d(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)",
     []() -> AnyModule { return AvgPool1d(3, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false}); }},
    {"nn.AvgPool1d(3, stride=2, ceil_mode=True)", []() -> AnyModule { return AvgPool1d(3, {.stride = 2, .ceil_mode = true}); }},
    {"nn.AdaptiveAvgPool1d(1)", []() -> AnyModule { return AdaptiveAvgPool1d(1); }},
    {"nn.AdaptiveAvgPool1d(3)", []() -> AnyModule { return AdaptiveAvgPool1d(3); }},
    {"nn.LayerNorm(4)", []() -> AnyModule { return LayerNorm(4); }},
    {"nn.LayerNorm((3, 4), eps=0.1)", []() -> AnyModule { return LayerNorm({3, 4}, {.eps = 0.1}); }},
    {"nn.LayerNorm(4, elementwise_affine=False)", []() -> AnyModule { return LayerNorm(4, {.elementwise_affine = false}); }},
    {"nn.LayerNorm(1)", []() -> AnyModule { return LayerNorm(1); }},
    {"nn.ELU()", []() -> AnyModule { return ELU(); }},
    {"nn.ELU(alpha=0.5)", []() -> AnyModule { return ELU(0.5); }},
    {"nn.SiLU()", []() -> AnyModule { return SiLU(); }},
    {"nn.Hardtanh()", []() -> AnyModule { return Hardtanh(); }},
    {"nn.Hardtanh(-0.5, 0.25)", []() -> AnyModule { return Hardtanh(-0.5, 0.25); }},
    {"nn.Unflatten(1, (2, 3))", []() -> AnyModule { return Unflatten(1, {2, 3}); }},
    {"nn.Unflatten(-1, (3, -1))", []() -> AnyModule { return Unflatten(-1, {3, -1}); }},
};

std::unique_ptr<Loss> loss_of(const std::string& python, Dtype dtype) {
  using R = Reduction;
  if (python == "nn.HuberLoss()") return std::make_unique<HuberLoss>();
  if (python == "nn.HuberLoss(delta=0.5)") return std::make_unique<HuberLoss>(R::mean, 0.5);
  if (python == "nn.HuberLoss(reduction='sum')") return std::make_unique<HuberLoss>(R::sum);
  if (python == "nn.HuberLoss(reduction='none')") return std::make_unique<HuberLoss>(R::none);
  if (python == "nn.SmoothL1Loss()") return std::make_unique<SmoothL1Loss>();
  if (python == "nn.SmoothL1Loss(beta=0.5, reduction='sum')") return std::make_unique<SmoothL1Loss>(R::sum, 0.5);
  if (python == "nn.SmoothL1Loss(beta=0, reduction='none')") return std::make_unique<SmoothL1Loss>(R::none, 0);
  if (python == "nn.KLDivLoss()") return std::make_unique<KLDivLoss>();
  if (python == "nn.KLDivLoss(reduction='batchmean')") return std::make_unique<KLDivLoss>(KlDivOptions{.batch_mean = true});
  if (python == "nn.KLDivLoss(reduction='sum', log_target=True)") return std::make_unique<KLDivLoss>(KlDivOptions{.reduction = R::sum, .log_target = true});
  if (python == "nn.KLDivLoss(reduction='none')") return std::make_unique<KLDivLoss>(KlDivOptions{.reduction = R::none});
  if (python == "nn.KLDivLoss(reduction='batchmean', log_target=True)") return std::make_unique<KLDivLoss>(KlDivOptions{.batch_mean = true, .log_target = true});
  if (python == "nn.BCELoss()") return std::make_unique<BCELoss>();
  if (python == "nn.BCELoss(reduction='sum')") return std::make_unique<BCELoss>(Tensor(), R::sum);
  if (python == "nn.BCELoss(reduction='none')") return std::make_unique<BCELoss>(Tensor(), R::none);
  if (python == "nn.BCELoss(weight=torch.tensor([0.5, 1, 2, 0], dtype=dtype))") return std::make_unique<BCELoss>(tensor({0.5, 1.0, 2.0, 0.0}, dtype));
  return nullptr;
}

const std::map<std::string, void (*)()> mistakes = {
    {"nn.Embedding(5, 3)(torch.tensor([1, 5]))", [] { Embedding(5, 3)(tensor({1, 5})); }},
    {"nn.Embedding(5, 3)(torch.tensor([-1]))", [] { Embedding(5, 3)(tensor({-1})); }},
    {"nn.Embedding(5, 3)(torch.tensor([1.0]))", [] { Embedding(5, 3)(tensor({1.0})); }},
    {"nn.Embedding(5, 3, padding_idx=5)", [] { Embedding(5, 3, {.padding_idx = 5}); }},
    {"nn.Embedding(5, 3, padding_idx=-6)", [] { Embedding(5, 3, {.padding_idx = -6}); }},
    {"nn.Conv1d(4, 6, 3)(torch.zeros(2, 3, 7))", [] { Conv1d(4, 6, 3)(zeros({2, 3, 7})); }},
    {"nn.Conv1d(4, 6, 3)(torch.zeros(2, 4, 2))", [] { Conv1d(4, 6, 3)(zeros({2, 4, 2})); }},
    {"nn.Conv1d(4, 6, 3)(torch.zeros(7))", [] { Conv1d(4, 6, 3)(zeros({7})); }},
    {"nn.Conv1d(4, 6, 3)(torch.zeros(1, 2, 4, 7))", [] { Conv1d(4, 6, 3)(zeros({1, 2, 4, 7})); }},
    {"nn.Conv1d(4, 6, 3)(torch.zeros(2, 4, 7, dtype=torch.float64))", [] { Conv1d(4, 6, 3)(zeros({2, 4, 7}, float64)); }},
    {"nn.Conv1d(4, 6, 3, groups=3)", [] { Conv1d(4, 6, 3, {.groups = 3}); }},
    {"nn.Conv1d(4, 6, 3, groups=4)", [] { Conv1d(4, 6, 3, {.groups = 4}); }},
    {"nn.Conv1d(4, 6, 3, groups=0)", [] { Conv1d(4, 6, 3, {.groups = 0}); }},
    {"nn.Conv1d(4, 6, 3, stride=2, padding='same')", [] { Conv1d(4, 6, 3, {.stride = 2, .padding = "same"}); }},
    {"nn.Conv1d(4, 6, 3, stride=0)(torch.zeros(2, 4, 7))", [] { Conv1d(4, 6, 3, {.stride = 0})(zeros({2, 4, 7})); }},
    {"nn.Conv1d(4, 6, 3, padding=-1)(torch.zeros(2, 4, 7))", [] { Conv1d(4, 6, 3, {.padding = -1})(zeros({2, 4, 7})); }},
    {"nn.Conv1d(4, 6, 3, dilation=0)(torch.zeros(2, 4, 7))", [] { Conv1d(4, 6, 3, {.dilation = 0})(zeros({2, 4, 7})); }},
    {"nn.MaxPool1d(3)(torch.zeros(2))", [] { MaxPool1d(3)(zeros({2})); }},
    {"nn.MaxPool1d(3, padding=2)(torch.zeros(2, 3, 9))", [] { MaxPool1d(3, {.padding = 2})(zeros({2, 3, 9})); }},
    {"nn.MaxPool1d(0)(torch.zeros(2, 3, 9))", [] { MaxPool1d(0)(zeros({2, 3, 9})); }},
    {"nn.MaxPool1d(3, stride=0)(torch.zeros(2, 3, 9))", [] { MaxPool1d(3, {.stride = 0})(zeros({2, 3, 9})); }},
    {"nn.MaxPool1d(3, dilation=0)(torch.zeros(2, 3, 9))", [] { MaxPool1d(3, {.dilation = 0})(zeros({2, 3, 9})); }},
    {"nn.AvgPool1d(3)(torch.zeros(2, 3, 2))", [] { AvgPool1d(3)(zeros({2, 3, 2})); }},
    {"nn.AvgPool1d(3, padding=2)(torch.zeros(2, 3, 9))", [] { AvgPool1d(3, {.padding = 2})(zeros({2, 3, 9})); }},
    {"nn.AvgPool1d(3)(torch.zeros(2))", [] { AvgPool1d(3)(zeros({2})); }},
    {"nn.AvgPool1d(3, stride=0)(torch.zeros(2, 3, 9))", [] { AvgPool1d(3, {.stride = 0})(zeros({2, 3, 9})); }},
    {"nn.AvgPool1d(0)(torch.zeros(2, 3, 9))", [] { AvgPool1d(0)(zeros({2, 3, 9})); }},
    {"nn.AdaptiveAvgPool1d(1)(torch.zeros(2))", [] { AdaptiveAvgPool1d(1)(zeros({2})); }},
    {"nn.AdaptiveAvgPool1d(-1)(torch.zeros(2, 3, 4))", [] { AdaptiveAvgPool1d(-1)(zeros({2, 3, 4})); }},
    {"nn.LayerNorm(4)(torch.zeros(3, 5))", [] { LayerNorm(4)(zeros({3, 5})); }},
    {"nn.LayerNorm((3, 4))(torch.zeros(4))", [] { LayerNorm({3, 4})(zeros({4})); }},
    {"nn.LayerNorm(4)(torch.zeros(3, 4, dtype=torch.float64))", [] { LayerNorm(4)(zeros({3, 4}, float64)); }},
    {"nn.LayerNorm(4)(torch.zeros(3, 4, dtype=torch.int64))", [] { LayerNorm(4)(zeros({3, 4}, int64)); }},
    {"nn.Hardtanh(1, 0)", [] { Hardtanh(1, 0); }},
    {"nn.ELU()(torch.tensor([1]))", [] { ELU()(tensor({1})); }},
    {"nn.SiLU()(torch.tensor([1]))", [] { SiLU()(tensor({1})); }},
    {"nn.Unflatten(1, (2, 3))(torch.zeros(4, 5))", [] { Unflatten(1, {2, 3})(zeros({4, 5})); }},
    {"nn.Unflatten(2, (2, 3))(torch.zeros(4, 6))", [] { Unflatten(2, {2, 3})(zeros({4, 6})); }},
    {"nn.HuberLoss(delta=0)(torch.zeros(2), torch.zeros(2))", [] { HuberLoss(Reduction::mean, 0)(zeros({2}), zeros({2})); }},
    {"nn.SmoothL1Loss(beta=-1)(torch.zeros(2), torch.zeros(2))", [] { SmoothL1Loss(Reduction::mean, -1)(zeros({2}), zeros({2})); }},
    {"nn.HuberLoss()(torch.zeros(2), torch.zeros(3))", [] { HuberLoss()(zeros({2}), zeros({3})); }},
    {"nn.KLDivLoss()(torch.zeros(2), torch.zeros(3))", [] { KLDivLoss()(zeros({3}), zeros({2})); }},
    {"nn.BCELoss()(torch.tensor([1.5]), torch.tensor([1.0]))", [] { BCELoss()(tensor({1.5}), tensor({1.0})); }},
    {"nn.BCELoss()(torch.tensor([float('nan')]), torch.tensor([1.0]))", [] { BCELoss()(tensor({double(NAN)}), tensor({1.0})); }},
    {"nn.BCELoss()(torch.zeros(2), torch.zeros(3))", [] { BCELoss()(zeros({2}), zeros({3})); }},
    {"nn.BCELoss()(torch.zeros(2), torch.zeros(2, dtype=torch.int64))", [] { BCELoss()(zeros({2}), zeros({2}, int64)); }},
};
// clang-format on

StateDict state_of(const json& tensors) {
  StateDict state;
  for (const auto& [name, value] : tensors.items()) state[name] = golden_tensor(value);
  return state;
}

AnyModule layer_of(const json& c) {
  AnyModule layer = layers.at(c.at("layer").get<std::string>())();
  layer->to(c.at("dtype") == "float64" ? float64 : float32);
  layer->load_state_dict(state_of(c.at("state")));
  return layer;
}

/// max |got - expected| beside the largest element, or 1.
double distance(const Tensor& got, const json& recorded) {
  const Tensor expected = golden_tensor(recorded);
  const double scale = expected.numel() == 0 ? 1 : std::max(1.0, expected.abs().max().item());
  return max_distance(got, expected) / scale;
}

TEST(LayersFixture, ValuesGradientsNamesAndTextsArePyTorchs) {
  for (const json& c : test::load_golden("layers.json").at("layers")) {
    SCOPED_TRACE(c.at("layer").get<std::string>() + " " + c.at("input").at("shape").dump() + c.at("dtype").dump());
    const AnyModule layer = layer_of(c);
    const bool single = c.at("dtype") == "float32";
    if (single && c.at("layer") == "nn.LayerNorm(1)") continue;  // x - mean is noise there, and 0 here
    const double tolerance = single ? 1e-6 : 1e-13;
    Tensor x = golden_tensor(c.at("input"));
    if (is_floating(x.dtype())) x.requires_grad_();
    const Tensor y = (*layer)(x);
    EXPECT_EQ(to_string(*layer), c.at("repr").get<std::string>());
    EXPECT_LE(distance(y.detach(), c.at("output")), tolerance);
    EXPECT_EQ(y.grad_fn(), c.value("grad_fn", ""));
    y.backward({.gradient = golden_tensor(c.at("grad_output"))});
    EXPECT_EQ(x.grad().defined(), is_floating(x.dtype()));
    if (x.grad().defined()) {
      EXPECT_LE(distance(x.grad(), c.at("grad_input")), tolerance);
    }
    for (const auto& [name, p] : layer->named_parameters()) {
      EXPECT_LE(distance(p.grad(), c.at("grads").at(name)), tolerance) << name;
    }
    const json& saved = c.at("state");
    EXPECT_EQ(layer->state_dict().size(), saved.size());
  }
}

/// The element-wise gradient to second order, through a tanh before the layer and with every parameter.
TEST(LayersFixture, GradientsAreDerivativesToSecondOrder) {
  std::set<std::string> seen;
  manual_seed(5);
  for (const json& c : test::load_golden("layers.json").at("layers")) {
    const std::string python = c.at("layer");
    const auto shape = test::golden_shape(c.at("input"));
    if (c.at("dtype") != "float64" || !seen.insert(python + std::to_string(shape.size())).second) continue;
    SCOPED_TRACE(python);
    const AnyModule layer = layer_of(c);
    const bool counts = golden_tensor(c.at("input")).dtype() == int64;
    if (counts && shape.empty()) continue;
    std::vector<Tensor> inputs = layer->parameters();
    if (!counts) inputs.push_back(golden_tensor(c.at("input")).requires_grad_());
    const auto f = [&](const std::vector<Tensor>& in) {
      // The layer reads its own parameters; they are those of the inputs, or what gradcheck has put in their place.
      std::size_t i = 0;
      const AnyModule other = layer;
      Tensor x = counts ? golden_tensor(c.at("input")) : gradus::tanh(in.back());
      if (python.starts_with("nn.Embedding")) {
        const std::int64_t padding = python.find("=1") != std::string::npos    ? 1
                                     : python.find("=-1") != std::string::npos ? 4
                                                                               : -1;
        return functional::embedding(x, in[i], padding < 0 ? std::nullopt : std::optional(padding));
      }
      if (const auto* conv = dynamic_cast<const Conv1d*>(&*other)) {
        const auto& o = conv->options();
        return functional::conv1d(
            x, in[0], o.bias ? in[1] : Tensor(),
            {.stride = o.stride, .padding = o.padding, .dilation = o.dilation, .groups = o.groups});
      }
      if (python == "nn.LayerNorm((3, 4), eps=0.1)") return functional::layer_norm(x, {3, 4}, in[0], in[1], 0.1);
      if (python == "nn.LayerNorm(4)") return functional::layer_norm(x, 4, in[0], in[1]);
      return (*layer)(x);
    };
    if (python.starts_with("nn.LayerNorm(1")) continue;             // constant
    if (python.find("padding_idx") != std::string::npos) continue;  // whose row learns nothing, though y depends on it
    if (python.starts_with("nn.LayerNorm(4, el")) inputs = {inputs.back()};
    EXPECT_TRUE(gradcheck(f, inputs));
    EXPECT_TRUE(gradgradcheck(f, inputs));
  }
}

TEST(LayersFixture, InitialValuesArePyTorchs) {
  for (const auto& [python, state] : test::load_golden("layers.json").at("initial").items()) {
    manual_seed(1);
    const AnyModule layer = layers.at(python)();
    for (const auto& [name, value] : layer->state_dict()) {
      EXPECT_TRUE(equal(value, golden_tensor(state.at(name)))) << python << " " << name;
    }
  }
}

TEST(LayersFixture, LossesArePyTorchs) {
  for (const json& c : test::load_golden("layers.json").at("losses")) {
    const Dtype dtype = c.at("dtype") == "float64" ? float64 : float32;
    SCOPED_TRACE(c.at("loss").get<std::string>() + c.at("dtype").dump());
    const std::unique_ptr<Loss> loss = loss_of(c.at("loss"), dtype);
    ASSERT_TRUE(loss);
    EXPECT_EQ(to_string(*loss), c.at("repr").get<std::string>());
    const Tensor x = golden_tensor(c.at("input")).requires_grad_();
    const Tensor y = (*loss)(x, golden_tensor(c.at("target")));
    EXPECT_LE(test::relative_distance(y.detach(), golden_tensor(c.at("output"))), dtype == float64 ? 1e-14 : 3e-7);
    if (c.at("loss").get<std::string>().find("beta=0,") == std::string::npos) {
      EXPECT_EQ(y.grad_fn(), c.at("grad_fn").get<std::string>());
    }
    y.backward({.gradient = golden_tensor(c.at("grad_output"))});
    // There PyTorch takes the slope -1 where x equals the target; it is 0, as in L1Loss.
    if (c.at("loss") == "nn.SmoothL1Loss(beta=0, reduction='none')") continue;
    EXPECT_LE(test::relative_distance(x.grad(), golden_tensor(c.at("grad_input"))), dtype == float64 ? 1e-14 : 3e-7);
  }
}

TEST(Losses, HaveGradientsInBothArgumentsToSecondOrder) {
  manual_seed(3);
  const Tensor x = randn({3, 4}, float64), t = randn({3, 4}, float64);
  using Inputs = std::vector<Tensor>;
  const auto check = [](auto f, const Inputs& in) {
    EXPECT_TRUE(gradcheck(f, in));
    EXPECT_TRUE(gradgradcheck(f, in));
  };
  const auto both = [](const Tensor& a, const Tensor& b) {
    return Inputs{a.detach().clone().requires_grad_(), b.detach().clone().requires_grad_()};
  };
  for (const Reduction r : {Reduction::none, Reduction::mean, Reduction::sum}) {
    check([&](const Inputs& in) { return functional::huber_loss(in[0], in[1], r, 0.7); }, both(x, t));
    check([&](const Inputs& in) { return functional::smooth_l1_loss(in[0], in[1], r, 0.7); }, both(x, t));
    check([&](const Inputs& in) { return functional::kl_div(in[0], in[1], {.reduction = r}); }, both(x, softmax(t, 1)));
    check([&](const Inputs& in) { return functional::kl_div(in[0], in[1], {.reduction = r, .log_target = true}); },
          both(x, t));
    check([&](const Inputs& in) { return functional::binary_cross_entropy(in[0], in[1], ones({4}, float64) * 2, r); },
          both(sigmoid(x), sigmoid(t)));
  }
}

TEST(LayersFixture, MistakesAreToldInPyTorchsWords) {
  const std::set<std::string> differ = {
      "nn.MaxPool1d(3)(torch.zeros(2, 3, 2))",  // no error there, but no output either
      "nn.LayerNorm(())"};
  for (const json& c : test::load_golden("layers.json").at("errors")) {
    const std::string python = c.at("python");
    ASSERT_NE(mistakes.contains(python), differ.contains(python)) << python;
    if (differ.contains(python)) continue;
    const std::string told = c.at("message"), first = told.substr(0, told.find('\n'));
    try {
      mistakes.at(python)();
      ADD_FAILURE() << python << ": nothing was thrown instead of: " << told;
    } catch (const Error& error) {
      const std::string kind = c.at("raises");
      EXPECT_EQ(error.kind(), kind == "AssertionError" ? "ValueError" : kind) << python;
      EXPECT_EQ(std::string(error.what()).substr(0, first.size()), first) << python;
    }
  }
}

TEST(Layers, TakeBatchesWithoutElements) {
  EXPECT_EQ(MaxPool1d(2)(zeros({0, 3, 4})).shape(), (Shape{0, 3, 2}));
  EXPECT_EQ(AvgPool1d(2)(zeros({0, 3, 4})).shape(), (Shape{0, 3, 2}));
  EXPECT_EQ(Conv1d(3, 2, 3)(zeros({0, 3, 4})).shape(), (Shape{0, 2, 2}));
  const Tensor x = zeros({0, 3, 4}).requires_grad_();
  Conv1d conv(3, 2, 3);
  conv(x).sum().backward();
  EXPECT_TRUE(equal(conv.weight.grad(), zeros({2, 3, 3})));
  LayerNorm norm(4);
  norm(x).sum().backward();
  EXPECT_TRUE(equal(norm.weight.grad(), zeros({4})));
}

TEST(Layers, MaximaArePickedAsPyTorchDoes) {
  const double nan = NAN, inf = INFINITY;
  const Tensor x = tensor({{1.0, 1.0, nan, 5.0, -inf, -inf}}).requires_grad_();
  const Tensor y = MaxPool1d(2)(x);
  EXPECT_EQ(max_distance(y.detach(), tensor({{1.0, nan, -inf}})), 0);
  y.sum().backward();
  EXPECT_EQ(max_distance(x.grad(), tensor({{1.0, 0.0, 1.0, 0.0, 1.0, 0.0}})), 0);
}

TEST(LayerNorm, NormalisesNothing) {
  for (const Shape& shape : {Shape{2, 0}, Shape{0, 3}, Shape{0, 0}}) {
    const Shape features{shape[1]};
    const Tensor x = ones(shape).requires_grad_(), weight = ones(features).requires_grad_();
    const Tensor y = functional::layer_norm(x, features, weight, zeros(features));
    EXPECT_EQ(y.shape(), shape);
    y.sum().backward();
    EXPECT_EQ(x.grad().shape(), shape);
    EXPECT_TRUE(equal(weight.grad(), zeros(features)));
  }
}

TEST(LayerNorm, IsFusedAndComposedAlike) {
  manual_seed(8);
  const Tensor x = randn({3, 5, 19}, float64).requires_grad_(), dy = randn({3, 5, 19}, float64);
  for (const bool affine : {true, false}) {
    const Tensor weight = affine ? randn({19}, float64).requires_grad_() : Tensor();
    const Tensor bias = affine ? randn({19}, float64).requires_grad_() : Tensor();
    const std::vector<Tensor> inputs = affine ? std::vector{x, weight, bias} : std::vector{x};
    const Tensor y = functional::layer_norm(x * 3 + 100, 19, weight, bias);
    const auto gradients = [&](bool create_graph) {
      return grad({y}, inputs, {.grad_outputs = {dy}, .retain_graph = true, .create_graph = create_graph});
    };
    const std::vector<Tensor> fused = gradients(false), composed = gradients(true);
    for (std::size_t i = 0; i < inputs.size(); ++i) EXPECT_LE(max_distance(fused[i], composed[i].detach()), 1e-12) << i;
  }
}

TEST(Layers, DrawFromTheGeneratorGiven) {
  const auto check = [](auto make) {
    Generator a(7), b(7);
    manual_seed(1);
    const auto first = make(a);
    rand({3});
    const auto second = make(b);
    manual_seed(7);
    const auto third = make(default_generator());
    for (std::size_t i = 0; i < first.parameters().size(); ++i) {
      EXPECT_TRUE(equal(first.parameters()[i], second.parameters()[i]));
      EXPECT_TRUE(equal(first.parameters()[i], third.parameters()[i]));
    }
  };
  check([](Generator& g) { return Linear(3, 4, {}, g); });
  check([](Generator& g) { return Conv1d(3, 4, 2, {}, g); });
  check([](Generator& g) { return Embedding(3, 4, {}, g); });
}

TEST(ParameterList, ListsPrintsAndCopies) {
  ParameterList list{ones({2}), ones({3, 4})};
  EXPECT_EQ(to_string(list),
            "ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n"
            "    (1): Parameter containing: [torch.float32 of size 3x4]\n)");
  EXPECT_EQ(list.state_dict().entry(1).first, "1");
  EXPECT_TRUE(list[0].requires_grad());
  const ParameterList copy = list;
  EXPECT_FALSE(copy[0].shares_storage(list[0]));
  EXPECT_THROW(list[2], IndexError);
}

}  // namespace
}  // namespace gradus
