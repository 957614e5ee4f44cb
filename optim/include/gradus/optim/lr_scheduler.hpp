// Schedules of the learning rate.
#pragma once

#include <gradus/optim/one_cycle_lr.hpp>

namespace gradus::optim {

/// lr = lr gamma after every `step_size` epochs.
class StepLR final : public LRScheduler {
 public:
  StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma = 0.1);
  const char* name() const override { return "StepLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::int64_t step_size_;
  double gamma_;
};

/// lr = lr gamma^k after an epoch that occurs k times in `milestones`.
class MultiStepLR final : public LRScheduler {
 public:
  MultiStepLR(Optimizer& optimizer, std::vector<std::int64_t> milestones, double gamma = 0.1);
  const char* name() const override { return "MultiStepLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::vector<std::int64_t> milestones_;
  double gamma_;
};

/// lr = lr gamma after every epoch.
class ExponentialLR final : public LRScheduler {
 public:
  ExponentialLR(Optimizer& optimizer, double gamma);
  const char* name() const override { return "ExponentialLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  double gamma_;
};

/// Half a cosine wave from the first rate lr0 down to eta_min in T_max epochs, after epoch e
///
///   lr = eta_min + (lr0 - eta_min) (1 + cos(pi e / T_max)) / 2,
///
/// and up again if it goes on. Source: Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm
/// restarts", equation 5, without the restarts.
class CosineAnnealingLR final : public LRScheduler {
 public:
  CosineAnnealingLR(Optimizer& optimizer, std::int64_t T_max, double eta_min = 0);
  const char* name() const override { return "CosineAnnealingLR"; }

 private:
  void check() const override;
  void list(FieldList& list) override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::int64_t T_max_;
  double eta_min_;
};

}  // namespace gradus::optim
