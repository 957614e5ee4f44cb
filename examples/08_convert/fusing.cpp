#include "fusing.hpp"

#include "modules.hpp"

#include <algorithm>
#include <map>

using namespace gradus;

namespace {

/// A copy of a tensor that must have one floating number a feature.
Tensor features_of(const Tensor& x, std::int64_t features, const std::string& module) {
  if (x.shape() == Shape(features) && is_floating(x.dtype())) return x.clone();
  throw NotFused{"'" + module + "' has a tensor of shape " + to_string(x.shape()) + " where " +
                 std::to_string(features) + " floating numbers are expected"};
}

}  // namespace

nn::Linear make_linear(const Modules& modules, const std::string& name) {
  const Tensor weight = modules.get(name, "weight"), bias = modules.get(name, "bias");
  nn::Linear linear(weight.size(1), weight.size(0), {.bias = false});
  linear.weight = nn::Parameter(weight.clone());
  if (bias.defined()) linear.bias = nn::Parameter(features_of(bias, weight.size(0), name));
  return linear;
}

nn::BatchNorm1d make_norm(const Modules& modules, const std::string& name, double eps) {
  const std::int64_t features = modules.get(name, "running_mean").numel();
  const Tensor weight = modules.get(name, "weight"), bias = modules.get(name, "bias");
  nn::BatchNorm1d norm(features, {.eps = eps, .affine = false});
  norm.eval();
  norm.running_mean = nn::Buffer(features_of(modules.get(name, "running_mean"), features, name));
  norm.running_var = nn::Buffer(features_of(modules.get(name, "running_var"), features, name));
  if (weight.defined()) norm.weight = nn::Parameter(features_of(weight, features, name));
  if (bias.defined()) norm.bias = nn::Parameter(features_of(bias, features, name));
  return norm;
}

namespace {

class Fuser {
 public:
  Fuser(const StateDict& weights, const FuseOptions& options)
      : weights_(weights), options_(options), modules_(weights, options.keeps_order) {}

  Fused run() {
    for (const auto& [linear, norm] : options_.pairs) fuse_as_told(linear, norm);
    for (const std::string& norm : modules_.names()) {
      if (!modules_.is_norm(norm) || is_fused(norm)) continue;
      try {
        fuse(modules_.linear_before(norm), norm);
      } catch (const NotFused& failure) {
        result_.kept.push_back("'" + norm + "': " + failure.reason);
      }
    }
    if (result_.pairs.empty()) {
      throw ValueError("nothing to fuse: " +
                       (result_.kept.empty() ? "there is no BatchNorm1d with running buffers" : result_.kept.front()));
    }
    collect();
    return std::move(result_);
  }

 private:
  bool is_fused(const std::string& norm) const {
    return std::ranges::any_of(result_.pairs, [&](const auto& pair) { return pair.second == norm; });
  }

  void fuse_as_told(const std::string& linear, const std::string& norm) {
    try {
      if (!modules_.is_linear(linear)) throw NotFused{"there is no '" + linear + ".weight' of two dimensions"};
      if (!modules_.is_norm(norm)) {
        throw NotFused{"there are no '" + norm + ".running_mean' and '" + norm + ".running_var'"};
      }
      if (!modules_.fit(linear, norm)) throw NotFused{"their sizes differ"};
      fuse(linear, norm);
    } catch (const NotFused& failure) {
      throw ValueError("--pair " + linear + "=" + norm + ": " + failure.reason);
    }
  }

  void fuse(const std::string& linear, const std::string& norm) {
    if (fused_.contains(linear)) throw NotFused{"'" + linear + "' is fused with another one"};
    if (is_fused(norm)) throw NotFused{"'" + norm + "' is fused already"};
    const nn::Linear fused = nn::fuse(make_linear(modules_, linear), make_norm(modules_, norm, options_.eps));
    if (!isfinite(fused.weight).all().item<bool>() || !isfinite(fused.bias).all().item<bool>()) {
      throw NotFused{"the result would not be finite"};
    }
    fused_.emplace(linear, fused);
    result_.pairs.emplace_back(linear, norm);
  }

  /// The tensors in their old order, a bias right after its weight.
  void collect() {
    for (const auto& [name, tensor] : weights_) {
      const std::string module = module_of(name), own = ModuleName(name).own;
      if (is_fused(module)) continue;
      const auto fused = fused_.find(module);
      if (fused == fused_.end() || (own != "weight" && own != "bias")) {
        result_.state[renumbered(name)] = tensor;
      } else if (own == "weight") {
        result_.state[renumbered(name)] = fused->second.weight.detach();
        result_.state[renumbered(ModuleName(name).parent + "bias")] = fused->second.bias.detach();
      }
    }
  }

  /// The name with every index in it less the norms that are gone from before it.
  std::string renumbered(const std::string& name) const {
    if (!options_.renumber) return name;
    std::string result;
    for (std::size_t begin = 0; begin < name.size();) {
      const std::size_t end = std::min(name.find('.', begin), name.size());
      const std::string parent = name.substr(0, begin), own = name.substr(begin, end - begin);
      const auto index = as_index(own);
      result += index ? std::to_string(*index - gaps_before(parent, *index)) : own;
      if (end < name.size()) result += '.';
      begin = end + 1;
    }
    return result;
  }

  std::int64_t gaps_before(const std::string& parent, std::int64_t index) const {
    return std::ranges::count_if(result_.pairs, [&](const auto& pair) {
      const ModuleName norm(pair.second);
      const auto gap = as_index(norm.own);
      return norm.parent == parent && gap && *gap < index;
    });
  }

  const StateDict& weights_;
  const FuseOptions& options_;
  Modules modules_;
  std::map<std::string, nn::Linear> fused_;
  Fused result_;
};

}  // namespace

Fused fuse_batch_norms(const StateDict& weights, const FuseOptions& options) { return Fuser(weights, options).run(); }
