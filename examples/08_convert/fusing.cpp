#include "fusing.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

using namespace gradus;

namespace {

struct ModuleName {
  explicit ModuleName(const std::string& path)
      : parent(path.substr(0, path.rfind('.') + 1)), own(path.substr(parent.size())) {}
  std::string parent;  // "" or with its dot at the end
  std::string own;
};

std::optional<std::int64_t> as_index(std::string_view text) {
  std::int64_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc() || end != text.data() + text.size() || std::to_string(index) != text || index < 0) {
    return std::nullopt;
  }
  return index;
}

/// "2" of "bn2".
std::string_view digits_at_end(std::string_view name) { return name.substr(name.find_last_not_of("0123456789") + 1); }

/// "a.b" for the tensor "a.b.weight".
std::string module_of(const std::string& tensor) {
  const std::size_t dot = tensor.rfind('.');
  return dot == tensor.npos ? "" : tensor.substr(0, dot);
}

struct NotFused {
  std::string reason;
};

class Fuser {
 public:
  Fuser(const StateDict& weights, const FuseOptions& options) : weights_(weights), options_(options) {
    std::set<std::string> seen;
    for (const auto& [name, tensor] : weights) {
      const std::string module = module_of(name);
      if (seen.insert(module).second) modules_.push_back(module);
    }
  }

  Fused run() {
    for (const auto& [linear, norm] : options_.pairs) {
      try {
        check_pair(linear, norm);
        fuse(linear, norm);
      } catch (const NotFused& failure) {
        throw ValueError("--pair " + linear + "=" + norm + ": " + failure.reason);
      }
    }
    for (const std::string& norm : modules_) {
      if (!has(norm, "running_mean") || !has(norm, "running_var") || is_fused(norm)) continue;
      try {
        fuse(linear_before(norm), norm);
      } catch (const NotFused& failure) {
        result_.kept.push_back("'" + norm + "': " + failure.reason);
      }
    }
    if (result_.pairs.empty()) throw ValueError("nothing to fuse: " + why_nothing());
    collect();
    return std::move(result_);
  }

 private:
  static std::string entry(const std::string& module, const char* name) {
    return module.empty() ? name : module + "." + name;
  }
  bool has(const std::string& module, const char* name) const { return weights_.contains(entry(module, name)); }
  Tensor get(const std::string& module, const char* name) const {
    return has(module, name) ? weights_.at(entry(module, name)) : Tensor();
  }
  bool is_linear(const std::string& module) const {
    const Tensor weight = get(module, "weight");
    return weight.defined() && weight.dim() == 2 && is_floating(weight.dtype());
  }
  bool is_fused(const std::string& norm) const {
    return std::ranges::any_of(result_.pairs, [&](const auto& pair) { return pair.second == norm; });
  }

  void check_pair(const std::string& linear, const std::string& norm) const {
    if (!is_linear(linear)) throw NotFused{"there is no '" + linear + ".weight' of two dimensions"};
    if (!has(norm, "running_mean") || !has(norm, "running_var")) {
      throw NotFused{"there are no '" + norm + ".running_mean' and '" + norm + ".running_var'"};
    }
    if (get(linear, "weight").size(0) != get(norm, "running_mean").numel()) throw NotFused{"their sizes differ"};
  }

  std::string linear_before(const std::string& norm) const {
    const ModuleName name(norm);
    const std::int64_t features = get(norm, "running_mean").numel();
    if (const auto index = as_index(name.own)) {
      const std::string before = name.parent + std::to_string(*index - 1);
      if (is_linear(before) && get(before, "weight").size(0) == features) return before;
      throw NotFused{"no Linear with " + std::to_string(features) + " outputs is right before it"};
    }
    std::vector<std::string> found;
    for (const std::string& module : modules_) {
      const ModuleName other(module);
      if (other.parent == name.parent && digits_at_end(other.own) == digits_at_end(name.own) && is_linear(module) &&
          get(module, "weight").size(0) == features) {
        found.push_back(module);
      }
    }
    if (found.empty()) throw NotFused{"no Linear with " + std::to_string(features) + " outputs is beside it"};
    if (found.size() > 1) {
      throw NotFused{"it may follow '" + found[0] + "' or '" + found[1] + "'; say which with --pair"};
    }
    check_order(found[0], norm);
    return found[0];
  }

  void check_order(const std::string& linear, const std::string& norm) const {
    const Tensor weight = get(linear, "weight");
    const auto place = [&](const std::string& module) { return std::ranges::find(modules_, module); };
    if (weight.size(0) != weight.size(1) || (options_.keeps_order && place(linear) < place(norm))) return;
    throw NotFused{"it may come before or after '" + linear + "'; if after, say so with --pair " + linear + "=" + norm};
  }

  void fuse(const std::string& linear, const std::string& norm) {
    if (fused_.contains(linear)) throw NotFused{"'" + linear + "' is fused with another one"};
    const nn::Linear fused = nn::fuse(make_linear(linear), make_norm(norm));
    if (!isfinite(fused.weight).all().item<bool>() || !isfinite(fused.bias).all().item<bool>()) {
      throw NotFused{"the result would not be finite"};
    }
    fused_.emplace(linear, fused);
    result_.pairs.emplace_back(linear, norm);
  }

  nn::Linear make_linear(const std::string& name) const {
    const Tensor weight = get(name, "weight"), bias = get(name, "bias");
    nn::Linear linear(weight.size(1), weight.size(0), {.bias = false});
    linear.weight = nn::Parameter(weight.clone());
    if (bias.defined()) linear.bias = nn::Parameter(vector_of(bias, weight.size(0), name));
    return linear;
  }

  nn::BatchNorm1d make_norm(const std::string& name) const {
    const std::int64_t features = get(name, "running_mean").numel();
    nn::BatchNorm1d norm(features, {.eps = options_.eps, .affine = false});
    norm.eval();
    norm.running_mean = nn::Buffer(vector_of(get(name, "running_mean"), features, name));
    norm.running_var = nn::Buffer(vector_of(get(name, "running_var"), features, name));
    if (has(name, "weight")) norm.weight = nn::Parameter(vector_of(get(name, "weight"), features, name));
    if (has(name, "bias")) norm.bias = nn::Parameter(vector_of(get(name, "bias"), features, name));
    return norm;
  }

  static Tensor vector_of(const Tensor& x, std::int64_t size, const std::string& module) {
    if (x.shape() != Shape(size) || !is_floating(x.dtype())) {
      throw NotFused{"'" + module + "' has a tensor of shape " + to_string(x.shape()) + " where " +
                     std::to_string(size) + " floating numbers are expected"};
    }
    return x.clone();
  }

  std::string why_nothing() const {
    return result_.kept.empty() ? "there is no BatchNorm1d with running buffers" : result_.kept.front();
  }

  /// The tensors in their old order, a new bias after its weight.
  void collect() {
    for (const auto& [name, tensor] : weights_) {
      const std::string module = module_of(name);
      if (is_fused(module)) continue;
      const auto fused = fused_.find(module);
      if (fused == fused_.end() || (name != entry(module, "weight") && name != entry(module, "bias"))) {
        result_.state[renumbered(name)] = tensor;
      } else if (name == entry(module, "weight")) {
        result_.state[renumbered(name)] = fused->second.weight.detach();
        result_.state[renumbered(entry(module, "bias"))] = fused->second.bias.detach();
      }
    }
  }

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
  std::vector<std::string> modules_;  // in the order of the file
  std::map<std::string, nn::Linear> fused_;
  Fused result_;
};

}  // namespace

Fused fuse_batch_norms(const StateDict& weights, const FuseOptions& options) { return Fuser(weights, options).run(); }
