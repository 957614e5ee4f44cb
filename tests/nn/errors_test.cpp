// What a user of nn is told, against tests/golden/errors.json: every expression there that layers, losses or modules
// raise, but for those that C++ refuses to compile.
#include "golden.hpp"

#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/loss.hpp>

#include <gtest/gtest.h>

#include <set>

namespace gradus {
namespace {

namespace F = nn::functional;
using nn::BatchNorm1d;
using nn::Linear;
using nn::Sequential;

/// Loads a net's own state into it after `change(state)`.
template <class F>
void load_changed(F change) {
  Sequential net{Linear(4, 3), BatchNorm1d(3)};
  StateDict state = net.state_dict();
  change(state);
  net.load_state_dict(state);
}

struct Mistake {
  const char* python;
  void (*ours)();
};

// clang-format off
const Mistake mistakes[] = {
    {"nn.Linear(3,2)(torch.zeros(4,5))", [] { Linear(3, 2)(zeros({4, 5})); }},
    {"nn.Linear(3,2)(torch.zeros(5))", [] { Linear(3, 2)(zeros({5})); }},
    {"nn.Linear(3,2)(torch.zeros(2,4,5))", [] { Linear(3, 2)(zeros({2, 4, 5})); }},
    {"nn.BatchNorm1d(3)(torch.zeros(4))", [] { BatchNorm1d(3)(zeros({4})); }},
    {"nn.BatchNorm1d(3)(torch.zeros(2,3,4,5))", [] { BatchNorm1d(3)(zeros({2, 3, 4, 5})); }},
    {"nn.BatchNorm1d(3)(torch.zeros(4,5))", [] { BatchNorm1d(3)(zeros({4, 5})); }},
    {"nn.BatchNorm1d(3)(torch.zeros(2,5,4))", [] { BatchNorm1d(3)(zeros({2, 5, 4})); }},
    {"nn.BatchNorm1d(3).eval()(torch.zeros(4,5))", [] { BatchNorm1d(3).eval()(zeros({4, 5})); }},
    {"nn.BatchNorm1d(3,track_running_stats=False)(torch.zeros(4,5))",
     [] { BatchNorm1d(3, {.track_running_stats = false})(zeros({4, 5})); }},
    {"nn.BatchNorm1d(3)(torch.zeros(1,3))", [] { BatchNorm1d(3)(zeros({1, 3})); }},
    {"nn.BatchNorm1d(3)(torch.zeros(1,3,1))", [] { BatchNorm1d(3)(zeros({1, 3, 1})); }},
    {"nn.BatchNorm1d(3,track_running_stats=False).eval()(torch.zeros(1,3))",
     [] { BatchNorm1d(3, {.track_running_stats = false}).eval()(zeros({1, 3})); }},
    {"nn.BatchNorm1d(3)(torch.arange(12).reshape(4,3))", [] { BatchNorm1d(3)(arange(12).reshape({4, 3})); }},
    {"nn.BatchNorm1d(3).double()(torch.zeros(4,3))", [] { BatchNorm1d(3).to(float64)(zeros({4, 3})); }},
    {"nn.BatchNorm1d(-1)", [] { BatchNorm1d(-1); }},
    {"F.batch_norm(torch.zeros(4,3), None, None)", [] { F::batch_norm(zeros({4, 3}), {}, {}); }},
    {"nn.Dropout(1.5)", [] { nn::Dropout(1.5); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.tensor([0,5,1]))",
     [] { F::cross_entropy(zeros({3, 5}), tensor({0, 5, 1})); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.tensor([0,-1,1]))",
     [] { F::cross_entropy(zeros({3, 5}), tensor({0, -1, 1})); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.tensor([0,1]))", [] { F::cross_entropy(zeros({3, 5}), tensor({0, 1})); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.tensor([0.,1.,2.]))",
     [] { F::cross_entropy(zeros({3, 5}), tensor({0.0, 1.0, 2.0})); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.zeros(3,4))", [] { F::cross_entropy(zeros({3, 5}), zeros({3, 4})); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.tensor([0,1,2]), label_smoothing=1.5)",
     [] { F::cross_entropy(zeros({3, 5}), tensor({0, 1, 2}), {.label_smoothing = 1.5}); }},
    {"F.cross_entropy(torch.zeros(3,5), torch.tensor([0,1,2]), weight=torch.ones(4))",
     [] { F::cross_entropy(zeros({3, 5}), tensor({0, 1, 2}), {.weight = ones({4})}); }},
    {"F.mse_loss(torch.zeros(3), torch.zeros(4))", [] { F::mse_loss(zeros({3}), zeros({4})); }},
    {"F.binary_cross_entropy_with_logits(torch.zeros(3,1), torch.zeros(3))",
     [] { F::binary_cross_entropy_with_logits(zeros({3, 1}), zeros({3})); }},
    {"n = nn.Sequential(nn.Linear(4,3),nn.BatchNorm1d(3)); s = OrderedDict(n.state_dict()); del s['0.weight']; "
     "n.load_state_dict(s)",
     [] { load_changed([](StateDict& s) { s.erase("0.weight"); }); }},
    {"n = nn.Sequential(nn.Linear(4,3),nn.BatchNorm1d(3)); s = OrderedDict(n.state_dict()); s['foo'] = torch.ones(1); "
     "s['bar.baz'] = torch.ones(1); n.load_state_dict(s)",
     [] {
       load_changed([](StateDict& s) {
         s["foo"] = ones({1});
         s["bar.baz"] = ones({1});
       });
     }},
    {"n = nn.Sequential(nn.Linear(4,3),nn.BatchNorm1d(3)); s = OrderedDict(n.state_dict()); "
     "s['0.weight'] = torch.ones(5,5); n.load_state_dict(s)",
     [] { load_changed([](StateDict& s) { s["0.weight"] = ones({5, 5}); }); }},
    {"n = nn.Sequential(nn.Linear(4,3),nn.BatchNorm1d(3)); s = OrderedDict(n.state_dict()); "
     "s['0.weight'] = torch.ones(5,5); s['foo'] = torch.ones(1); del s['1.running_mean']; del s['0.bias']; "
     "n.load_state_dict(s)",
     [] {
       load_changed([](StateDict& s) {
         s["0.weight"] = ones({5, 5});
         s["foo"] = ones({1});
         s.erase("1.running_mean");
         s.erase("0.bias");
       });
     }},
    {"nn.BatchNorm1d(3,track_running_stats=False).load_state_dict(nn.BatchNorm1d(3).state_dict())",
     [] { BatchNorm1d(3, {.track_running_stats = false}).load_state_dict(BatchNorm1d(3).state_dict()); }},
    {"nn.Sequential(nn.ReLU())[9]", [] { Sequential{nn::ReLU()}[9]; }},
    {"nn.Module()(1)", [] { nn::Module()(tensor(1)); }},
};
// clang-format on

TEST(Errors, AreToldInPyTorchsWords) {
  const auto& cases = test::load_golden("errors.json").at("cases");
  for (const auto& [python, ours] : mistakes) {
    const auto recorded =
        std::ranges::find_if(cases, [&, name = python](const auto& c) { return c.at("python") == name; });
    ASSERT_NE(recorded, cases.end()) << python;
    const std::string told = recorded->at("message");
    try {
      ours();
      ADD_FAILURE() << python << ": nothing was thrown instead of: " << told;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), recorded->at("raises").get<std::string>()) << python;
      EXPECT_EQ(std::string(error.what()).substr(0, told.size()), told) << python;
    }
  }
}

TEST(Errors, EveryOneOfPyTorchsIsHere) {
  std::set<std::string> here;
  for (const Mistake& mistake : mistakes) here.insert(mistake.python);
  const std::set<std::string> differ = {
      // our choice, tested in loss_test and module_test: sizes that broadcast are refused, a missing counter is not
      "F.mse_loss(torch.zeros(3,1), torch.zeros(3))",
      "n = nn.BatchNorm1d(3); s = n.state_dict(); del s['num_batches_tracked']; n.load_state_dict(s)",
      "n = nn.BatchNorm1d(3); s = {k: v for k, v in n.state_dict().items() if k != 'num_batches_tracked'}; "
      "n.load_state_dict(s)",
      // not in gradus
      "F.binary_cross_entropy(torch.tensor([1.5]), torch.tensor([1.]))",
      // in core's tests, as it is about a changed tensor
      "l = nn.Linear(3,4); y = l(torch.ones(2,3,requires_grad=True)); l.weight.detach().mul_(2); y.sum().backward()",
      // does not compile, or has no counterpart
      "F.cross_entropy(torch.zeros(3,5), torch.tensor([0,1,2]), reduction='foo')",
      "nn.Linear(2,1).load_state_dict([1])", "nn.Sequential(nn.ReLU()).foo",
      "nn.Module().register_parameter('a.b', None)", "nn.Linear(1,1).weight = torch.ones(1,1)"};
  for (const auto& c : test::load_golden("errors.json").at("cases")) {
    const std::string python = c.at("python");
    const bool about_nn = python.find("nn.") != std::string::npos || python.starts_with("F.");
    EXPECT_EQ(about_nn, here.contains(python) || differ.contains(python)) << python;
  }
}

}  // namespace
}  // namespace gradus
