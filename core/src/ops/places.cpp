#include "ops/places.hpp"

#include "ops/pairs.hpp"

#include <algorithm>
#include <numeric>

namespace gradus {

using namespace detail;

Slice::Slice(std::optional<std::int64_t> start, std::optional<std::int64_t> stop, Integer step)
    : start_(start), stop_(stop), step_(step) {
  throw_if<ValueError>(step_ == 0, "slice step cannot be zero");
  throw_if<ValueError>(step_ < 0, "step must be greater than zero\nx.flip(dim) reverses a dimension");
}

Slice::Range Slice::in(std::int64_t extent) const {
  const auto end = [extent](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + extent : at, 0, extent); };
  const std::int64_t first = end(start_.value_or(0)), last = end(stop_.value_or(extent));
  return {first, last > first ? (last - first - 1) / step_ + 1 : 0, step_};
}

namespace detail {

std::int64_t position_in(std::int64_t extent, std::int64_t index, int dim) {
  throw_if<IndexError>(index < -extent || index >= extent, "index ", index, " is out of bounds for dimension ", dim,
                       " with size ", extent);
  return index < 0 ? index + extent : index;
}

void refuse_0d() {
  fail<IndexError>(
      "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim "
      "tensor to a number");
}

namespace {

/// The positions where a mask is true, counted in row-major order: by blocks, each of which writes where the ones
/// before it end.
Tensor true_positions(const Tensor& mask) {
  constexpr std::int64_t length = 1 << 12;
  const bool* const is_true = elements<bool>(mask);
  const std::int64_t n = mask.numel(), blocks = (n + length - 1) / length;
  const auto in_blocks = [=](auto f) {
    parallel_for(0, blocks, worth_a_thread / length, [=](std::int64_t b, std::int64_t last) {
      for (; b < last; ++b) f(b, b * length, std::min(n, (b + 1) * length));
    });
  };
  std::vector<std::int64_t> end(static_cast<std::size_t>(blocks + 1));
  in_blocks([&, count = end.data() + 1](std::int64_t b, std::int64_t i, std::int64_t stop) {
    count[b] = std::accumulate(is_true + i, is_true + stop, std::int64_t{0});
  });
  std::partial_sum(end.begin(), end.end(), end.begin());
  Tensor positions = make_tensor(end.back(), int64);
  in_blocks([=, &end, to = elements<std::int64_t>(positions)](std::int64_t b, std::int64_t i, std::int64_t) {
    const std::int64_t* const begin = end.data() + b;
    for (std::int64_t at = begin[0]; at < begin[1]; ++i) {  // writes without a branch; stops behind the last
      to[at] = i;
      at += is_true[i];
    }
  });
  return positions;
}

Tensor checked_positions(const Tensor& index, int dim, std::int64_t extent) {
  Tensor positions = make_tensor(index.shape(), int64);
  const auto* from = elements<std::int64_t>(index);
  auto* to = elements<std::int64_t>(positions);
  parallel_for(0, index.numel(), worth_a_thread, [=](std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) {
      to[i] = position_in(extent, from[i], dim);
    }
  });
  return positions;
}

}  // namespace

Places::Places(const Shape& shape, std::span<const Index> indices) : from_(shape), strides_(strides_of(shape)) {
  for (const Index& index : indices) {
    const bool fits = next_ < shape.rank() || (index.kind() == Index::Kind::tensor && index.tensor().dim() == 0 &&
                                               index.tensor().dtype() == boolean);
    if (!fits && shape.empty() && index.kind() == Index::Kind::position) refuse_0d();
    throw_if<IndexError>(!fits, "too many indices for tensor of dimension ", shape.rank(), "\nits shape is ", shape);
    ends_with_slice_ = index.kind() == Index::Kind::slice;
    switch (index.kind()) {
      case Index::Kind::position: take_position(index.position(), next_++); break;
      case Index::Kind::slice: take_slice(index.slice().in(shape[next_])); break;
      case Index::Kind::tensor:
        check_defined(index.tensor(), "index");
        if (index.tensor().dtype() == int64 && index.tensor().dim() == 0) {  // a number, as in PyTorch
          take_position(index.tensor().item<std::int64_t>(), next_++);
        } else {
          take_tensor(index.tensor(), next_);
        }
    }
  }
  while (next_ < shape.rank()) take_slice({0, shape[next_], 1});
  finish();
}

void Places::take_position(std::int64_t position, int dim) {
  start_ += position_in(from_[dim], position, dim) * strides_[dim];
}

void Places::take_slice(Slice::Range range) {
  start_ += range.first * strides_[next_];
  (gathered_.empty() ? before_ : after_).push_back({range.count, {range.step * strides_[next_]}});
  ++next_;
}

void Places::take_tensor(const Tensor& index, int dim) {
  apart_ |= !after_.empty();
  if (index.dtype() == int64) {
    gathered_.push_back({checked_positions(index, dim, from_[dim]), strides_[dim]});
    ++next_;
    return;
  }
  throw_if<IndexError>(index.dtype() != boolean,
                       "tensors used as indices must be long, byte or bool tensors\nthis one is ", index.dtype(),
                       ": an int64 tensor holds positions, a boolean one is a mask");
  throw_if<IndexError>(index.dim() == 0, "a mask has at least one dimension, got a 0-dim boolean tensor");
  for (int d = 0; d < index.dim(); ++d) {
    if (dim + d < from_.rank() && index.shape()[d] == from_[dim + d]) continue;
    fail<IndexError>("The shape of the mask ", index.shape(), " at index ", d,
                     " does not match the shape of the indexed tensor ", from_, " at index ", dim + d);
  }
  next_ += index.dim();
  gathered_.push_back({true_positions(index), strides_[next_ - 1]});
}

/// The shape of the result, and the longest runs there are.
void Places::finish() {
  if (apart_ || gathered_.empty()) {
    after_.insert(after_.begin(), before_.begin(), before_.end());
    before_.clear();
  }
  for (const Gathered& g : gathered_) {
    try {
      gathered_shape_ = broadcast_shapes(gathered_shape_, g.positions.shape());
    } catch (const RuntimeError&) {
      const std::string shapes =
          listed(gathered_, [](const Gathered& each) { return to_string(each.positions.shape()); });
      throw IndexError("shape mismatch: indexing tensors could not be broadcast together with shapes " + shapes);
    }
  }
  for (const auto& part : before_) result_.push_back(part.extent);
  for (const std::int64_t extent : gathered_shape_) result_.push_back(extent);
  for (const auto& part : after_) result_.push_back(part.extent);
  while (!after_.empty() && (after_.back().extent == 1 || after_.back().stride[0] == run_)) {
    run_ *= after_.back().extent;
    after_.pop_back();
  }
  count_ = run_ == 0 ? 0 : numel(result_) / run_;
}

Tensor Places::gathered_offsets(const Shape& shape) const {
  if (gathered_.size() == 1 && gathered_[0].stride == 1) return gathered_[0].positions;
  Tensor sum = zeros(shape, int64);
  auto* to = elements<std::int64_t>(sum);
  for (const Gathered& g : gathered_) {
    const Tensor positions = g.positions.shape() == shape ? g.positions : g.positions.expand(shape);
    const auto* from = elements<std::int64_t>(positions);
    for (std::int64_t i = 0, n = sum.numel(); i < n; ++i) to[i] += from[i] * g.stride;
  }
  return sum;
}

Tensor Places::offsets() const {
  Tensor offsets = make_tensor(count_, int64);
  if (count_ == 0) return offsets;
  const auto walk = [](const auto& parts) {
    Walk<1> w;
    for (const auto& [extent, stride] : parts) w.push(extent, stride);
    return w;
  };
  const Walk<1> before = walk(before_), after = walk(after_);
  const Tensor middle = gathered_offsets(gathered_shape_);
  if (start_ == 0 && count_ == middle.numel()) return middle.reshape(count_);
  const auto* at = elements<std::int64_t>(middle);
  auto* to = elements<std::int64_t>(offsets);
  before.for_each(0, before.count(), [&](std::int64_t, auto a) {
    for (std::int64_t i = 0, n = middle.numel(); i < n; ++i) {
      after.for_each(0, after.count(), [&](std::int64_t, auto c) { *to++ = start_ + a[0] + at[i] + c[0]; });
    }
  });
  return offsets;
}

Tensor take_at(const Tensor& x, const Tensor& offsets, std::int64_t run, const Shape& shape, const char* name) {
  Tensor y = make_tensor(shape, x.dtype());
  visit_moved(x.dtype(),
              [&]<class T>(T*) { pair_runs(elements<T>(x), x.numel(), offsets, run, elements<T>(y), read); });
  return recorded(y, name, {x}, keep(offsets), [from = x.shape(), run, name](const Tensor& dy, const Tensor& offsets) {
    return add_at(dy, offsets, run, from, name);
  });
}

Tensor add_at(const Tensor& y, const Tensor& offsets, std::int64_t run, const Shape& shape, const char* name) {
  Tensor x = zeros(shape, y.dtype());
  visit(x.dtype(), [&]<class T>(T*) { pair_runs(elements<T>(x), x.numel(), offsets, run, elements<T>(y), add_back); });
  return recorded(x, name, {y}, keep(offsets), [from = y.shape(), run, name](const Tensor& dx, const Tensor& offsets) {
    return take_at(dx, offsets, run, from, name);
  });
}

Tensor zero_at(const Tensor& x, const Tensor& offsets, std::int64_t run) {
  Tensor y = clone(x.detach());
  visit_moved(y.dtype(), [&]<class T>(T*) {
    T zero{};
    const auto* at = elements<std::int64_t>(offsets);
    for (std::int64_t k = 0; k < offsets.numel(); ++k) std::fill_n(elements<T>(y) + at[k], run, zero);
  });
  return recorded(y, "IndexPutBackward0", {x}, keep(offsets),
                  [run](const Tensor& dy, const Tensor& offsets) { return zero_at(dy, offsets, run); });
}

}  // namespace detail

Tensor Tensor::operator[](const Tensor& index) const {
  check_defined(*this, index);
  return this->index({index});
}

Tensor Tensor::index(std::initializer_list<Index> indices) const {
  check_defined(*this);
  const Places places(shape(), {indices.begin(), indices.size()});
  const char* name = places.by_tensors()        ? "IndexBackward0"
                     : places.ends_with_slice() ? "SliceBackward0"
                                                : "SelectBackward0";
  if (!places.dense()) {
    Tensor y = take_at(*this, places.offsets(), places.run(), places.shape(), name);
    if (!places.by_tensors()) mark_as_copy(y, "x(…)");
    return y;
  }
  Tensor y = part_of(*this, places.shape(), places.start());
  if (tracks(*this)) {
    record(y, name, {*this}, keep(places.offsets()),
           [from = shape(), run = places.run(), name](const Tensor& dy, const Tensor& offsets) {
             return add_at(dy, offsets, run, from, name);
           });
  }
  return y;
}

}  // namespace gradus
