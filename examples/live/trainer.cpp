#include "../common/training.hpp"
#include "live.hpp"

#include <gradus/gradus.hpp>

#include <cmath>
#include <utility>

using namespace gradus;

namespace live {

namespace {

constexpr std::int64_t point_count = 512, batch_size = 64, hidden_units = 16;

/// Class 0 or 1 of the i-th point, and its place without noise.
std::pair<double, double> place(Points points, std::int64_t i) {
  const bool second = i % 2 == 1;
  const double t = static_cast<double>(i / 2) / (point_count / 2);
  if (points == Points::moons) {
    const double angle = M_PI * t;
    return second ? std::pair(1 - std::cos(angle) - 0.5, 0.25 - std::sin(angle))
                  : std::pair(std::cos(angle) - 0.5, std::sin(angle) - 0.25);
  }
  const double angle = 1.75 * 2 * M_PI * t + (second ? M_PI : 0), radius = 0.1 + 1.5 * t;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace

Comparison::Comparison(const ComparisonOptions& options) : generator_(options.seed) {
  if (options.depth < 1 || options.depth > 8) throw ValueError("depth: 1 to 8 hidden layers");
  if (!(options.lr > 0) || !std::isfinite(options.lr)) throw ValueError("the learning rate is a number above 0");
  std::vector<float> x;
  std::vector<std::int64_t> y;
  for (std::int64_t i = 0; i < point_count; ++i) {
    const auto [first, second] = place(options.points, i);
    x.insert(x.end(), {static_cast<float>(first), static_cast<float>(second)});
    y.push_back(i % 2);
  }
  const double noise = options.points == Points::moons ? 0.15 : 0.05;
  x_ = from_span(x, {point_count, 2}) + randn({point_count, 2}, float32, generator_) * noise;
  y_ = from_span(y, {point_count});
  for (const bool normed : {false, true}) {
    manual_seed(options.seed + 1);
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(options.depth) + 2, hidden_units);
    sizes.front() = sizes.back() = 2;
    Runner runner{make_mlp(sizes, normed), nullptr};
    runner.optimizer =
        std::make_unique<optim::SGD>(runner.net.parameters(), optim::SGDOptions{.lr = options.lr, .momentum = 0.9});
    runners_.push_back(std::move(runner));
  }
}

void Comparison::step() {
  const Tensor rows = randint(0, point_count, {batch_size}, int64, generator_);
  batch_x_ = x_.index_select(0, rows);
  batch_y_ = y_.index_select(0, rows);
  for (Runner& runner : runners_) {
    runner.optimizer->zero_grad();
    const Tensor loss = loss_of(runner.net(batch_x_), batch_y_);
    loss.backward();
    runner.optimizer->step();
    runner.loss = loss.item();
  }
}

std::vector<float> Comparison::regions(int net, std::int64_t n) {
  std::vector<float> grid;
  for (std::int64_t row = 0; row < n; ++row) {
    for (std::int64_t column = 0; column < n; ++column) {
      grid.push_back(static_cast<float>(-2 + 4 * (static_cast<double>(column) + 0.5) / static_cast<double>(n)));
      grid.push_back(static_cast<float>(2 - 4 * (static_cast<double>(row) + 0.5) / static_cast<double>(n)));
    }
  }
  const Tensor logits = outputs_of(runners_[static_cast<std::size_t>(net)].net, from_span(grid, {n * n, 2}));
  return logits.softmax(1).select(1, 1).to_vector<float>();
}

std::vector<float> Comparison::hidden(int net) {
  if (!batch_x_.defined()) return {};
  const NoGradGuard no_grad;
  nn::Sequential& trained = runners_[static_cast<std::size_t>(net)].net;
  const nn::EvalGuard eval(trained);
  Tensor h = batch_x_;
  for (std::int64_t i = 0; i + 2 < static_cast<std::int64_t>(trained.size()); ++i) h = trained[i](h);
  return h.select(1, 0).to_vector<float>();
}

std::vector<float> Comparison::points() const {
  return cat({x_, y_.to(float32).reshape({point_count, 1})}, 1).to_vector<float>();
}

}  // namespace live
