// A solution of the exercise, for its test.
#include "../../../examples/17_exercise/backward.hpp"

using lesson::over_batch;

namespace exercise {

void backward(const Tensor& dy, const Nodes& node, const Tensor& weight, Derivatives& d) {
  const auto n = static_cast<double>(dy.size(0));
  d.y = dy;
  d.bias = dy.sum(over_batch, true);
  d.scaled = dy;
  d.weight = (d.scaled * node.xhat).sum(over_batch, true);
  d.xhat = d.scaled * weight;
  d.rstd = (d.xhat * node.centered).sum(over_batch, true);
  d.std = -d.rstd * node.rstd * node.rstd;
  d.var = d.std / (2 * node.std);
  d.square = (d.var / n).expand(dy.shape());
  d.direct = d.xhat * node.rstd;
  d.through_var = 2 * d.square * node.centered;
  d.centered = d.direct + d.through_var;
  d.mean = -d.centered.sum(over_batch, true);
  d.through_mean = (d.mean / n).expand(dy.shape());
  d.x = d.centered + d.through_mean;
}

}  // namespace exercise
