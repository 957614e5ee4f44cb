// What all optimisers share: parameters in groups, options for each group, state that saves and loads.
#pragma once

#include <gradus/core/autograd.hpp>
#include <gradus/optim/field_list.hpp>

#include <iosfwd>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace gradus::optim {

/// The value of an option that has no default: whoever leaves it out is told so.
inline constexpr double required = -std::numeric_limits<double>::infinity();

/// Base of every optimiser. The usual step of a training loop:
///
///   optimizer.zero_grad();
///   loss(model(x), y).backward();
///   optimizer.step();
///
/// Groups are counted from 0. A function that takes one throws IndexError when there is no such group.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  virtual const char* name() const = 0;
  /// Updates every parameter that has a gradient, in place and outside the graph. Parameters without a gradient stay as
  /// they are and get no state. Throws ValueError when options were set to unusable values, RuntimeError for a
  /// parameter whose module is gone, as after `layer = nn::Linear(…)` with other sizes, and in the first step when the
  /// loss reached parameters of this thread that no module lists in `state` and no optimiser holds. Nothing has changed
  /// then.
  virtual void step() = 0;
  /// Forgets the gradients of all parameters, or fills them with zeros.
  void zero_grad(bool set_to_none = true);

  // --- what schedules set
  std::size_t group_count() const { return group_ends_.size(); }
  virtual double lr(std::size_t group = 0) const = 0;
  virtual double momentum(std::size_t group = 0) const = 0;  ///< beta1 where there are betas, 0 where there is neither
  /// These throw ValueError, and change nothing, for a value that the options do not allow.
  virtual void set_lr(std::size_t group, double lr) = 0;
  virtual void set_momentum(std::size_t group, double momentum) = 0;
  /// Numbers that schedules keep with a group, under PyTorch's names: "initial_lr", "max_lr", ... They are printed and
  /// saved with its options.
  std::map<std::string, double>& schedule(std::size_t group);
  const std::map<std::string, double>& schedule(std::size_t group) const;

  /// A copy of what further training depends on, but for the parameters, nested as PyTorch nests it:
  ///
  ///   {"state": {0: {"momentum_buffer": tensor}, …}, "param_groups": [{"lr": 0.1, …, "params": [0, 1]}, …]}
  ///
  /// Parameters are numbered across all groups. `save_value` and `save_checkpoint` write it.
  [[nodiscard]] Value state_dict() const;
  /// Takes over a state, also that of PyTorch's optimiser, whose version may have more options or fewer; training then
  /// goes on as it would have there, to the bit. All or nothing: throws ValueError when groups or their sizes differ,
  /// and RuntimeError, with all that is wrong, for the state of another kind of optimiser or of other parameters.
  void load_state_dict(const Value& state);

 protected:
  struct Parameter {
    Tensor tensor;
    bool has_state = false;
  };

  Optimizer() = default;
  static void refuse_empty(std::size_t count);
  /// Makes a new group. Throws TypeError for what is not a floating tensor, ValueError for a computed one and for one
  /// that is here already.
  void add_parameters(const std::vector<Tensor>& params);
  std::span<Parameter> parameters(std::size_t group);
  /// p.grad() itself.
  static const Tensor& gradient_of(const Parameter& p);
  /// The number of the first parameter of a group.
  std::size_t first_of(std::size_t group) const { return group == 0 ? 0 : group_ends_[group - 1]; }
  std::size_t size_of(std::size_t group) const { return group_ends_[group] - first_of(group); }
  void check_group(std::size_t group) const;
  /// Throws RuntimeError when a parameter has lost its module, or, before the first step, when the loss reached
  /// parameters that nobody trains.
  void check_parameters();
  [[noreturn]] void refuse_momentum() const;

 private:
  friend std::string to_string(const Optimizer& optimizer);
  virtual void check_options() const = 0;
  virtual FieldList option_fields(std::size_t group) = 0;
  virtual FieldList state_fields(std::size_t parameter) = 0;
  /// The options of a group, as they are saved.
  Value saved_options(std::size_t group) const;
  void check_groups(const Value& groups) const;

  std::vector<Parameter> parameters_;  // of all groups, one after the other, as PyTorch numbers them
  std::vector<std::size_t> group_ends_;
  bool checked_ = false;              // before the first step
  std::uint64_t orphan_count_ = 0;    // when parameters were last looked for among the orphans
  std::vector<Tensor> stray_before_;  // parameters without an owner that had a gradient before there was this optimiser
  std::vector<std::map<std::string, double>> schedules_;
};

/// The options of every group, as PyTorch prints them: "SGD (\nParameter Group 0\n    dampening: 0\n…)".
std::string to_string(const Optimizer& optimizer);
std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer);

}  // namespace gradus::optim
