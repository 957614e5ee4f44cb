// What all schedules of the learning rate share.
#pragma once

#include <gradus/optim/optimizer.hpp>

#include <optional>

namespace gradus::optim {

/// Base of every schedule. A schedule belongs to one optimiser, which has to outlive it, and sets the rates of all its
/// groups. The constructor sets the rates of epoch 0, each `step` goes on by one epoch:
///
///   optim::CosineAnnealingLR schedule(optimizer, 20);
///   for (int epoch = 0; epoch < 20; ++epoch) {
///     train(model, optimizer);
///     schedule.step();
///   }
///
/// Most compute the next rate from the present one, so a rate that was changed by hand, or by a second schedule, stays
/// changed. Everything is computed in double, to the bit as PyTorch. Constructors throw ValueError for parameters that
/// make no sense. A group that is added later is scheduled from its next step on, from the rate that it came with.
///
/// A schedule of your own says what the rate is, lists its parameters, and calls `start` at the end of its constructor:
///
///   class WarmUp final : public optim::LRScheduler {
///    public:
///     WarmUp(optim::Optimizer& optimizer, std::int64_t epochs) : LRScheduler(optimizer), epochs_(epochs) { start(); }
///     const char* name() const override { return "WarmUp"; }
///
///    private:
///     void list(optim::FieldList& list) override { list("epochs", epochs_); }
///     double lr_at(std::size_t group, std::int64_t epoch) const override {
///       return base_lr(group) * std::min(1.0, static_cast<double>(epoch + 1) / static_cast<double>(epochs_));
///     }
///     std::int64_t epochs_;
///   };
class LRScheduler {
 public:
  LRScheduler(const LRScheduler&) = delete;
  LRScheduler& operator=(const LRScheduler&) = delete;
  virtual ~LRScheduler() = default;

  virtual const char* name() const = 0;
  virtual void step();
  std::int64_t last_epoch() const { return last_epoch_; }          ///< epochs done
  const std::vector<double>& last_lr() const { return last_lr_; }  ///< the rates that the last step set, one a group

  /// The parameters of the schedule and how far it is, under the names of PyTorch. The rates themselves are in the
  /// state of the optimiser.
  [[nodiscard]] virtual Value state_dict() const;
  /// Takes over a state, also one of PyTorch. All or nothing: throws RuntimeError, with all that is wrong, for the
  /// state of another kind of schedule or for more groups than the optimiser has.
  virtual void load_state_dict(const Value& state);

 protected:
  explicit LRScheduler(Optimizer& optimizer) : optimizer_(optimizer) {}
  /// The end of every constructor: checks the parameters, notes the first rates and sets those of epoch 0.
  void start();
  Optimizer& optimizer() const { return optimizer_; }
  /// The rate of a group when it was first seen: before the first schedule of this optimiser changed it.
  double base_lr(std::size_t group) const;
  /// Lists the members that are saved; a part of `start`, for schedules that set their rates in another way.
  void list_fields(bool base_lrs);
  /// Sets the rates, and momentums, of an epoch: of all groups, or of none when one is refused. With `restarts` the
  /// rates are those of restart_lr().
  void go_to(std::int64_t epoch, bool restarts = false);
  /// The same without rates: they were set elsewhere.
  void went_to(std::int64_t epoch);

 private:
  friend class SequentialLR;  // starts and steps those that it is made of
  /// Throws ValueError for parameters that make no sense.
  virtual void check() const {}
  virtual void list(FieldList&) {}
  /// What base_lr is to be for a group.
  virtual double first_lr(std::size_t group) const { return base_lr(group); }
  /// The rate of a group after so many epochs; `optimizer().lr(group)` is the present one.
  virtual double lr_at(std::size_t group, std::int64_t epoch) const = 0;
  /// The rate of a group when a SequentialLR comes to this schedule.
  virtual double restart_lr(std::size_t group) const;
  virtual std::optional<double> momentum_at(std::size_t, std::int64_t) const { return {}; }

  Optimizer& optimizer_;
  std::int64_t last_epoch_ = 0, first_epoch_ = 0;
  std::vector<double> base_lrs_, last_lr_;
  FieldList fields_;
};

/// One number for all parameter groups, or a list with one for each.
class PerGroup {
 public:
  PerGroup() = default;
  PerGroup(double value) : values_{value}, for_all_(true) {}
  PerGroup(std::initializer_list<double> values) : values_(values) {}
  PerGroup(std::vector<double> values) : values_(std::move(values)) {}

  /// One number for each of `groups`. Throws ValueError when there are others; `name` says of what.
  std::vector<double> expand(std::size_t groups, const char* name) const;

 private:
  std::vector<double> values_;
  bool for_all_ = false;
};

}  // namespace gradus::optim
