// Builds a Program layer by layer: keeps the shape and the layout of the row, folds BatchNorm and activations.
#pragma once

#include "frozen/program.hpp"

namespace gradus::nn {
class BatchNorm1d;
class Linear;
}  // namespace gradus::nn

namespace gradus::nn::frozen {

/// What slides along the length of (C, L).
struct Window {
  std::int64_t size, stride, before = 0, after = 0;  ///< and the padding
  std::int64_t dilation = 1;
};

class Builder {
 public:
  Builder(const Shape& row, const char* caller) : caller_(caller), shape_(row) { program_.in = row; }

  /// The layer whose steps come next; an error will name it.
  void enter(const std::string& name, Module& module);
  void linear(const Linear& layer);
  void norm(const BatchNorm1d& layer);
  void convolution(const Window& window, const Tensor& weight, const Tensor& bias, std::int64_t groups);
  void pool(const Window& window, bool max, bool count_padding);
  void activation(const Activation& activation);
  void softmax(std::int64_t dim, bool log);
  /// Any module that changes the shape of a row and leaves its elements as they are.
  void reshape(Module& layer);
  Program finish();

 private:
  void push(std::variant<Product, Norm, Activation, Softmax, Pool, Transpose, Pad> work, std::int64_t out);
  void push_product(Product product);
  std::int64_t slide(const Window& window) const;  ///< the length after it
  void note();                                     ///< names the layer in the last step, of which it is now a part
  void set_layout(bool channels_last);
  std::int64_t size() const { return numel(shape_); }
  template <class W>
  W* last() {
    return program_.steps.empty() ? nullptr : std::get_if<W>(&program_.steps.back().work);
  }
  std::vector<double> finite(const Tensor& x, const char* what) const;
  [[noreturn]] void refuse_layer(const std::string& why) const { refuse(caller_, name_, *module_, why); }

  const char* caller_;
  Program program_;
  Shape shape_;                 // of the row, as PyTorch would have it
  bool channels_last_ = false;  // (C, L) lies in memory as (L, C)
  std::string name_;
  Module* module_ = nullptr;
};

}  // namespace gradus::nn::frozen
