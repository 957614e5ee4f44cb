// Checks backward.cpp: line by line, then as an operation, then in a net that learns. Stops at the first thing that is
// wrong, with status 1.
#include "../06_batch_norm_by_hand/digits.hpp"
#include "check.hpp"
#include "command_line.hpp"
#include "text.hpp"
#include "text_table.hpp"

#include <gradus/gradus.hpp>

#include <cstdio>

using namespace gradus;
using lesson::ByHand;

namespace {

/// The exercise as one operation of the graph: BatchNorm of x (N, C) with weight and bias (1, C), eps = 1e-5; its
/// gradient is that of backward.cpp.
struct YourBatchNorm : Function<YourBatchNorm> {
  static Tensor forward(Context& context, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    context.save_for_backward({x, weight, bias});
    return ByHand{weight, bias}.forward(x).y;
  }
  static Gradients backward(Context& context, const Tensor& dy) {
    const auto [x, weight, bias] = context.saved<3>();
    lesson::Derivatives d;
    exercise::backward(dy, ByHand{weight, bias}.forward(x), weight, d);
    return {d.x, d.weight, d.bias};
  }
};

bool every_line_is_right() {
  if (const auto mistake = exercise::first_mistake(exercise::backward)) {
    std::printf("Step 1: in backward.cpp, %s %s.\n        %s.\n", mistake->line.c_str(), mistake->diagnosis.c_str(),
                mistake->hint.c_str());
    return false;
  }
  std::printf("Step 1: every line is what autograd finds.\n");
  return true;
}

/// In float64, with a random dy, weight other than 1, a layer before and unequal sizes: what finds every mistake.
void check_as_an_operation() {
  Generator seed(12);
  const auto random = [&](const Shape& shape) { return randn(shape, float64, seed).requires_grad_(); };
  const Tensor u = random({6, 4}), w = random({3, 4}), weight = random({1, 3}), bias = random({1, 3});
  gradcheck(
      [](std::span<const Tensor> in) { return YourBatchNorm::apply(linear(in[0], in[1], {}), in[2], in[3]).tanh(); },
      {u, w, weight, bias});
  std::printf("Step 2: gradcheck passes, behind a layer and with a random dy.\n");
}

/// The losses of ten epochs with what `normalise` makes between Linear and ReLU.
template <class F>
std::vector<double> losses_with(F normalise, const Images& digits) {
  manual_seed(13);
  return lesson::train(lesson::small_net(normalise), digits);
}

bool trains_like_the_library() {
  const Images digits = lesson::load_digits().train;
  const auto y = [](const Tensor& x, const Tensor& weight, const Tensor& bias) {
    return YourBatchNorm::apply(x, weight, bias);
  };
  const auto yours = losses_with([&] { return lesson::OwnBatchNorm(32, y); }, digits);
  const auto right = losses_with([] { return nn::BatchNorm1d(32, {.dtype = float64}); }, digits);
  TextTable table({"epoch", "yours", "nn::BatchNorm1d"});
  bool equal = true;
  for (std::size_t i = 0; i < yours.size(); ++i) {
    table.row(i + 1, fixed(yours[i]), fixed(right[i]));
    equal = equal && std::abs(yours[i] - right[i]) < 1e-6;
  }
  std::printf("Step 3: training on handwritten digits, the loss of each epoch\n\n%s", table.text().c_str());
  std::printf(equal ? "\nThey are the same: this is BatchNorm's gradient.\n" : "\nThey differ.\n");
  return equal;
}

}  // namespace

int main() {
  return run_program("17_exercise", [] {
    if (!every_line_is_right()) return 1;
    check_as_an_operation();
    return trains_like_the_library() ? 0 : 1;
  });
}
