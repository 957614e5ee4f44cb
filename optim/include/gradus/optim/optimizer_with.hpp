// The optimiser of given options and state: what SGD, Adam and one of your own are made from.
#pragma once

#include <gradus/optim/optimizer.hpp>

namespace gradus::optim {

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

/// Base of an optimiser that has these options, and keeps a State for every parameter that was updated. Both list their
/// members once, for saving and loading; options also throw ValueError in `check` when their values make no sense, and
/// have an `lr`. An optimiser of your own, Chen et al. (2023), "Symbolic discovery of optimization algorithms",
/// algorithm 2:
///
///   struct LionOptions {
///     double lr = 1e-4;
///     std::array<double, 2> betas = {0.9, 0.99};
///     double weight_decay = 0;
///     void check() const {
///       if (!(lr >= 0)) throw ValueError("Invalid learning rate: " + std::to_string(lr));
///     }
///     void list(optim::FieldList& list) { list("lr", lr)("betas", betas)("weight_decay", weight_decay); }
///   };
///
///   struct LionState {
///     Tensor exp_avg;
///     void list(optim::FieldList& list) { list("exp_avg", exp_avg); }
///   };
///
///   struct Lion final : optim::OptimizerWith<LionOptions, LionState> {
///     using OptimizerWith::OptimizerWith;
///     const char* name() const override { return "Lion"; }
///     void step() override {
///       update_each([](const LionOptions& o, Tensor& p, const Tensor& g, LionState& state) {
///         Tensor& m = state.exp_avg;
///         if (!m.defined()) m = zeros_like(p);
///         const Tensor c = o.betas[0] * m + (1 - o.betas[0]) * g;
///         p.mul_(1 - o.lr * o.weight_decay).sub_(c / c.abs().clamp(1e-30), o.lr);
///         m.mul_(o.betas[1]).add_(g, 1 - o.betas[1]);
///       });
///     }
///   };
template <class Options, class State>
class OptimizerWith : public Optimizer {
 public:
  using Group = ParamGroup<Options>;

  explicit OptimizerWith(std::vector<Tensor> params) : OptimizerWith(std::move(params), Options{}) {}
  OptimizerWith(std::vector<Tensor> params, Options options) : defaults_(options) {
    refuse_empty(params.size());
    add_param_group(std::move(params));
  }
  explicit OptimizerWith(std::vector<Group> groups) {
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
    states_.reserve(states_.size() + params.size());
    add_parameters(params);
    groups_.emplace_back(std::move(params), options);
    states_.resize(states_.size() + groups_.back().params().size());
  }

  double lr(std::size_t group = 0) const final { return options(group).lr; }
  double momentum(std::size_t group = 0) const final {
    const double* momentum = momentum_of(options(group));
    return momentum ? *momentum : 0;
  }
  void set_lr(std::size_t group, double lr) final {
    Options changed = options(group);
    changed.lr = lr;
    change(group, changed);
  }
  void set_momentum(std::size_t group, double momentum) final {
    Options changed = options(group);
    if (!momentum_of(changed)) refuse_momentum();
    *momentum_of(changed) = momentum;
    change(group, changed);
  }

 protected:
  /// A step: calls update(options, p, gradient, state) for every parameter p that has a gradient, outside the graph;
  /// the gradient is p.grad() itself, for as long as that is not replaced. The state is a default State in the first
  /// call. Throws as `step`.
  template <class F>
  void update_each(F update) {
    begin_step();
    const NoGradGuard no_grad;
    for (std::size_t group = 0; group < group_count(); ++group) {
      const Options& options = groups_[group].options;
      for_each_gradient(group, [&](Tensor& p, const Tensor& g, State& state) { update(options, p, g, state); });
    }
  }
  /// The two parts of `update_each`, for steps that compute something once a group.
  void begin_step() {
    check_options();
    check_parameters();
  }
  template <class F>
  void for_each_gradient(std::size_t group, F update) {
    State* state = states_.data() + first_of(group);
    for (Parameter& parameter : parameters(group)) {
      if (const Tensor& gradient = gradient_of(parameter); gradient.defined()) {
        if (!parameter.has_state) *state = State();
        parameter.has_state = true;
        update(parameter.tensor, gradient, *state);
      }
      ++state;
    }
  }

 private:
  const Options& options(std::size_t group) const {
    check_group(group);
    return groups_[group].options;
  }
  void change(std::size_t group, const Options& changed) {
    changed.check();
    groups_[group].options = changed;
  }
  static auto momentum_of(auto& options) {
    if constexpr (requires { options.betas; }) {
      return &options.betas[0];
    } else if constexpr (requires { options.momentum; }) {
      return &options.momentum;
    } else {
      return static_cast<double*>(nullptr);
    }
  }
  void check_options() const final {
    for (const Group& group : groups_) group.options.check();
  }
  template <class Listed>
  static FieldList fields_of(Listed& listed) {
    FieldList fields;
    listed.list(fields);
    return fields;
  }
  FieldList option_fields(std::size_t group) final { return fields_of(groups_[group].options); }
  FieldList state_fields(std::size_t parameter) final { return fields_of(states_[parameter]); }

  Options defaults_;
  std::vector<Group> groups_;
  std::vector<State> states_;  // of all groups, as the parameters
};

}  // namespace gradus::optim
