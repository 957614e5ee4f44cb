// Pooling along the last dimension: the maximum or the mean of windows. x is (N, C, L) or (C, L), floating.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus::nn {

struct MaxPool1dOptions {
  std::optional<std::int64_t> stride = {};  ///< default: the size of the window
  std::int64_t padding = 0;                 ///< with -infinity, at most half of the window
  std::int64_t dilation = 1;
  bool ceil_mode = false;  ///< a last window may reach beyond the end
};

struct AvgPool1dOptions {
  std::optional<std::int64_t> stride = {};
  std::int64_t padding = 0;  ///< with zeros, at most half of the window
  bool ceil_mode = false;
  bool count_include_pad = true;  ///< zeros of the padding count as elements
};

namespace functional {

/// The gradient goes to the first of equal maxima; NaN is the largest. Saves where the maxima were.
/// All three throw RuntimeError for sizes and dtypes that do not fit. As PyTorch.
Tensor max_pool1d(const Tensor& x, std::int64_t kernel_size, const MaxPool1dOptions& options = {});
Tensor avg_pool1d(const Tensor& x, std::int64_t kernel_size, const AvgPool1dOptions& options = {});
/// Window i of `output_size` reaches from floor(i L / output_size) to ceil((i + 1) L / output_size).
Tensor adaptive_avg_pool1d(const Tensor& x, std::int64_t output_size);

}  // namespace functional

/// See functional::max_pool1d.
class MaxPool1d : public Module {
 public:
  explicit MaxPool1d(std::int64_t kernel_size, const MaxPool1dOptions& options = {})
      : kernel_size_(kernel_size), options_(options) {}
  Tensor forward(const Tensor& x) const override { return functional::max_pool1d(x, kernel_size_, options_); }
  std::string extra_repr() const override;
  std::int64_t kernel_size() const { return kernel_size_; }
  const MaxPool1dOptions& options() const { return options_; }

 private:
  std::int64_t kernel_size_;
  MaxPool1dOptions options_;
};

/// See functional::avg_pool1d.
class AvgPool1d : public Module {
 public:
  explicit AvgPool1d(std::int64_t kernel_size, const AvgPool1dOptions& options = {})
      : kernel_size_(kernel_size), options_(options) {}
  Tensor forward(const Tensor& x) const override { return functional::avg_pool1d(x, kernel_size_, options_); }
  std::string extra_repr() const override;
  std::int64_t kernel_size() const { return kernel_size_; }
  const AvgPool1dOptions& options() const { return options_; }

 private:
  std::int64_t kernel_size_;
  AvgPool1dOptions options_;
};

/// See functional::adaptive_avg_pool1d.
class AdaptiveAvgPool1d : public Module {
 public:
  explicit AdaptiveAvgPool1d(std::int64_t output_size) : output_size_(output_size) {}
  Tensor forward(const Tensor& x) const override { return functional::adaptive_avg_pool1d(x, output_size_); }
  std::string extra_repr() const override { return "output_size=" + std::to_string(output_size_); }
  std::int64_t output_size() const { return output_size_; }

 private:
  std::int64_t output_size_;
};

}  // namespace gradus::nn
