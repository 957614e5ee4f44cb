#include "errors.hpp"
#include "near.hpp"
#include "optim_golden.hpp"

#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>
#include <gradus/optim/averaged_model.hpp>

namespace gradus::test {
namespace {

nn::Sequential make_net() { return nn::Sequential{nn::Linear(3, 4), nn::BatchNorm1d(4)}; }

StateDict recorded_state(const json& recorded) {
  StateDict state;
  for (const auto& [name, tensor] : recorded.items()) state[name] = golden_tensor(tensor);
  return state;
}

TEST(AveragedModel, AveragesAsPyTorch) {
  const json& runs = load_golden("optim_more.json").at("averaged");
  ASSERT_EQ(runs.size(), 2u);
  for (std::size_t use_buffers = 0; use_buffers < 2; ++use_buffers) {
    const json& run = runs[use_buffers];
    nn::Sequential net = make_net();
    optim::AveragedModel averaged(net, use_buffers == 1);
    for (std::size_t i = 0; i < run.at("models").size(); ++i) {
      net.load_state_dict(recorded_state(run.at("models")[i]));
      averaged.update_parameters(net);
      const StateDict state = averaged.state_dict();
      for (const auto& [name, tensor] : recorded_state(run.at("averages")[i])) {
        expect_same_bits(state.at(name), tensor, name + ", update " + std::to_string(i));
      }
    }
    std::vector<Tensor> batches;
    for (const json& batch : run.at("batches")) batches.push_back(golden_tensor(batch));
    nn::recalibrate(averaged, batches);
    const StateDict state = averaged.state_dict();
    for (const auto& [name, tensor] : recorded_state(run.at("recalibrated"))) {
      EXPECT_LE(max_distance(state.at(name), tensor), 2e-7 * std::max(1.0, tensor.to(float64).abs().max().item()))
          << name;
    }
  }
}

TEST(AveragedModel, IsAModuleOfItsOwn) {
  manual_seed(1);
  nn::Linear net(2, 3);
  optim::AveragedModel averaged(net), loaded(net);
  averaged.update_parameters(net);
  Tensor(net.weight).detach().fill_(5);
  EXPECT_LT(averaged.module.weight.abs().max().item(), 1);
  averaged.update_parameters(net, [](const Tensor& a, const Tensor& p, std::int64_t n) {
    EXPECT_EQ(n, 1);
    return a * 0 + p * 0.5;
  });
  EXPECT_EQ(averaged.module.weight.max().item(), 2.5);
  loaded.load_state_dict(averaged.state_dict());
  const Tensor x = randn({4, 2});
  EXPECT_TRUE(equal(loaded(x), averaged(x)));
  EXPECT_EQ(loaded.n_averaged.item(), 2);
  EXPECT_EQ(averaged.name(), "AveragedModel");
}

}  // namespace
}  // namespace gradus::test
