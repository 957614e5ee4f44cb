// BatchNorm1d folded into the Linear before it, in a file of weights, where names are all there is to go by.
#pragma once

#include "modules.hpp"

struct FuseOptions {
  double eps = 1e-5;        // a state_dict does not hold it
  bool keeps_order = true;  // whether tensors stand in the order of the modules: not so in .safetensors
  bool renumber = false;    // close the gaps that the norms leave among the indices of a Sequential
  std::vector<std::pair<std::string, std::string>> pairs;  // (Linear, BatchNorm1d) by name, before any search
};

struct Fused {
  gradus::StateDict state;
  std::vector<std::pair<std::string, std::string>> pairs;  // (Linear, BatchNorm1d)
  std::vector<std::string> kept;                           // a sentence for every BatchNorm1d that stays
};

/// Takes every module with running_mean and running_var for a BatchNorm1d, and looks beside it for the module with a
/// weight (C, K) that it follows: in a Sequential the index before its own, elsewhere the only one of its size and
/// number (bn2 after fc2). A square weight could as well come after the norm, so there the order in the file decides.
/// Throws ValueError when nothing can be fused, and for a pair that does not fit.
Fused fuse_batch_norms(const gradus::StateDict& weights, const FuseOptions& options);

// The modules of those names. Throw NotFused when their tensors do not fit each other.
gradus::nn::Linear make_linear(const Modules& modules, const std::string& name);
gradus::nn::BatchNorm1d make_norm(const Modules& modules, const std::string& name, double eps);
