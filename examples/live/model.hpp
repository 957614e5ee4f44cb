// What the page shows: every value and every gradient of BatchNorm on a few numbers, from gradus's own graph.
#pragma once

#include <string>

namespace live {

/// Lines of a name and numbers in, lines of a name and numbers out, 17 digits each.
///
/// Request: `x` and `dy` (1 to 16 numbers each, as many), `weight`, `bias`, `eps`, `training` (1 or 0), `momentum`,
/// `running_mean`, `running_var`, `batches`, `sum` (1: the loss is sum(y), whatever dy is), `drop_mean`, `drop_var`.
/// Response: `value NAME`, `grad NAME` and `difference NAME` for x, the nodes, weight and bias, in the order of
/// forward; `path direct`, `path var`, `path mean` and `dx`, where a dropped path is 0; `right`, the dx of autograd;
/// `after`: the running mean, variance and number of batches after a training step; `refused TEXT` if nn::BatchNorm1d
/// refuses the batch. `error TEXT` alone if the request makes no sense.
std::string compute(const std::string& request);

}  // namespace live
