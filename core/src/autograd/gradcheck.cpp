#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/random.hpp>

#include <cmath>

namespace gradus::detail {
namespace {

/// "[1, 0, 2]": where element `i` of a tensor of this shape is.
std::string place(std::int64_t i, const Shape& shape) {
  Shape index = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[d] = i % shape[d];
    i /= shape[d];
  }
  return to_string(index);
}

bool same_elements(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  return all((a == b) | (isnan(a) & isnan(b))).item<bool>();
}

std::vector<Tensor> copies(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> copied;
  for (const Tensor& x : tensors) copied.push_back(x.detach().clone());
  return copied;
}

void check_inputs(const std::vector<Tensor>& inputs, const std::string& check) {
  check_defined(inputs, "inputs", check.c_str());
  bool any = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    any = true;
    if (inputs[i].dtype() != float64) {
      fail<RuntimeError>(check, ": input ", i, " is ", inputs[i].dtype(),
                         "; differences of that are noise\ngive a float64 tensor: x.to(float64)");
    }
  }
  throw_if<RuntimeError>(!any, check,
                         " expects at least one input tensor to require gradient, but none of the them have "
                         "requires_grad=True.");
}

Tensor checked_output(const TensorFunction& f, const std::vector<Tensor>& inputs, const std::string& check) {
  const std::vector<Tensor> before = copies(inputs);
  Tensor y = f(inputs);
  const Tensor again = f(inputs);
  if (!y.defined() || y.dtype() != float64) {
    fail<RuntimeError>(check, ": expected the function to return a float64 tensor, got ",
                       y.defined() ? to_string(y.dtype()) : "an undefined one");
  }
  throw_if<RuntimeError>(!same_elements(y, again), check,
                         ": the function gives another result for the same inputs the second time");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    throw_if<RuntimeError>(!same_elements(inputs[i], before[i]), check, ": the function changes its input ", i);
  }
  return y;
}

/// dy / d inputs[input] by backward, one output element at a time: a row for each, a column for each of the input.
Tensor by_backward(const Tensor& y, const Tensor& x, std::size_t input, const std::string& check) {
  Tensor jacobian = zeros({y.numel(), x.numel()}, float64);
  if (!y.requires_grad()) return jacobian;
  for (std::int64_t row = 0; row < y.numel(); ++row) {
    const Tensor dy = zeros_like(y);
    elements<double>(dy)[row] = 1;
    const Tensor dx = grad({y}, {x}, {.grad_outputs = {dy}, .retain_graph = true, .allow_unused = true})[0];
    if (!dx.defined()) continue;
    throw_if<RuntimeError>(dx.shape() != x.shape() || dx.dtype() != float64, check, ": the gradient of input ", input,
                           " has shape ", dx.shape(), " and dtype ", dx.dtype(), ", the input has ", x.shape(),
                           " and float64");
    jacobian[row].copy_(dx.detach().reshape(-1));
  }
  return jacobian;
}

/// The same by differences.
Tensor by_differences(const TensorFunction& f, const std::vector<Tensor>& inputs, std::size_t input,
                      std::int64_t outputs, double eps) {
  const NoGradGuard no_grad;
  std::vector<Tensor> moved = copies(inputs);
  const std::int64_t cols = moved[input].numel();
  Tensor jacobian = zeros({outputs, cols}, float64);
  for (std::int64_t col = 0; col < cols; ++col) {
    double& x = elements<double>(moved[input])[col];
    const double before = x;
    x = before + eps;
    const Tensor above = f(moved).detach().clone();
    const double right = x;
    x = before - eps;
    const Tensor below = f(moved).detach();
    const double step = right - x;  // 2 eps, but for rounding
    jacobian.index_put_({Slice(), col}, ((above - below) / step).reshape(-1));
    x = before;
  }
  return jacobian;
}

std::string number(double value) {
  char text[32];
  return std::string(text, static_cast<std::size_t>(std::snprintf(text, sizeof text, "%.10g", value)));
}

void compare(const Tensor& backward, const Tensor& differences, const Tensor& y, const Tensor& x, std::size_t input,
             const GradcheckOptions& options, const std::string& check) {
  for (std::int64_t i = 0; i < backward.numel(); ++i) {
    const double b = elements<double>(backward)[i], d = elements<double>(differences)[i];
    if (std::abs(b - d) <= options.atol + options.rtol * std::abs(d)) continue;
    const bool reads = any(differences != 0).item<bool>();
    fail<RuntimeError>(check, ": the derivative of output element ", place(i / x.numel(), y.shape()),
                       " with respect to input ", input, ", element ", place(i % x.numel(), x.shape()), ", is ",
                       number(b), " by backward but ", number(d), " by differences",
                       reads ? ""
                             : message("\nevery difference is 0: f does not seem to read input ", input,
                                       ", but a tensor of its own; it has to use what it is given"));
  }
}

void check_jacobians(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options,
                     const std::string& check) {
  check_inputs(inputs, check);
  const EnableGradGuard enable_grad;
  const Tensor y = checked_output(f, inputs, check);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    compare(by_backward(y, inputs[i], i, check), by_differences(f, inputs, i, y.numel(), options.eps), y, inputs[i], i,
            options, check);
  }
}

}  // namespace

void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  check_jacobians(f, inputs, options, "gradcheck");
}

void gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  check_inputs(inputs, "gradgradcheck");
  const EnableGradGuard enable_grad;
  const Tensor y = checked_output(f, inputs, "gradgradcheck");
  throw_if<RuntimeError>(!y.requires_grad(), "gradgradcheck: the result of the function does not require a gradient");
  Generator generator(0);
  std::vector<Tensor> inputs_and_dy = inputs;
  inputs_and_dy.push_back((rand(y.shape(), float64, generator) + 0.5).requires_grad_());

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].requires_grad()) continue;
    const auto first_derivative = [&](const std::vector<Tensor>& arguments) {
      const EnableGradGuard recording;
      std::vector<Tensor> x = arguments;
      for (std::size_t k = 0; k < x.size(); ++k) {  // differences come with copies that are not part of a graph
        if (inputs_and_dy[k].requires_grad() && !x[k].requires_grad()) x[k] = x[k].detach().requires_grad_();
      }
      const Tensor dy = x.back();
      x.pop_back();
      const Tensor dx = grad({f(x)}, {x[i]}, {.grad_outputs = {dy}, .create_graph = true, .allow_unused = true})[0];
      return dx.defined() ? dx : zeros_like(x[i]);
    };
    check_jacobians(TensorFunction(first_derivative), inputs_and_dy, options,
                    message("gradgradcheck (input ", inputs.size(), " is dy), gradient of input ", i));
  }
}

}  // namespace gradus::detail
