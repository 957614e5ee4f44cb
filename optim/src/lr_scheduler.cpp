#include "common.hpp"

#include <gradus/optim/lr_scheduler.hpp>

#include <algorithm>
#include <numbers>

namespace gradus::optim {

using std::numbers::pi;

// --- StepLR
StepLR::StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma)
    : LRScheduler(optimizer), step_size_(step_size), gamma_(gamma) {
  start();
}

void StepLR::check() const {
  throw_if<ValueError>(step_size_ <= 0, "StepLR: expected a positive step_size, got ", step_size_);
  require_non_negative("gamma", gamma_);
}

double StepLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const double lr = optimizer().lr(group);
  return epoch == 0 || epoch % step_size_ != 0 ? lr : lr * gamma_;
}

// --- MultiStepLR
MultiStepLR::MultiStepLR(Optimizer& optimizer, std::vector<std::int64_t> milestones, double gamma)
    : LRScheduler(optimizer), milestones_(std::move(milestones)), gamma_(gamma) {
  start();
}

void MultiStepLR::check() const { require_non_negative("gamma", gamma_); }

double MultiStepLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const auto times = std::ranges::count(milestones_, epoch);
  return times == 0 ? optimizer().lr(group) : optimizer().lr(group) * std::pow(gamma_, static_cast<double>(times));
}

// --- ExponentialLR
ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma) : LRScheduler(optimizer), gamma_(gamma) { start(); }

void ExponentialLR::check() const { require_non_negative("gamma", gamma_); }

double ExponentialLR::lr_at(std::size_t group, std::int64_t epoch) const {
  return epoch == 0 ? optimizer().lr(group) : optimizer().lr(group) * gamma_;
}

// --- CosineAnnealingLR
CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, std::int64_t T_max, double eta_min)
    : LRScheduler(optimizer), T_max_(T_max), eta_min_(eta_min) {
  start();
}

void CosineAnnealingLR::check() const {
  throw_if<ValueError>(T_max_ <= 0, "CosineAnnealingLR: expected a positive T_max, got ", T_max_);
  require_non_negative("eta_min", eta_min_);
}

double CosineAnnealingLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const double lr = optimizer().lr(group), period = static_cast<double>(T_max_), e = static_cast<double>(epoch);
  if (epoch == 0) return lr;
  if ((epoch - 1 - T_max_) % (2 * T_max_) == 0) {  // the rate is eta_min, which no factor can raise
    return lr + (base_lr(group) - eta_min_) * (1 - std::cos(pi / period)) / 2;
  }
  return (1 + std::cos(pi * e / period)) / (1 + std::cos(pi * (e - 1) / period)) * (lr - eta_min_) + eta_min_;
}

double CosineAnnealingLR::restart_lr(std::size_t group) const {
  return eta_min_ + (base_lr(group) - eta_min_) * (1 + std::cos(0.0)) / 2;
}

// --- CosineAnnealingWarmRestarts
CosineAnnealingWarmRestarts::CosineAnnealingWarmRestarts(Optimizer& optimizer, std::int64_t T_0, std::int64_t T_mult,
                                                         double eta_min)
    : LRScheduler(optimizer), T_0_(T_0), T_i_(T_0), T_mult_(T_mult), eta_min_(eta_min) {
  start();
}

void CosineAnnealingWarmRestarts::check() const {
  throw_if<ValueError>(T_0_ <= 0, "Expected positive integer T_0, but got ", T_0_);
  throw_if<ValueError>(T_mult_ < 1, "Expected integer T_mult >= 1, but got ", T_mult_);
  throw_if<ValueError>(T_i_ <= 0 || !(T_cur_ >= 0), "CosineAnnealingWarmRestarts: T_i or T_cur is not positive");
  require_non_negative("eta_min", eta_min_);
}

double CosineAnnealingWarmRestarts::lr_at(std::size_t group, std::int64_t) const {
  return eta_min_ + (base_lr(group) - eta_min_) * (1 + std::cos(pi * T_cur_ / static_cast<double>(T_i_))) / 2;
}

void CosineAnnealingWarmRestarts::step() {
  T_cur_ += 1;
  if (const double period = static_cast<double>(T_i_); T_cur_ >= period) {
    T_cur_ -= period;
    T_i_ *= T_mult_;
  }
  LRScheduler::step();
}

void CosineAnnealingWarmRestarts::step(double epoch) {
  throw_if<ValueError>(!(epoch >= 0 && epoch < 0x1p53), "Expected non-negative epoch, but got ", PythonFloat{epoch});
  const double first = static_cast<double>(T_0_), factor = static_cast<double>(T_mult_);
  T_i_ = T_0_;
  T_cur_ = epoch;
  if (epoch >= first && T_mult_ == 1) T_cur_ = std::fmod(epoch, first);
  if (epoch >= first && T_mult_ > 1) {
    const double restarts = std::floor(std::log(epoch / first * (factor - 1) + 1) / std::log(factor));
    T_cur_ = epoch - first * (std::pow(factor, restarts) - 1) / (factor - 1);
    T_i_ = static_cast<std::int64_t>(first * std::pow(factor, restarts));
  }
  go_to(static_cast<std::int64_t>(std::floor(epoch)));
}

// --- ConstantLR
ConstantLR::ConstantLR(Optimizer& optimizer, double factor, std::int64_t total_iters)
    : LRScheduler(optimizer), factor_(factor), total_iters_(total_iters) {
  start();
}

void ConstantLR::check() const {
  throw_if<ValueError>(!(0 < factor_ && factor_ <= 1),
                       "Constant multiplicative factor expected to be greater than 0 and at most 1, got ",
                       PythonFloat{factor_});
}

double ConstantLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const double lr = optimizer().lr(group);
  if (epoch == 0) return lr * factor_;
  return epoch == total_iters_ ? lr * (1 / factor_) : lr;
}

// --- LinearLR
LinearLR::LinearLR(Optimizer& optimizer, double start_factor, double end_factor, std::int64_t total_iters)
    : LRScheduler(optimizer), start_factor_(start_factor), end_factor_(end_factor), total_iters_(total_iters) {
  start();
}

void LinearLR::check() const {
  throw_if<ValueError>(!(0 < start_factor_ && start_factor_ <= 1),
                       "Starting multiplicative factor expected to be greater than 0 and at most 1, got ",
                       PythonFloat{start_factor_});
  throw_if<ValueError>(!(0 <= end_factor_ && end_factor_ <= 1),
                       "Ending multiplicative factor expected to be between 0 and 1, got ", PythonFloat{end_factor_});
  throw_if<ValueError>(total_iters_ <= 0, "LinearLR: expected a positive total_iters, got ", total_iters_);
}

double LinearLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const double lr = optimizer().lr(group), rise = end_factor_ - start_factor_;
  if (epoch == 0) return lr * start_factor_;
  if (epoch > total_iters_) return lr;
  const double before = static_cast<double>(total_iters_) * start_factor_ + static_cast<double>(epoch - 1) * rise;
  return lr * (1 + rise / before);
}

// --- LambdaLR
void LambdaLR::check() const {
  if (lambdas_.size() == 1 || lambdas_.size() == optimizer().group_count()) return;
  fail<ValueError>("Expected ", optimizer().group_count(), " lr_lambdas, but got ", lambdas_.size());
}

double LambdaLR::lr_at(std::size_t group, std::int64_t epoch) const {
  throw_if<ValueError>(lambdas_.size() > 1 && group >= lambdas_.size(), "LambdaLR: no function for parameter group ",
                       group, ", which was added later");
  return base_lr(group) * lambdas_[lambdas_.size() > 1 ? group : 0]->at(epoch);
}

}  // namespace gradus::optim
