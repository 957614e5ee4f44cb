// What all optimisers share: parameters in groups, options for each group, state that saves and loads.
#pragma once

#include <gradus/core/value.hpp>

#include <array>
#include <iosfwd>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace gradus::optim {

class FieldList;
class StateReader;

/// The value of an option that has no default: whoever leaves it out is told so.
inline constexpr double required = -std::numeric_limits<double>::infinity();

/// Parameters that are updated with the same options. `options` may be changed between two steps.
template <class Options>
class ParamGroup {
 public:
  ParamGroup(std::vector<Tensor> params, Options options_ = {}) : options(options_), params_(std::move(params)) {}
  const std::vector<Tensor>& params() const { return params_; }

  Options options;

 private:
  std::vector<Tensor> params_;
};

/// What an optimiser keeps for one parameter.
struct ParameterState {
  Tensor parameter;
  std::int64_t steps = 0;         ///< updates so far; a step without a gradient is none
  std::array<Tensor, 3> buffers;  ///< running averages, each undefined until its first use
};

/// What the state of an optimiser is called in a state_dict.
struct StateNames {
  enum class Steps { not_saved, integer, tensor };
  std::array<const char*, 3> buffers = {};
  std::size_t always = 0;  ///< so many of the buffers exist from the first step on, the others with certain options
  Steps steps = Steps::not_saved;
};

/// Base of every optimiser: `SGD`, `Adam`, `AdamW`, `RMSprop`. The usual step of a training loop:
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
  virtual ~Optimizer() = default;

  virtual const char* name() const = 0;
  /// Updates every parameter that has a gradient, in place and outside the graph. Parameters without a gradient stay as
  /// they are and get no state. Throws ValueError when options were set to unusable values; nothing has changed then.
  virtual void step() = 0;
  /// Forgets the gradients of all parameters, or fills them with zeros.
  void zero_grad(bool set_to_none = true);

  // --- what schedulers turn
  std::size_t group_count() const { return group_ends_.size(); }
  virtual double lr(std::size_t group = 0) const = 0;
  virtual double momentum(std::size_t group = 0) const = 0;  ///< beta1 in Adam and AdamW
  /// These throw ValueError, and change nothing, for a value that the options do not allow.
  virtual void set_lr(std::size_t group, double lr) = 0;
  virtual void set_momentum(std::size_t group, double momentum) = 0;
  /// Numbers that schedulers keep with a group, under PyTorch's names: "initial_lr", "max_lr", ... They are printed and
  /// saved with its options.
  std::map<std::string, double>& schedule(std::size_t group);
  const std::map<std::string, double>& schedule(std::size_t group) const;

  /// A copy of what further training depends on, but for the parameters, under PyTorch's names joined by dots:
  /// "state.0.momentum_buffer", "state.0.step", "param_groups.0.lr". Options are 0-d tensors, float64, int64 or
  /// boolean; "param_groups.0.params" holds the positions of the group's parameters among all.
  StateDict state_dict() const;
  /// Takes over a state, whereupon training goes on as it would have there, to the bit. All or nothing: throws
  /// ValueError when groups or their sizes differ, and RuntimeError, with all that is wrong, for the state of another
  /// kind of optimiser or of other parameters.
  void load_state_dict(const StateDict& state);

  /// The same as the nested dict that `state_dict()` of PyTorch returns, for files in its format.
  Value to_pytorch() const;
  /// Takes over the state of PyTorch's optimiser, whose version may have more options or fewer. Throws as
  /// load_state_dict.
  void load_pytorch(const Value& state);

 protected:
  explicit Optimizer(StateNames names) : names_(names) {}
  static void refuse_empty(std::size_t count);
  /// Makes a new group. Throws TypeError for what is not a floating tensor, ValueError for a computed one and for one
  /// that is here already.
  void add_parameters(const std::vector<Tensor>& params);
  std::span<ParameterState> states(std::size_t group);
  std::size_t size_of(std::size_t group) const;
  void check_group(std::size_t group) const;

 private:
  friend std::string to_string(const Optimizer& optimizer);
  virtual void list_options(std::size_t group, FieldList& list) const = 0;
  /// Sets the options of every group to what its list fills in: all, or none when a check fails.
  virtual void load_options(std::span<FieldList* const> lists) = 0;
  void load(const Value& state, const StateDict& names);
  void check_groups(const Value& groups) const;
  std::vector<ParameterState> read_states(StateReader& reader, const Value& saved) const;

  StateNames names_;
  std::vector<ParameterState> states_;  // of all groups, one after the other, as PyTorch numbers parameters
  std::vector<std::size_t> group_ends_;
  std::vector<std::map<std::string, double>> schedules_;
};

/// An optimiser with these options: the part of SGD, Adam, ... that differs in nothing but their type. `Options` lists
/// its members once, in `list`, and throws ValueError in `check` when their values make no sense.
template <class Options>
class OptimizerWith : public Optimizer {
 public:
  using Group = ParamGroup<Options>;

  explicit OptimizerWith(std::vector<Tensor> params, Options options = {})
      : Optimizer(Options::state_names()), defaults_(options) {
    refuse_empty(params.size());
    add_param_group(std::move(params));
  }
  explicit OptimizerWith(std::vector<Group> groups) : Optimizer(Options::state_names()) {
    refuse_empty(groups.size());
    for (const Group& group : groups) add_param_group(group.params(), group.options);
  }

  std::span<Group> param_groups() { return groups_; }
  std::span<const Group> param_groups() const { return groups_; }

  /// Takes in more parameters, with the options given to the constructor or with others.
  void add_param_group(std::vector<Tensor> params) { add_param_group(std::move(params), defaults_); }
  void add_param_group(std::vector<Tensor> params, Options options) {
    options.check();
    groups_.reserve(groups_.size() + 1);
    add_parameters(params);
    groups_.emplace_back(std::move(params), options);
  }

  double lr(std::size_t group = 0) const final { return options(group).lr; }
  double momentum(std::size_t group = 0) const final {
    Options copy = options(group);
    return momentum_of(copy);
  }
  void set_lr(std::size_t group, double lr) final {
    Options changed = options(group);
    changed.lr = lr;
    changed.check();
    groups_[group].options = changed;
  }
  void set_momentum(std::size_t group, double momentum) final {
    Options changed = options(group);
    momentum_of(changed) = momentum;
    changed.check();
    groups_[group].options = changed;
  }

 protected:
  void check_options() const {
    for (const Group& group : groups_) group.options.check();
  }

 private:
  const Options& options(std::size_t group) const {
    check_group(group);
    return groups_[group].options;
  }
  static double& momentum_of(Options& options) {
    if constexpr (requires { options.betas; }) {
      return options.betas[0];
    } else {
      return options.momentum;
    }
  }
  void list_options(std::size_t group, FieldList& list) const final {
    Options copy = groups_[group].options;
    copy.list(list);
  }
  void load_options(std::span<FieldList* const> lists) final {
    std::vector<Options> loaded;
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      loaded.push_back(groups_[group].options);
      loaded.back().list(*lists[group]);
      loaded.back().check();
    }
    for (std::size_t group = 0; group < groups_.size(); ++group) groups_[group].options = loaded[group];
  }

  Options defaults_;
  std::vector<Group> groups_;
};

/// The options of every group, as PyTorch prints them: "SGD (\nParameter Group 0\n    dampening: 0\n…)".
std::string to_string(const Optimizer& optimizer);
std::ostream& operator<<(std::ostream& out, const Optimizer& optimizer);

}  // namespace gradus::optim
