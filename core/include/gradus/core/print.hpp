// Tensors, shapes and numbers as text: the text that PyTorch gives them.
#pragma once

#include <gradus/core/tensor.hpp>

#include <iosfwd>

namespace gradus {

class StateDict;

/// How tensors are printed. Those not named have their defaults: `set_printoptions({.precision = 2})`.
struct PrintOptions {
  int precision = 4;                  ///< digits after the point
  std::int64_t threshold = 1000;      ///< a tensor with more elements is shown in part …
  std::int64_t edgeitems = 3;         ///< … so many at the beginning and at the end of each dimension
  int linewidth = 80;                 ///< columns
  std::optional<bool> sci_mode = {};  ///< 1.0000e-05 always or never; without a value, where the numbers ask for it

  static constexpr PrintOptions default_profile() { return {}; }
  static constexpr PrintOptions short_profile() { return {.precision = 2, .edgeitems = 2}; }
  static constexpr PrintOptions full_profile() { return {.threshold = INT64_MAX}; }
};

/// The options of every later text, in all threads. Throws ValueError for a negative number.
void set_printoptions(const PrintOptions& options);
PrintOptions print_options();

/// `tensor([1., 2., 3.], requires_grad=True)`: the text of `repr(x)` in PyTorch; `None` for an undefined tensor.
std::string to_string(const Tensor& x);
std::string to_string(const Tensor& x, const PrintOptions& options);

/// torch.return_types.max(
/// values=tensor([2.]),
/// indices=tensor([1]))
std::string to_string(const Maxima& maxima);
std::string to_string(const Minima& minima);

/// `OrderedDict([('weight', tensor([1., 1.])), ('bias', tensor([0., 0.]))])`: on one line, as `print` of Python.
std::string to_string(const StateDict& state);
/// The same with an entry a line where one line of `width` columns is too short, as a notebook shows it.
std::string pretty(const StateDict& state, std::size_t width = 79);

/// The shortest digits that read back as `value`, as Python: `0.1`, `0.001`, `1e-05`; a whole number has no point: `1`.
std::string format_number(double value);

std::ostream& operator<<(std::ostream& out, const Tensor& x);
std::ostream& operator<<(std::ostream& out, const Maxima& maxima);
std::ostream& operator<<(std::ostream& out, const Minima& minima);
std::ostream& operator<<(std::ostream& out, const StateDict& state);
std::ostream& operator<<(std::ostream& out, const Shape& shape);  ///< torch.Size([2, 3])
std::ostream& operator<<(std::ostream& out, Dtype dtype);         ///< torch.float32

}  // namespace gradus
