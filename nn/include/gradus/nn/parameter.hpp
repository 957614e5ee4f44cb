// Parameter and Buffer: the tensors that a module owns.
#pragma once

#include <gradus/core/tensor.hpp>

#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

namespace gradus::nn {

class Module;

/// A tensor that a module learns. `Tensor w = layer.weight` is another handle of it. A copy of the module has a
/// Parameter with elements of its own and no gradient; `auto w = layer.weight`, which would copy as well, does not
/// compile.
///
/// Assigned to a Parameter of the same shape and dtype, another one, or a temporary, writes its elements there, and
/// optimisers and other handles go on with them: `Net best = net; … net = std::move(best);`. To one of another shape
/// or dtype, it takes its place, and optimisers with the old one say so.
class Parameter : public Tensor {
 public:
  Parameter() = default;
  explicit Parameter(Tensor values);
  explicit Parameter(const Parameter& other);
  Parameter(Parameter&& other) noexcept;
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&& other);
  ~Parameter();
  /// From here on this is a handle of `other`'s tensor: tied weights. Copies of a module that holds both are tied, too.
  void tie(const Parameter& other);

 private:
  friend class Module;
  friend void mark_listed(Parameter& parameter);
  void replace(Tensor tensor);
  const void* copy_of_ = nullptr;     // the tied tensor that this was copied from, until settle_ties has tied it
  std::atomic<bool> listed_ = false;  // by some module
};

/// A tensor that belongs to a module's state but is not learned. Copied and assigned as a Parameter is.
class Buffer : public Tensor {
 public:
  Buffer() = default;
  explicit Buffer(const Tensor& values) : Tensor(values.defined() ? values.contiguous() : values) {}
  explicit Buffer(const Buffer& other);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(const Buffer& other);
  Buffer& operator=(Buffer&& other);
  ~Buffer() = default;
};

/// Whether x was a Parameter and no module holds it any more: what an optimiser would move without effect.
bool orphaned(const Tensor& x);
/// How often a Parameter that somebody holds has lost its module: as long as it stays, `orphaned` says what it said.
std::uint64_t orphan_count() noexcept;
/// The Parameters of this thread that have a gradient though no module ever listed them in its `state`.
std::vector<Tensor> unlisted_with_gradient();

/// "Parameter containing:" and the tensor.
std::string to_string(const Parameter& parameter);
std::ostream& operator<<(std::ostream& out, const Parameter& parameter);

}  // namespace gradus::nn
