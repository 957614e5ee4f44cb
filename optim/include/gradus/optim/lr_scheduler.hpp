// Schedules of the learning rate.
#pragma once

#include <gradus/optim/one_cycle_lr.hpp>
#include <gradus/optim/reduce_lr_on_plateau.hpp>
#include <gradus/optim/sequential_lr.hpp>

#include <memory>

namespace gradus::optim {

/// lr = lr gamma after every `step_size` epochs.
class StepLR final : public LRScheduler {
 public:
  StepLR(Optimizer& optimizer, std::int64_t step_size, double gamma = 0.1);
  const char* name() const override { return "StepLR"; }

 private:
  void check() const override;
  void list(FieldList& fields) override { fields("step_size", step_size_)("gamma", gamma_); }
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
  void list(FieldList& fields) override { fields.counts("milestones", milestones_)("gamma", gamma_); }
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
  void list(FieldList& fields) override { fields("gamma", gamma_); }
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
  void list(FieldList& fields) override { fields("T_max", T_max_)("eta_min", eta_min_); }
  double restart_lr(std::size_t group) const override;
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::int64_t T_max_;
  double eta_min_;
};

/// The cosine of CosineAnnealingLR, which starts again from the first rate after T_0 epochs, then after T_0 T_mult, T_0
/// T_mult^2, … Unlike the others it sets the rate anew, so changes from outside last one step. Source: SGDR, as above.
class CosineAnnealingWarmRestarts final : public LRScheduler {
 public:
  CosineAnnealingWarmRestarts(Optimizer& optimizer, std::int64_t T_0, std::int64_t T_mult = 1, double eta_min = 0);
  const char* name() const override { return "CosineAnnealingWarmRestarts"; }
  void step() override;
  /// Goes to an epoch, which may lie between two: `schedule.step(epoch + i / batches)`. Throws ValueError when
  /// negative.
  void step(double epoch);

 private:
  void check() const override;
  void list(FieldList& fields) override {
    fields("T_0", T_0_)("T_i", T_i_)("T_mult", T_mult_)("eta_min", eta_min_)("T_cur", T_cur_);
  }
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::int64_t T_0_, T_i_, T_mult_;
  double eta_min_;
  double T_cur_ = 0;  // since the last restart
};

/// lr = lr factor for the first `total_iters` epochs, then as it would have been.
class ConstantLR final : public LRScheduler {
 public:
  explicit ConstantLR(Optimizer& optimizer, double factor = 1.0 / 3, std::int64_t total_iters = 5);
  const char* name() const override { return "ConstantLR"; }

 private:
  void check() const override;
  void list(FieldList& fields) override { fields("factor", factor_)("total_iters", total_iters_); }
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  double factor_;
  std::int64_t total_iters_;
};

/// A line from start_factor to end_factor times the first rate in `total_iters` epochs: a warm-up.
class LinearLR final : public LRScheduler {
 public:
  explicit LinearLR(Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1,
                    std::int64_t total_iters = 5);
  const char* name() const override { return "LinearLR"; }

 private:
  void check() const override;
  void list(FieldList& fields) override {
    fields("start_factor", start_factor_)("end_factor", end_factor_)("total_iters", total_iters_);
  }
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  double start_factor_, end_factor_;
  std::int64_t total_iters_;
};

/// lr = the first rate times f(epoch); with several functions, one for each group. What the functions hold is not
/// saved.
class LambdaLR final : public LRScheduler {
 public:
  template <class... F>
  explicit LambdaLR(Optimizer& optimizer, F... lr_lambda) : LRScheduler(optimizer) {
    static_assert(sizeof...(F) > 0, "LambdaLR: give a function from epoch to factor, or one for each group");
    (lambdas_.push_back(std::make_unique<FactorOf<F>>(std::move(lr_lambda))), ...);
    start();
  }
  const char* name() const override { return "LambdaLR"; }

 private:
  struct Factor {
    virtual ~Factor() = default;
    virtual double at(std::int64_t epoch) = 0;
  };
  template <class F>
  struct FactorOf final : Factor {
    explicit FactorOf(F f) : function(std::move(f)) {}
    double at(std::int64_t epoch) override { return static_cast<double>(function(epoch)); }
    F function;
  };
  void check() const override;
  void list(FieldList& fields) override { fields.unused("lr_lambdas", Value::list(Value::List(lambdas_.size()))); }
  double lr_at(std::size_t group, std::int64_t epoch) const override;

  std::vector<std::unique_ptr<Factor>> lambdas_;
};

}  // namespace gradus::optim
