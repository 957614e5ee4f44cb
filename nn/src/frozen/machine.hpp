// A program made ready for this processor: packed weights, and functions over raw memory that neither allocate nor
// throw.
#pragma once

#include "frozen/program.hpp"
#include "kernels/dense.hpp"

#include <cstddef>

namespace gradus::nn::frozen {

/// Floats, or what else fits, that begin at a boundary of a cache line.
template <class T>
class Aligned {
 public:
  explicit Aligned(std::size_t size) : lines_((size * sizeof(T) + sizeof(Line) - 1) / sizeof(Line)) {}
  T* data() { return reinterpret_cast<T*>(lines_.data()); }
  const T* data() const { return reinterpret_cast<const T*>(lines_.data()); }
  std::size_t bytes() const { return lines_.size() * sizeof(Line); }

 private:
  struct alignas(64) Line {
    std::byte bytes[64] = {};
  };
  std::vector<Line> lines_;
};

struct ReadyGroup {
  kernels::Dense dense;
  Aligned<std::byte> weight;
  Aligned<float> bias;
};

struct ReadyProduct {
  kernels::DenseTable::Kernel* kernel;
  std::int64_t rows, stride, outputs;
  std::vector<ReadyGroup> groups;
};

struct ReadyNorm {
  std::vector<float> mean, scale, shift;
  std::int64_t each;
};

struct ReadyRowNorm {
  std::vector<float> weight, bias;
  double eps;
};

struct ReadyStep {
  std::variant<ReadyProduct, Patches, ReadyNorm, ReadyRowNorm, Activation, Softmax, Pool, Transpose, Pad> work;
  std::int64_t in, out;
};

/// Throws ValueError for weights that half does not hold.
ReadyStep make_ready(Step step, bool half_weights);

/// y (rows, out) from x (rows, in), which do not overlap.
void run(const ReadyStep& step, float* y, const float* x, std::int64_t rows) noexcept;

/// What the program makes of one row.
std::vector<float> evaluate(const Program& program, std::span<const float> x);

std::size_t weight_bytes(const ReadyStep& step) noexcept;

}  // namespace gradus::nn::frozen
