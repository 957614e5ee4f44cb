// From modules to steps.
#include "frozen/builder.hpp"
#include "frozen/collector.hpp"
#include "frozen/machine.hpp"

#include <gradus/core/autograd.hpp>

#include <cmath>

namespace gradus::nn::frozen {

namespace {

/// A forward function that looks at numbers or shapes may take another way than the one that was traced.
void compare(const Module& net, const Program& program, const char* caller) {
  const Tensor x = batch_of(program.in, net, true).narrow(0, 1, 2) * -3;
  const Tensor y = net(x).to(float32), rows = x.to(float32);
  const auto in = rows.data<float>(), expected = y.data<float>();
  const auto width = static_cast<std::size_t>(numel(program.in));
  std::vector<float> got;
  for (std::size_t r = 0; r < in.size(); r += width) {
    const std::vector<float> row = evaluate(program, in.subspan(r, width));
    got.insert(got.end(), row.begin(), row.end());
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float bound = 1e-3f * (1 + std::abs(expected[i]));
    if (std::abs(got[i] - expected[i]) <= bound || got[i] == expected[i] || std::isnan(expected[i])) continue;
    refuse(caller, "", net.name(), "computes something else than its layers one behind the other\nuse a Sequential");
  }
}

}  // namespace

Program program_of(const Layers& layers, const char* caller) {
  Builder builder(layers.in, caller);
  for (const Layer& layer : layers.list) builder.add(layer);
  return builder.finish(layers.out);
}

Program freeze(const Module& net, const Shape& row, const char* caller) {
  const NoGradGuard no_grad;
  const Layers layers = layers_of(net, row, caller);
  Program program = program_of(layers, caller);
  if (layers.traced) compare(net, program, caller);
  return program;
}

}  // namespace gradus::nn::frozen
