// Your turn. Fill in the lines below, from top to bottom, then run examples/exercise: it names the first wrong one.
//
// The forward pass was, with N rows and C columns:
//
//   mean     = sum x / N            (1, C)      rstd   = 1 / std              (1, C)
//   centered = x - mean             (N, C)      xhat   = centered * rstd      (N, C)
//   square   = centered^2           (N, C)      scaled = xhat * weight        (N, C)
//   var      = sum square / N       (1, C)      y      = scaled + bias        (N, C)
//   std      = sqrt(var + eps)      (1, C)
//
// The values are in `node`: node.mean, node.centered, ... The derivative of the loss by each of them goes into `d`
// under the same name and has the same shape. What you need: +, -, *, / on tensors and numbers, .square(),
// .sum(over_batch, true), which sums the batch up into a (1, C), and .expand(dy.shape()), which repeats a (1, C) for
// each row.
#include "backward.hpp"

using lesson::over_batch;  // NOLINT(misc-unused-using-decls): your lines will use it

namespace exercise {

void backward(const Tensor& dy, const Nodes& node, const Tensor& weight, Derivatives& d) {
  [[maybe_unused]] const auto n = static_cast<double>(dy.size(0));
  (void)node, (void)weight;  // to be removed
  d.y = dy;

  // y = scaled + bias
  d.bias = {};    // (1, C): one bias was added to every row
  d.scaled = {};  // (N, C)

  // scaled = xhat * weight
  d.weight = {};  // (1, C)
  d.xhat = {};    // (N, C)

  // xhat = centered * rstd, and rstd = 1 / std, std = sqrt(var + eps), var = sum square / N
  d.rstd = {};    // (1, C)
  d.std = {};     // (1, C)
  d.var = {};     // (1, C)
  d.square = {};  // (N, C)

  // centered is used twice: in xhat, and in square
  d.direct = {};       // (N, C): what comes from xhat
  d.through_var = {};  // (N, C): what comes from square
  d.centered = {};     // (N, C)

  // centered = x - mean, and mean = sum x / N
  d.mean = {};          // (1, C)
  d.through_mean = {};  // (N, C): what reaches x from mean
  d.x = {};             // (N, C)
}

}  // namespace exercise
