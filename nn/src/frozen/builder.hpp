// Builds a Program layer by layer: keeps the layout of the row, folds BatchNorm and activations.
#pragma once

#include "frozen/program.hpp"

namespace gradus::nn::frozen {

class Builder {
 public:
  Builder(const Shape& row, const char* caller) : caller_(caller) { program_.in = row; }

  void add(const Layer& layer);
  Program finish(const Shape& out);

 private:
  void add(const Linear* linear);
  void add(const Conv1d* conv);
  void add(const BatchNorm1d* norm);
  void add(const LayerNorm* norm);
  void add(const Activation& activation);
  void add(const SoftmaxOver& softmax);
  void add(const Pooling& pooling);
  void add(const Reshape&) { set_layout(false); }

  void push(Work work, std::int64_t out);
  void push_product(Product product);
  void absorb_last_step(Product& product, std::string& layers);
  void note();  ///< names the layer in the last step, of which it is now a part
  void set_layout(bool channels_last);
  std::int64_t size() const { return program_.steps.empty() ? numel(program_.in) : program_.steps.back().out; }
  template <class W>
  W* last() {
    return program_.steps.empty() ? nullptr : std::get_if<W>(&program_.steps.back().work);
  }
  std::vector<double> finite(const Tensor& x, const char* what) const;
  /// The same, or as many times `otherwise`.
  std::vector<double> finite_or(const Tensor& x, const char* what, std::int64_t count, double otherwise) const;
  std::string label() const;
  [[noreturn]] void refuse_layer(const std::string& why) const { refuse(caller_, layer_->name, layer_->type, why); }

  const char* caller_;
  Program program_;
  const Layer* layer_ = nullptr;
  bool channels_last_ = false;  // (C, L) lies in memory as (L, C)
};

}  // namespace gradus::nn::frozen
