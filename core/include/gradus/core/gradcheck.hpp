// Whether a derivative is right: what backward says against what differences say.
#pragma once

#include <gradus/core/tensor.hpp>

namespace gradus {

struct GradcheckOptions {
  double eps = 1e-6;                ///< the step of the differences, to either side
  double atol = 1e-5, rtol = 1e-3;  ///< |backward - differences| may be atol + rtol |differences|
};

namespace detail {

/// A function of tensors, type-erased without <functional>; it must outlive this.
class TensorFunction {
 public:
  template <class F>
  explicit TensorFunction(F& f)
      : object_(&f), call_([](const void* object, const std::vector<Tensor>& inputs) -> Tensor {
          return (*const_cast<F*>(static_cast<const F*>(object)))(inputs);
        }) {}
  Tensor operator()(const std::vector<Tensor>& inputs) const { return call_(object_, inputs); }

 private:
  const void* object_;
  Tensor (*call_)(const void*, const std::vector<Tensor>&);
};

void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options);
void gradgradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options);

}  // namespace detail

/// Compares the whole Jacobian of `f` as backward computes it with central differences
/// (f(x + eps) - f(x - eps)) / (2 eps), for every input that requires a gradient.
/// `f` takes `const std::vector<Tensor>&`, depends on nothing else that changes, and returns one float64 tensor. The
/// inputs that require a gradient must be float64, and far enough from every kink of f; others may be of any dtype.
/// Returns true, or throws RuntimeError that names the input, the element and both numbers; also when f gives another
/// result the second time, changes an input, seems not to read one, or when a gradient has not the shape and dtype of
/// its input.
template <class F>
bool gradcheck(F&& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {}) {
  detail::gradcheck(detail::TensorFunction(f), inputs, options);
  return true;
}

/// The same for the first derivatives: the gradients of sum(f(inputs) * dy), with a fixed dy, as functions of the
/// inputs and of dy.
template <class F>
bool gradgradcheck(F&& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options = {}) {
  detail::gradgradcheck(detail::TensorFunction(f), inputs, options);
  return true;
}

}  // namespace gradus
