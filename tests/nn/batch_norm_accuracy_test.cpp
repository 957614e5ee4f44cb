// BatchNorm on inputs where float32 arithmetic goes wrong: a mean far from 0, long batches, tiny and huge deviations.
// Every result is compared with extended precision and must be as exact as a computation in double that is rounded
// once; PyTorch's errors for the same inputs are in the fixture. Prints the table of both.
#include "golden.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <map>

namespace gradus {
namespace {

using Extended = long double;
using Column = std::vector<Extended>;

struct Problem {
  Tensor x, dy, weight, bias;
  Tensor running_mean, running_var;
  bool training;
  double eps = 1e-5;
};

Problem draw(const test::json& row, int seed) {
  const Shape shape(row.at("shape").get<std::vector<std::int64_t>>());
  const double mean = row.at("mean"), std = row.at("std");
  manual_seed(seed);
  Problem p;
  p.training = row.at("train");
  p.x = randn(shape) * std + mean;
  p.dy = randn(shape);
  p.weight = randn({shape[1]}) * 0.5 + 1;
  p.bias = randn({shape[1]}) * 0.5;
  p.running_mean = p.training ? zeros({shape[1]}) : full({shape[1]}, mean, float32);
  p.running_var = p.training ? ones({shape[1]}) : full({shape[1]}, std * std, float32);
  return p;
}

/// The values of one channel, in the order of the batch.
std::vector<std::size_t> places(const Shape& shape, std::int64_t channel) {
  const std::int64_t length = shape.rank() == 3 ? shape[2] : 1;
  std::vector<std::size_t> at;
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t l = 0; l < length; ++l)
      at.push_back(static_cast<std::size_t>((n * shape[1] + channel) * length + l));
  }
  return at;
}

/// max |got - true| and max |true| of what was seen.
struct Worst {
  Extended error = 0, scale = 0;
  void see(Extended got, Extended truth) {
    error = std::max(error, std::abs(got - truth));
    scale = std::max(scale, std::abs(truth));
  }
  double relative() const { return static_cast<double>(error / scale); }
};

using Errors = std::map<std::string, double>;

Errors measure(const Problem& p, bool create_graph) {
  nn::BatchNorm1d bn(p.weight.size(0));
  bn.load_state_dict({{"weight", p.weight},
                      {"bias", p.bias},
                      {"running_mean", p.running_mean},
                      {"running_var", p.running_var},
                      {"num_batches_tracked", zeros({}, int64)}});
  bn.train(p.training);
  const Tensor x = p.x.detach().requires_grad_();
  const Tensor y = bn(x);
  const auto gradients = grad({y}, {x, bn.weight, bn.bias}, {.grad_outputs = {p.dy}, .create_graph = create_graph});

  const Tensor dx = gradients[0], dw = gradients[1], db = gradients[2], rm = bn.running_mean, rv = bn.running_var;
  const auto value = [](const Tensor& t, std::size_t i) { return static_cast<Extended>(t.data<float>()[i]); };
  Worst gw, gb, mean, var;
  double worst_y = 0, worst_dx = 0;
  for (std::size_t c = 0; c < static_cast<std::size_t>(p.weight.size(0)); ++c) {
    const auto at = places(p.x.shape(), static_cast<std::int64_t>(c));
    const auto m = static_cast<Extended>(at.size());
    Extended mu = value(p.running_mean, c), sigma2 = value(p.running_var, c);
    if (p.training) {
      mu = sigma2 = 0;
      for (const std::size_t i : at) mu += value(p.x, i);
      mu /= m;
      for (const std::size_t i : at) sigma2 += (value(p.x, i) - mu) * (value(p.x, i) - mu);
      mean.see(value(rm, c), mu * Extended(0.1));
      var.see(value(rv, c), sigma2 / (m - 1) * Extended(0.1) + Extended(0.9));
      sigma2 /= m;
    }
    const Extended rstd = 1 / std::sqrt(sigma2 + static_cast<Extended>(p.eps)), w = value(p.weight, c);
    Extended sum_dy = 0, sum_dy_xhat = 0;
    for (const std::size_t i : at) {
      sum_dy += value(p.dy, i);
      sum_dy_xhat += value(p.dy, i) * (value(p.x, i) - mu) * rstd;
    }
    gb.see(value(db, c), sum_dy);
    gw.see(value(dw, c), sum_dy_xhat);
    Worst channel_y, channel_dx;
    for (const std::size_t i : at) {
      const Extended xhat = (value(p.x, i) - mu) * rstd, dy = value(p.dy, i);
      channel_y.see(value(y, i), xhat * w + value(p.bias, c));
      channel_dx.see(value(dx, i), rstd * w * (p.training ? dy - sum_dy / m - xhat * sum_dy_xhat / m : dy));
    }
    worst_y = std::max(worst_y, channel_y.relative());
    worst_dx = std::max(worst_dx, channel_dx.relative());
  }
  Errors errors{{"y", worst_y}, {"gx", worst_dx}, {"gw", gw.relative()}, {"gb", gb.relative()}};
  if (p.training) {
    errors["mean"] = mean.relative();
    errors["var"] = var.relative();
  }
  return errors;
}

TEST(BatchNormAccuracy, IsThatOfDoubleRoundedOnce) {
  std::printf("%-22s %-14s | %-50s | %s\n", "input", "shape", "gradus: y, dx, dweight, dbias, mean, var",
              "PyTorch 1.13");
  const test::json fixture = test::load_golden("bn_accuracy.json");
  EXPECT_EQ(fixture.at("rows").size(), 30u);
  for (const auto& row : fixture.at("rows")) {
    Errors worst;
    for (const int seed : row.at("seeds").get<std::vector<int>>()) {
      for (const bool create_graph : {false, true}) {
        for (const auto& [what, error] : measure(draw(row, seed), create_graph)) {
          worst[what] = std::max(worst[what], error);
        }
      }
    }
    std::string mine, torch;
    for (const char* what : {"y", "gx", "gw", "gb", "mean", "var"}) {
      if (!worst.contains(what)) continue;
      char text[16];
      std::snprintf(text, sizeof text, "%7.0e ", worst[what]);
      mine += text;
      std::snprintf(text, sizeof text, "%7.0e ", row.at("worst").at("torch").at(what).get<double>());
      torch += text;
      const double in_double = row.at("worst").at("double").at(what);
      EXPECT_LE(worst[what], std::max(6.1e-8, in_double * 1.05)) << row.at("case") << " " << what;
    }
    const std::string name = row.at("case"), shape = to_string(Shape(row.at("shape").get<std::vector<std::int64_t>>()));
    std::printf("%-22s %-14s | %-50s | %s\n", name.c_str(), shape.c_str(), mine.c_str(), torch.c_str());
  }
}

}  // namespace
}  // namespace gradus
