#include "../06_batch_norm_by_hand/by_hand.hpp"
#include "live.hpp"

#include <gradus/gradus.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <sstream>

using namespace gradus;

namespace live {

namespace {

using Numbers = std::vector<double>;

/// The lines of a request, by their names.
struct Request {
  std::map<std::string, Numbers> lines = {
      {"x", {}},         {"dy", {}},          {"weight", {1}},       {"bias", {0}},        {"eps", {1e-5}},
      {"training", {1}}, {"momentum", {0.1}}, {"running_mean", {0}}, {"running_var", {1}}, {"batches", {0}},
      {"sum", {0}},      {"drop_mean", {0}},  {"drop_var", {0}}};

  double operator[](const std::string& name) const { return lines.at(name).at(0); }
  Tensor column(const std::string& name) const {
    const Numbers& numbers = lines.at(name);
    return from_span(numbers, {static_cast<std::int64_t>(numbers.size()), 1});
  }
  bool training() const { return (*this)["training"] != 0; }
  /// The derivative by y.
  Tensor dy() const { return (*this)["sum"] != 0 ? ones_like(column("x")) : column("dy"); }
};

Numbers numbers_of(std::istringstream& words, const std::string& name) {
  Numbers numbers;
  for (std::string word; words >> word;) {
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (*end != '\0' || !std::isfinite(value) || std::abs(value) > 1e9) {
      throw ValueError(name + ": a number between -1e9 and 1e9 is expected, got '" + word + "'");
    }
    numbers.push_back(value);
  }
  return numbers;
}

Request parse(const std::string& text) {
  Request request;
  std::istringstream lines(text);
  for (std::string line, name; std::getline(lines, line);) {
    std::istringstream words(line);
    if (!(words >> name)) continue;
    const Numbers numbers = numbers_of(words, name);
    const bool is_column = name == "x" || name == "dy";
    if (!request.lines.contains(name) || (!is_column && numbers.size() != 1)) {
      throw ValueError("'" + line + "' is not understood");
    }
    request.lines[name] = numbers;
  }
  const std::size_t count = request.lines["x"].size();
  if (count < 1 || count > 16) throw ValueError("a batch has 1 to 16 values here");
  if (request.lines["dy"].size() != count) throw ValueError("dy needs one number for each x");
  if (request["eps"] < 0) throw ValueError("eps is not negative");
  if (request["running_var"] < 0) throw ValueError("running_var is not negative");
  if (request["momentum"] < 0 || request["momentum"] > 1) throw ValueError("momentum lies between 0 and 1");
  return request;
}

std::string line(const std::string& name, const Numbers& values) {
  std::string text = name;
  char digits[32];
  for (const double v : values) {
    std::snprintf(digits, sizeof digits, " %.17g", v == 0 ? 0.0 : v);  // never "-0"
    text += digits;
  }
  return text + "\n";
}

std::string line(const std::string& name, const Tensor& x) { return line(name, x.detach().to_vector<double>()); }

/// The layer as a sequence of nodes. `keep` sees each node, and what it returns takes its place.
struct Layer {
  explicit Layer(const Request& request_)
      : request(request_), x(request.column("x")), weight(request.column("weight")), bias(request.column("bias")) {}

  /// In evaluation mean and var are the buffers, and nobody needs the squares.
  template <class F>
  Tensor loss(F keep) const {
    const lesson::ByHand layer{weight, bias, request["eps"]};
    const auto node = [&](const std::string& name, const Tensor& value) {
      if (request.training()) return keep(name, value);
      if (name == "mean" || name == "var") return keep(name, request.column("running_" + name));
      return name == "square" ? value : keep(name, value);
    };
    return (layer.forward(x, node).y * request.dy()).sum();
  }

  const Request& request;
  Tensor x, weight, bias;
};

/// Central differences of the loss by a node.
Tensor differences(const Request& request, const std::string& name, const Tensor& value, double spread) {
  const bool moves_the_batch = name == "x" || name == "mean" || name == "centered";
  const double size = moves_the_batch ? spread : value.detach().abs().max().item();
  const double h = 1e-4 * (size > 0 && std::isfinite(size) ? size : 1);
  return lesson::central_differences(value, h, [&](std::int64_t i, double step) {
    const auto push = [&](const std::string& node, const Tensor& is) {
      return node == name ? lesson::with_step(is, i, step) : is;
    };
    Layer layer(request);
    layer.x = push("x", layer.x);
    layer.weight = push("weight", layer.weight);
    layer.bias = push("bias", layer.bias);
    return layer.loss(push).item();
  });
}

using Nodes = std::vector<std::pair<std::string, Tensor>>;

/// x, weight, bias and every node with its name, in the order of forward, after backward.
Nodes differentiated(const Request& request) {
  Layer layer(request);
  for (Tensor* leaf : {&layer.x, &layer.weight, &layer.bias}) leaf->requires_grad_();
  Nodes nodes = {{"x", layer.x}};
  const Tensor loss = layer.loss([&](const std::string& name, const Tensor& value) {
    if (value.requires_grad()) value.retain_grad();
    nodes.emplace_back(name, value);
    return value;
  });
  loss.backward();
  nodes.insert(nodes.begin() + 1, {{"weight", layer.weight}, {"bias", layer.bias}});
  return nodes;
}

std::string paths(const Request& request) {
  const Tensor x = request.column("x"), dy = request.dy(), none = zeros_like(x);
  const lesson::ByHand layer{request.column("weight"), request.column("bias"), request["eps"]};
  lesson::Paths paths{dy * layer.weight / std::sqrt(request["running_var"] + request["eps"]), none, none};
  if (request.training()) paths = lesson::paths_of(layer, x, dy);
  if (request["drop_var"] != 0) paths.through_var = none;
  if (request["drop_mean"] != 0) paths.through_mean = none;
  return line("path direct", paths.direct) + line("path var", paths.through_var) +
         line("path mean", paths.through_mean) + line("dx", paths.direct + paths.through_var + paths.through_mean);
}

/// The buffers after a step of nn::BatchNorm1d in training, or why it refuses the batch.
std::string step_of_buffers(const Request& request) {
  nn::BatchNorm1d layer(1, {.eps = request["eps"], .momentum = request["momentum"], .dtype = float64});
  layer.running_mean.fill_(request["running_mean"]);
  layer.running_var.fill_(request["running_var"]);
  layer.num_batches_tracked.fill_(request["batches"]);
  try {
    layer(request.column("x"));
  } catch (const Error& e) {
    const std::string text = e.what();
    return "refused " + text.substr(0, text.find('\n')) + "\n";
  }
  return line("after", Numbers{layer.running_mean.item(), layer.running_var.item(),
                               static_cast<double>(layer.num_batches_tracked.item<std::int64_t>())});
}

}  // namespace

std::string compute(const std::string& text) {
  try {
    const Request request = parse(text);
    const auto [least, most] = std::ranges::minmax(request.lines.at("x"));
    const double spread = most > least ? most - least : 1;
    std::string response;
    for (const auto& [name, value] : differentiated(request)) {
      response += line("value " + name, value);
      if (!value.requires_grad()) continue;
      response += line("grad " + name, value.grad());
      response += line("difference " + name, differences(request, name, value, spread));
      if (name == "x") response += line("right", value.grad());
    }
    return response + paths(request) + step_of_buffers(request);
  } catch (const std::exception& e) {
    return std::string("error ") + e.what() + "\n";
  }
}

}  // namespace live
