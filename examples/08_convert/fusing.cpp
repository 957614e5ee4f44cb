#include "convert.hpp"
#include "modules.hpp"
#include "text.hpp"

#include <algorithm>
#include <cstdio>

using namespace gradus;

namespace {

class Fuser {
 public:
  Fuser(const StateDict& weights, const FuseOptions& options)
      : weights_(weights), options_(options), modules_(weights, options.keeps_order) {}

  StateDict run() {
    for (const auto& [linear, norm] : options_.pairs) fuse_as_told(linear, norm);
    for (const std::string& norm : modules_.names()) {
      if (!modules_.is_norm(norm) || is_fused(norm)) continue;
      try {
        fuse(modules_.linear_before(norm), norm);
      } catch (const NotFused& failure) {
        kept_.push_back("'" + norm + "': " + failure.reason);
      }
    }
    if (pairs_.empty()) {
      throw ValueError("nothing to fuse: " +
                       (kept_.empty() ? "there is no BatchNorm1d with running buffers" : kept_.front()));
    }
    for (const Pair& pair : pairs_) {
      std::printf("fused '%s' into '%s'\n", printable(pair.norm).c_str(), printable(pair.linear).c_str());
    }
    for (const std::string& kept : kept_) std::printf("not fused: %s\n", printable(kept).c_str());
    std::printf("eps was taken to be %s\n", format_number(options_.eps).c_str());
    return collected();
  }

 private:
  struct Pair {
    std::string linear, norm;
    nn::Linear fused;
  };

  bool is_fused(const std::string& norm) const { return std::ranges::find(pairs_, norm, &Pair::norm) != pairs_.end(); }

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
    if (std::ranges::find(pairs_, linear, &Pair::linear) != pairs_.end()) {
      throw NotFused{"'" + linear + "' is fused with another one"};
    }
    if (is_fused(norm)) throw NotFused{"'" + norm + "' is fused already"};
    const nn::Linear fused = nn::fuse(modules_.make_linear(linear), modules_.make_norm(norm, options_.eps));
    if (!isfinite(fused.weight).all().item<bool>() || !isfinite(fused.bias).all().item<bool>()) {
      throw NotFused{"the result would not be finite"};
    }
    pairs_.push_back({linear, norm, fused});
  }

  /// The tensors in their old order, a bias right after its weight.
  StateDict collected() const {
    StateDict state;
    for (const auto& [name, tensor] : weights_) {
      const auto [module, own] = DottedName(name);
      if (is_fused(module)) continue;
      const auto pair = std::ranges::find(pairs_, module, &Pair::linear);
      if (pair == pairs_.end() || (own != "weight" && own != "bias")) {
        state[renumbered(name)] = tensor;
      } else if (own == "weight") {
        state[renumbered(name)] = pair->fused.weight.detach();
        state[renumbered(below(module, "bias"))] = pair->fused.bias.detach();
      }
    }
    return state;
  }

  /// The name with every index in it less the norms that are gone from before it.
  std::string renumbered(const std::string& name) const {
    if (!options_.renumber || name.empty()) return name;
    const auto [parent, own] = DottedName(name);
    const auto index = as_index(own);
    return below(renumbered(parent), index ? std::to_string(*index - gaps_before(parent, *index)) : own);
  }

  std::int64_t gaps_before(const std::string& parent, std::int64_t index) const {
    return std::ranges::count_if(pairs_, [&](const Pair& pair) {
      const DottedName norm(pair.norm);
      const auto gap = as_index(norm.own);
      return norm.parent == parent && gap && *gap < index;
    });
  }

  const StateDict& weights_;
  const FuseOptions& options_;
  Modules modules_;
  std::vector<Pair> pairs_;
  std::vector<std::string> kept_;  // a sentence for every BatchNorm1d that stays
};

}  // namespace

StateDict fuse_batch_norms(const StateDict& weights, const FuseOptions& options) {
  return Fuser(weights, options).run();
}
