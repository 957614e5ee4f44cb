// From modules to steps.
#include "frozen/builder.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/flatten.hpp>

#include <optional>
#include <typeinfo>

namespace gradus::nn::frozen {

using gradus::detail::message;

void refuse(const char* caller, const std::string& name, const Module& module, const std::string& why) {
  const std::string quoted = name.empty() ? "" : message(" '", name, "'");
  throw ValueError(message(caller, ": ", module.name(), quoted, " ", why));
}

namespace {

/// The module as an M, not as something derived from it, which may compute something else.
template <class M>
M* exactly(Module& module) {
  return typeid(module) == typeid(M) ? static_cast<M*>(&module) : nullptr;
}

std::optional<Activation> activation_of(Module& module) {
  if (exactly<ReLU>(module)) return Activation{Function::relu};
  if (const auto* leaky = exactly<LeakyReLU>(module)) return Activation{Function::leaky_relu, leaky->negative_slope};
  if (exactly<Sigmoid>(module)) return Activation{Function::sigmoid};
  if (exactly<Tanh>(module)) return Activation{Function::tanh};
  if (exactly<GELU>(module)) return Activation{Function::gelu};
  if (exactly<Softplus>(module)) return Activation{Function::softplus};
  return std::nullopt;
}

class Freezer {
 public:
  Freezer(const Shape& row, const char* caller) : builder_(row, caller), caller_(caller) {}

  void add(const std::string& name, Module& module) {
    builder_.enter(name, module);
    if (exactly<Sequential>(module)) {
      for (const auto& [child, below] : module.named_children()) add(name.empty() ? child : name + "." + child, *below);
    } else if (const auto* linear = exactly<Linear>(module)) {
      builder_.linear(*linear);
    } else if (const auto* norm = exactly<BatchNorm1d>(module)) {
      add_norm(name, *norm);
    } else if (const auto function = activation_of(module)) {
      builder_.activation(*function);
    } else if (const auto* soft = exactly<nn::Softmax>(module)) {
      builder_.softmax(soft->dim, false);
    } else if (const auto* log_soft = exactly<LogSoftmax>(module)) {
      builder_.softmax(log_soft->dim, true);
    } else if (auto* flat = exactly<Flatten>(module)) {
      builder_.reshape(*flat);
    } else if (exactly<Dropout>(module)) {
      if (module.training()) refuse(caller_, name, module, "is in training mode\ncall eval() on the net first");
    } else if (!exactly<Identity>(module)) {
      refuse(caller_, name, module, "has no form outside gradus\nbuild the net of the layers of nn, in a Sequential");
    }
  }

  Program finish() { return builder_.finish(); }

 private:
  void add_norm(const std::string& name, const BatchNorm1d& norm) {
    if (!norm.running_mean.defined())
      refuse(caller_, name, norm, "has no running buffers: a row alone has no statistics");
    if (norm.training() && !norm.frozen()) {
      refuse(caller_, name, norm, "is in training mode\ncall eval() on the net first");
    }
    builder_.norm(norm);
  }

  Builder builder_;
  const char* caller_;
};

}  // namespace

Program freeze(const Module& net, const Shape& row, const char* caller) {
  if (row.rank() == 0 || numel(row) <= 0) {
    throw ValueError(message(caller, ": expected the shape of one row, without the batch, e.g. {64}, got ", row));
  }
  if (net.training()) {
    throw ValueError(message(caller, ": the net is in training mode\ncall eval() first"));
  }
  const NoGradGuard no_grad;
  Freezer freezer(row, caller);
  freezer.add("", const_cast<Module&>(net));  // modules list their state through functions that are not const
  return freezer.finish();
}

Shape row_of(const Module& net, const char* caller) {
  for (Module* module : const_cast<Module&>(net).modules()) {
    if (const auto* linear = exactly<Linear>(*module)) return linear->in_features();
    if (const auto* norm = exactly<BatchNorm1d>(*module)) return norm->num_features();
    if (!exactly<Sequential>(*module) && !exactly<Dropout>(*module) && !exactly<Identity>(*module)) break;
  }
  throw ValueError(message(caller, ": the first layer does not tell the shape of a row\nsay it: {.row = {C, L}}"));
}

}  // namespace gradus::nn::frozen
