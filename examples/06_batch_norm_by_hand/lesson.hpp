// The numbers that are followed through the lesson, four that work out exactly or the reader's own, and its sections.
#pragma once

#include "by_hand.hpp"
#include "page.hpp"

#include <gradus/gradus.hpp>

namespace lesson {

/// One channel, x and dy of the same length.
struct Example {
  std::vector<double> x = {1, 7, 9, 15};
  std::vector<double> dy = {1, -1, 2, 0};
  double weight = 2, bias = 1, eps = 0;
};
inline const Example default_example;

/// Throws ValueError for an example on which no lesson can be given.
void check(const Example& example);

/// What the mathematics of nn/README.md makes of an example, in plain arithmetic, value by value: no operation of
/// tensors, no graph, none of the steps of ByHand. dx comes from the matrix of derivatives d y_j / d x_i.
struct Expected {
  explicit Expected(const Example& example);

  double mean = 0, var = 0, std = 0, rstd = 0, dbias = 0, dweight = 0, dvar = 0, dmean = 0;
  Tensor xhat, y, direct, through_var, through_mean, dx;  // (N, 1)
};

/// What every section gets.
struct Lesson {
  explicit Lesson(const Example& numbers, const Mistakes& made = {});

  Example example;
  Expected expected;
  Mistakes mistakes;
  Tensor x, dy;      // (N, 1), float64
  ByHand by_hand;    // with these mistakes
  double precision;  ///< how far rounding alone may carry a result

  nn::BatchNorm1d library_layer() const;  ///< with the weight, bias and eps of the example
  double dx_along_xhat() const;           ///< for dy = xhat, dx is this times xhat; 0 but for eps
};

/// What the library's layer makes of x in training: the same y, in one node of the graph.
Tensor library_y(const ByHand& layer, const Tensor& x);

/// Writes its part of the page and checks what it says.
using Section = void(Page& page, const Lesson& lesson);
Section forward_node_by_node, backward_node_by_node, three_paths, vanishing_term, collapse, geometry, where_eps_matters,
    lying_checks, break_it, batch_sizes, train_and_eval, running_statistics, numerics, second_order, why_it_helps,
    two_machines;

}  // namespace lesson
