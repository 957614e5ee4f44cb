// The texts of modules and their state, against tests/golden/repr.json: every expression there, but for those named at
// the end.
#include "golden.hpp"

#include <gradus/core/print.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/loss.hpp>

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <sstream>

namespace gradus {
namespace {

// The modules of the fixture's setup, drawn in the order of its text.

struct Block : nn::Module {
  Block(std::int64_t in, std::int64_t out) : lin(in, out, {.bias = false}), bn(out) {}
  void state(nn::StateList& list) override { list("lin", lin)("bn", bn)("act", act); }

  nn::Linear lin;
  nn::BatchNorm1d bn;
  nn::ReLU act;
};

struct Net : nn::Module {
  void state(nn::StateList& list) override { list("body", body)("head", head); }

  nn::Sequential body{Block(4, 8), Block(8, 8)};
  nn::Linear head{8, 2};
};

template <class T>
std::string printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

/// "['a', 'b']": the names of a list of (name, value).
template <class Named>
std::string names(const Named& named) {
  std::string text;
  for (const auto& [name, value] : named) text += (text.empty() ? "'" : ", '") + name + "'";
  return "[" + text + "]";
}

std::string parameter_list(nn::Sequential& net) {
  const auto& linear = net.at<nn::Linear>(0);
  const auto& norm = net.at<nn::BatchNorm1d>(1);
  std::string text;
  for (const nn::Parameter* p : {&linear.weight, &linear.bias, &norm.weight, &norm.bias}) {
    text += (text.empty() ? "" : ", ") + to_string(*p);
  }
  return "[" + text + "]";
}

/// Python expression and our text, with the net of the setup just drawn.
std::map<std::string, std::string> our_texts() {
  manual_seed(0);
  nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm1d(3)};
  using nn::BatchNorm1d, nn::Linear, nn::ReLU, nn::Sequential;
  return {
      {"nn.Linear(4, 3)", printed(Linear(4, 3))},
      {"nn.Linear(4, 3, bias=False)", printed(Linear(4, 3, {.bias = false}))},
      {"nn.BatchNorm1d(5)", printed(BatchNorm1d(5))},
      {"nn.BatchNorm1d(5, eps=1e-3, momentum=None, affine=False, track_running_stats=False)",
       printed(BatchNorm1d(5, {.eps = 1e-3, .momentum = std::nullopt, .affine = false, .track_running_stats = false}))},
      {"nn.BatchNorm1d(5, eps=1e-12, momentum=0.01)", printed(BatchNorm1d(5, {.eps = 1e-12, .momentum = 0.01}))},
      {"nn.ReLU()", printed(ReLU())},
      {"nn.LeakyReLU()", printed(nn::LeakyReLU())},
      {"nn.LeakyReLU(0.2)", printed(nn::LeakyReLU(0.2))},
      {"nn.Tanh()", printed(nn::Tanh())},
      {"nn.Sigmoid()", printed(nn::Sigmoid())},
      {"nn.GELU()", printed(nn::GELU())},
      {"nn.Softmax(dim=1)", printed(nn::Softmax(1))},
      {"nn.LogSoftmax(dim=-1)", printed(nn::LogSoftmax(-1))},
      {"nn.Dropout()", printed(nn::Dropout())},
      {"nn.Dropout(0.25)", printed(nn::Dropout(0.25))},
      {"nn.Identity()", printed(nn::Identity())},
      {"nn.Flatten()", printed(nn::Flatten())},
      {"nn.MSELoss()", printed(nn::MSELoss())},
      {"nn.CrossEntropyLoss()", printed(nn::CrossEntropyLoss())},
      {"nn.BCEWithLogitsLoss()", printed(nn::BCEWithLogitsLoss())},
      {"nn.Sequential()", printed(Sequential())},
      {"nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))",
       printed(Sequential{Linear(2, 3), BatchNorm1d(3), ReLU(), Linear(3, 1)})},
      {"nn.Sequential(OrderedDict([('fc1', nn.Linear(2, 3)), ('act', nn.ReLU())]))",
       printed(Sequential({{"fc1", Linear(2, 3)}, {"act", ReLU()}}))},
      {"nn.Sequential(nn.Sequential(nn.Linear(1, 1)), nn.ReLU())",
       printed(Sequential{Sequential{Linear(1, 1)}, ReLU()})},
      {"Net()", printed(Net())},
      {"net.state_dict()", printed(net.state_dict())},
      {"net[1].state_dict()", printed(net[1].state_dict())},
      {"nn.ReLU().state_dict()", printed(ReLU().state_dict())},
      {"net[0].weight", printed(net.at<Linear>(0).weight)},
      {"list(net.parameters())", parameter_list(net)},
      {"[k for k, _ in net.named_parameters()]", names(net.named_parameters())},
      {"[k for k, _ in net.named_buffers()]", names(net.named_buffers())},
      {"list(Net().state_dict().keys())", names(Net().state_dict())},
      {"[k for k, _ in Net().named_modules()]", names(Net().named_modules())},
      {"net.load_state_dict(net.state_dict())", printed(net.load_state_dict(net.state_dict()))},
      {"torch.ones(2, 3).shape", printed(ones({2, 3}).shape())},
      {"torch.tensor(1.5).shape", printed(tensor(1.5).shape())},
      {"torch.float32", printed(float32)},
  };
}

/// Texts of optimisers have a test of their own; the others belong to what gradus does not have.
bool is_elsewhere(const std::string& python) {
  static const std::set<std::string> absent = {"nn.ReLU(inplace=True)", "nn.ModuleList([nn.Linear(1, 1), nn.ReLU()])",
                                               "torch.ones(2, 2).max(1)"};
  return absent.contains(python) || python.starts_with("opt") || python.starts_with("torch.optim.");
}

TEST(Repr, TextsArePyTorchs) {
  const auto texts = our_texts();
  std::size_t compared = 0;
  for (const auto& entry : test::load_golden("repr.json").at("cases")) {
    const std::string python = entry.at("python");
    if (is_elsewhere(python)) continue;
    ++compared;
    ASSERT_TRUE(texts.contains(python)) << python;
    EXPECT_EQ(texts.at(python), entry.at("text").get<std::string>()) << python;
  }
  EXPECT_EQ(compared, texts.size());
}

TEST(Repr, ExtraTextStandsBeforeTheChildren) {
  struct Scaled : nn::Module {
    void state(nn::StateList& list) override { list("act", act); }
    std::string extra_repr() const override { return "factor=2,\nshift=1"; }
    nn::ReLU act;
  };
  EXPECT_EQ(printed(Scaled()), "Scaled(\n  factor=2,\n  shift=1\n  (act): ReLU()\n)");
}

TEST(Repr, WhatPyTorchHasButTheFixtureLacks) {
  EXPECT_EQ(printed(nn::Softplus()), "Softplus(beta=1, threshold=20)");
  EXPECT_EQ(printed(nn::L1Loss()), "L1Loss()");
  EXPECT_EQ(printed(nn::NLLLoss()), "NLLLoss()");
  EXPECT_EQ(printed(nn::CrossEntropyLoss({.weight = ones({3})})), "CrossEntropyLoss()");
  EXPECT_EQ(printed(nn::Flatten(0)), "Flatten(start_dim=0, end_dim=-1)");
  EXPECT_EQ(
      printed(nn::Linear(2, 3).load_state_dict({{"foo", ones({1})}, {"weight", ones({3, 2})}}, {.strict = false})),
      "_IncompatibleKeys(missing_keys=['bias'], unexpected_keys=['foo'])");
}

template <class Inner>
struct Twice : nn::Module {
  void state(nn::StateList& list) override { list("inner", inner); }
  Inner inner;
};

TEST(Repr, TemplatesAreNamedWithoutTheirNamespace) {
  EXPECT_EQ(Twice<nn::ReLU>().name(), "Twice<gradus::nn::ReLU>");
  EXPECT_EQ(printed(Twice<nn::ReLU>()), "Twice<gradus::nn::ReLU>(\n  (inner): ReLU()\n)");
}

}  // namespace
}  // namespace gradus
