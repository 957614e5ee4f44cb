#include "convert.hpp"
#include "modules.hpp"

#include <algorithm>
#include <cstdio>

using namespace gradus;

namespace {

nn::AnyModule activation_named(const std::string& name) {
  if (name == "relu") return nn::ReLU();
  if (name == "tanh") return nn::Tanh();
  if (name == "sigmoid") return nn::Sigmoid();
  if (name == "gelu") return nn::GELU();
  return nn::Identity();
}

/// "layers.10" behind "layers.9".
bool counts_before(const std::string& a, const std::string& b) {
  const DottedName x(a), y(b);
  const auto i = as_index(x.own), j = as_index(y.own);
  return x.parent == y.parent && i && j ? *i < *j : a < b;
}

nn::Sequential net_of(const StateDict& weights, bool keeps_order, const std::string& activation) {
  const Modules modules(weights, keeps_order);
  std::vector<std::string> names = modules.names();
  if (!keeps_order) std::ranges::stable_sort(names, counts_before);
  nn::Sequential net;
  bool begun = false;
  for (const std::string& name : names) {
    if (modules.is_norm(name)) {
      net.push_back(modules.make_norm(name, FuseOptions().eps));
    } else if (modules.is_linear(name)) {
      if (begun) net.push_back(activation_named(activation));
      net.push_back(modules.make_linear(name));
      begun = true;
    } else {
      throw ValueError("'" + name + "' is neither a Linear nor a BatchNorm1d: only a perceptron is told by its names");
    }
  }
  net.eval();
  return net;
}

}  // namespace

bool is_header(const std::string& path) { return path.ends_with(".hpp") || path.ends_with(".h"); }

void write_header(const StateDict& weights, bool keeps_order, const std::string& path, const HeaderWish& wish) {
  try {
    const nn::Sequential net = net_of(weights, keeps_order, wish.activation);
    nn::export_header(net, path, {.name = wish.name, .int8_weights = wish.int8});
    std::printf("taken to be:\n%s\nwrote %s\n", to_string(net).c_str(), path.c_str());
  } catch (const NotFused& failure) {
    throw ValueError(failure.reason);
  }
}
