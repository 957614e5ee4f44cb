#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/sequential.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

TEST(Sequential, CopiesItsModules) {
  nn::Sequential net{nn::Linear(3, 4), nn::BatchNorm1d(4), nn::ReLU()};
  nn::Sequential copy = net;
  copy.at<nn::Linear>(0).weight.detach().add_(1);
  copy(randn({5, 3}));
  EXPECT_FALSE(equal(copy.at<nn::Linear>(0).weight, net.at<nn::Linear>(0).weight));
  EXPECT_EQ(net.at<nn::BatchNorm1d>(1).num_batches_tracked.item<int>(), 0);
  EXPECT_EQ(copy[1].name(), "BatchNorm1d");
}

TEST(Sequential, BracesAroundOneSequentialCopyOrMoveIt) {
  nn::Sequential net{nn::Linear(3, 4), nn::ReLU()};
  const Tensor weight = net.at<nn::Linear>(0).weight;
  const nn::Sequential copy{net};
  EXPECT_EQ(copy.size(), 2u);
  EXPECT_FALSE(copy.at<nn::Linear>(0).weight.is_same(weight));
  const nn::Sequential moved{std::move(net)};
  ASSERT_EQ(moved.size(), 2u);
  EXPECT_TRUE(moved.at<nn::Linear>(0).weight.is_same(weight));
  const nn::Sequential nested{nn::Sequential{nn::ReLU()}, nn::Tanh()};
  EXPECT_EQ(nested[0].name(), "Sequential");
}

TEST(Sequential, TakesNamesInBraces) {
  const nn::Sequential net{{"hidden", nn::Linear(3, 4)}, {"act", nn::ReLU()}, nn::Tanh()};
  EXPECT_EQ(net.children()[0].first, "hidden");
  EXPECT_EQ(net.children()[2].first, "2");
  EXPECT_THROW((nn::Sequential{{"a", nn::ReLU()}, {"a", nn::ReLU()}}), KeyError);
}

TEST(ModuleList, KeepsItsModulesAndTheirState) {
  nn::ModuleList layers{nn::Linear(3, 3), nn::Linear(3, 3)};
  layers.append(nn::ReLU());
  Tensor x = ones({1, 3});
  for (const auto& [name, layer] : layers.children()) x = (*layer)(x);
  EXPECT_EQ(x.shape(), (Shape{1, 3}));
  EXPECT_EQ(layers.state_dict().size(), 4u);
  EXPECT_EQ(to_string(nn::ModuleList{nn::ReLU()}), "ModuleList(\n  (0): ReLU()\n)");
  EXPECT_THROW(layers[3], IndexError);
}

TEST(Sequential, AssigningACopyBringsItsValuesBackIntoTheSameTensors) {
  nn::Sequential net{nn::Linear(3, 4), nn::BatchNorm1d(4), nn::Linear(4, 1)};
  const std::vector<Tensor> handles = net.parameters();
  const nn::Sequential best = net;
  const Tensor y = net(randn({5, 3})).sum();
  y.backward();
  for (Tensor p : net.parameters()) p.detach().add_(1);
  net = best;
  for (std::size_t i = 0; i < handles.size(); ++i) {
    EXPECT_TRUE(net.parameters()[i].is_same(handles[i]));
    EXPECT_TRUE(equal(handles[i], best.parameters()[i]));
    EXPECT_FALSE(handles[i].shares_storage(best.parameters()[i]));
    EXPECT_FALSE(handles[i].grad().defined());
  }
  EXPECT_EQ(net.at<nn::BatchNorm1d>(1).num_batches_tracked.item<int>(), 0);
  net = nn::Sequential{nn::Linear(3, 4), nn::ReLU()};  // another net is taken over as it is
  EXPECT_EQ(net.size(), 2u);
  EXPECT_EQ(net(ones({1, 3})).shape(), (Shape{1, 4}));
  nn::Linear wide(3, 7), narrow(3, 2);
  narrow = wide;
  EXPECT_EQ(narrow.weight.shape(), (Shape{7, 3}));
  EXPECT_FALSE(narrow.weight.shares_storage(wide.weight));
}

TEST(Sequential, LoadingRecognisesAPrefix) {
  nn::Sequential net{nn::Linear(3, 2), nn::BatchNorm1d(2)};
  StateDict wrapped{{"epoch", tensor(3)}};
  for (const auto& [name, value] : net.state_dict()) wrapped["model.module." + name] = value.clone();
  const auto told = [](auto load) {
    try {
      load();
    } catch (const RuntimeError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string advice = "load_state_dict(state.part(\"model.module.\"))";
  EXPECT_NE(told([&] { net.load_state_dict(wrapped); }).find(advice), std::string::npos);
  net.load_state_dict(wrapped.part("model.module."));
  wrapped.erase("model.module.0.bias");
  EXPECT_EQ(told([&] { net.load_state_dict(wrapped); }).find("part("), std::string::npos);

  nn::Sequential outer{{"body", nn::clone(net)}};
  EXPECT_NE(told([&] { outer.load_state_dict(net.state_dict()); }).find("those of the module \"body\" in it"),
            std::string::npos);
  EXPECT_EQ(told([&] { outer.load_state_dict({{"else", ones({1})}}); }).find("in it"), std::string::npos);
}

}  // namespace
}  // namespace gradus
