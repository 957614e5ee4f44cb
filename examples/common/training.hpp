// What most programs do with a net: make it, train it for an epoch, test it.
#pragma once

#include <gradus/core/data.hpp>
#include <gradus/nn/functional.hpp>
#include <gradus/nn/sequential.hpp>
#include <gradus/optim/optimizer.hpp>

/// Linear, BatchNorm1d and ReLU for every hidden layer, then Linear; without BatchNorm the hidden layers have a bias.
gradus::nn::Sequential make_mlp(const std::vector<std::int64_t>& sizes, bool batch_norm = true);

/// The loss of a net's outputs: cross-entropy where the targets are classes, int64, else the mean square.
gradus::Tensor loss_of(const gradus::Tensor& outputs, const gradus::Tensor& y);

/// A step of the optimiser for every batch. Returns the mean loss of the examples, each before its step.
double train_epoch(gradus::nn::Module& net, gradus::optim::Optimizer& optimizer, gradus::DataLoader<2>& loader);

/// What the net says in evaluation mode, without a graph, a thousand rows at a time.
gradus::Tensor outputs_of(gradus::nn::Module& net, const gradus::Tensor& x);

/// Mean cross-entropy, and the share of rows whose largest output, in evaluation mode, is that of their class.
struct Score {
  double loss = 0, accuracy = 0;
};
Score evaluate(gradus::nn::Module& net, const gradus::Tensor& x, const gradus::Tensor& y);
