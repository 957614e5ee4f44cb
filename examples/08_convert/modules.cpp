#include "modules.hpp"

#include "convert.hpp"

#include <algorithm>
#include <charconv>
#include <set>

using namespace gradus;

namespace {

/// "2" of "bn2".
std::string digits_at_end(const std::string& name) { return name.substr(name.find_last_not_of("0123456789") + 1); }

/// A copy of a tensor that must have one floating number a feature.
Tensor features_of(const Tensor& x, std::int64_t features, const std::string& module) {
  if (x.shape() == Shape(features) && is_floating(x.dtype())) return x.clone();
  throw NotFused{"'" + module + "' has a tensor of shape " + to_string(x.shape()) + " where " +
                 std::to_string(features) + " floating numbers are expected"};
}

}  // namespace

DottedName::DottedName(const std::string& path) : own(path.substr(path.rfind('.') + 1)) {
  if (own.size() < path.size()) parent = path.substr(0, path.size() - own.size() - 1);
}

std::optional<std::int64_t> as_index(const std::string& name) {
  std::int64_t index = 0;
  std::from_chars(name.data(), name.data() + name.size(), index);
  if (index < 0 || std::to_string(index) != name) return std::nullopt;
  return index;
}

Modules::Modules(const StateDict& weights, bool keeps_order) : weights_(weights), keeps_order_(keeps_order) {
  std::set<std::string> seen;
  for (const auto& [name, tensor] : weights) {
    const std::string module = DottedName(name).parent;
    if (seen.insert(module).second) names_.push_back(module);
  }
}

Tensor Modules::get(const std::string& module, const char* name) const {
  const std::string full = below(module, name);
  return weights_.contains(full) ? weights_.at(full) : Tensor();
}

bool Modules::is_linear(const std::string& module) const {
  const Tensor weight = get(module, "weight");
  return weight.defined() && weight.dim() == 2 && is_floating(weight.dtype());
}

bool Modules::is_norm(const std::string& module) const {
  return get(module, "running_mean").defined() && get(module, "running_var").defined();
}

bool Modules::fit(const std::string& linear, const std::string& norm) const {
  return get(linear, "weight").size(0) == get(norm, "running_mean").numel();
}

std::string Modules::linear_before(const std::string& norm) const {
  const DottedName name(norm);
  const std::string outputs = std::to_string(get(norm, "running_mean").numel()) + " outputs";
  if (const auto index = as_index(name.own)) {
    std::string before = below(name.parent, std::to_string(*index - 1));
    if (is_linear(before) && fit(before, norm)) return before;
    throw NotFused{"no Linear with " + outputs + " is right before it"};
  }
  // In the same parent, of the norm's size and, if it has a number at its end, of its number.
  std::vector<std::string> linears;
  std::ranges::copy_if(names_, std::back_inserter(linears), [&](const std::string& module) {
    const DottedName other(module);
    return other.parent == name.parent && digits_at_end(other.own) == digits_at_end(name.own) && is_linear(module) &&
           fit(module, norm);
  });
  if (linears.empty()) throw NotFused{"no Linear with " + outputs + " is beside it"};
  if (linears.size() > 1) {
    throw NotFused{"it may follow '" + linears[0] + "' or '" + linears[1] + "'; say which with --pair"};
  }
  // A weight that is not square has the norm's size on one side only, so the norm follows it.
  const Tensor weight = get(linears[0], "weight");
  const auto place = [&](const std::string& module) { return std::ranges::find(names_, module); };
  if (weight.size(0) == weight.size(1) && !(keeps_order_ && place(linears[0]) < place(norm))) {
    throw NotFused{"it may come before or after '" + linears[0] + "'; if after, say so with --pair " + linears[0] +
                   "=" + norm};
  }
  return linears[0];
}

nn::Linear Modules::make_linear(const std::string& name) const {
  const Tensor weight = get(name, "weight"), bias = get(name, "bias");
  nn::Linear linear(weight.size(1), weight.size(0), {.bias = false});
  linear.weight = nn::Parameter(weight.clone());
  if (bias.defined()) linear.bias = nn::Parameter(features_of(bias, weight.size(0), name));
  return linear;
}

nn::BatchNorm1d Modules::make_norm(const std::string& name, double eps) const {
  const std::int64_t features = get(name, "running_mean").numel();
  const Tensor weight = get(name, "weight"), bias = get(name, "bias");
  nn::BatchNorm1d norm(features, {.eps = eps, .affine = false});
  norm.eval();
  norm.running_mean = nn::Buffer(features_of(get(name, "running_mean"), features, name));
  norm.running_var = nn::Buffer(features_of(get(name, "running_var"), features, name));
  if (weight.defined()) norm.weight = nn::Parameter(features_of(weight, features, name));
  if (bias.defined()) norm.bias = nn::Parameter(features_of(bias, features, name));
  return norm;
}
