#include <gradus/optim/lr_scheduler.hpp>

#include "check.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <numbers>

namespace gradus::optim {

using gradus::detail::message;
using std::numbers::pi;

// --- StepLR
StepLR::StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma)
    : LRScheduler(optimizer), step_size_(step_size), gamma_(gamma) {
  start();
}

void StepLR::check() const {
  if (step_size_ <= 0) throw ValueError(message("StepLR: expected a positive step_size, got ", step_size_));
  require_non_negative("gamma", gamma_);
}

void StepLR::list(FieldList& fields) { fields("step_size", step_size_)("gamma", gamma_); }

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

void MultiStepLR::list(FieldList& fields) { fields.counts("milestones", milestones_)("gamma", gamma_); }

double MultiStepLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const auto times = std::ranges::count(milestones_, epoch);
  return times == 0 ? optimizer().lr(group) : optimizer().lr(group) * std::pow(gamma_, static_cast<double>(times));
}

// --- ExponentialLR
ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma) : LRScheduler(optimizer), gamma_(gamma) { start(); }

void ExponentialLR::check() const { require_non_negative("gamma", gamma_); }

void ExponentialLR::list(FieldList& fields) { fields("gamma", gamma_); }

double ExponentialLR::lr_at(std::size_t group, std::int64_t epoch) const {
  return epoch == 0 ? optimizer().lr(group) : optimizer().lr(group) * gamma_;
}

// --- CosineAnnealingLR
CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, std::int64_t T_max, double eta_min)
    : LRScheduler(optimizer), T_max_(T_max), eta_min_(eta_min) {
  start();
}

void CosineAnnealingLR::check() const {
  if (T_max_ <= 0) throw ValueError(message("CosineAnnealingLR: expected a positive T_max, got ", T_max_));
  require_non_negative("eta_min", eta_min_);
}

void CosineAnnealingLR::list(FieldList& fields) { fields("T_max", T_max_)("eta_min", eta_min_); }

double CosineAnnealingLR::lr_at(std::size_t group, std::int64_t epoch) const {
  const double lr = optimizer().lr(group), period = static_cast<double>(T_max_), e = static_cast<double>(epoch);
  if (epoch == 0) return lr;
  if ((epoch - 1 - T_max_) % (2 * T_max_) == 0) {  // the rate is eta_min, which no factor can raise
    return lr + (base_lr(group) - eta_min_) * (1 - std::cos(pi / period)) / 2;
  }
  return (1 + std::cos(pi * e / period)) / (1 + std::cos(pi * (e - 1) / period)) * (lr - eta_min_) + eta_min_;
}

}  // namespace gradus::optim
