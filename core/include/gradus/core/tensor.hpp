// Tensor: a cheap handle to an n-dimensional array that may take part in a graph.
#pragma once

#include <gradus/core/error.hpp>
#include <gradus/core/ops.hpp>

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gradus {

class Tensor;
class Index;
struct BackwardOptions;

namespace detail {
class Node;
struct TensorImpl;

/// What a handle points to begins with this.
struct TensorHead {
  Dtype dtype;
  std::int64_t numel;
  Shape shape;
};
void retain(TensorHead* impl) noexcept;
void release(TensorHead* impl) noexcept;
[[noreturn]] void refuse_undefined(const char* op, int place = 0, const char* list = "arguments");

/// A hook: a function of these arguments, type-erased without <functional>. What returns nothing gives an undefined
/// tensor.
template <class... Arguments>
struct Hook {
  virtual ~Hook() = default;
  virtual Tensor operator()(Arguments... arguments) = 0;
  bool removed = false;
};
template <class F, class... Arguments>
struct HookOf;
}  // namespace detail

/// A multi-dimensional array of one dtype. Copying a Tensor copies the handle: both see the same elements, like two
/// names of one array in PyTorch. Elements lie contiguous, row-major, aligned to 64 bytes unless the tensor is a part
/// of another one. A default-constructed Tensor is undefined and fits where "no tensor" does, e.g. no bias.
class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& other) noexcept : impl_(other.impl_) { detail::retain(impl_); }
  Tensor(Tensor&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
  /// Another tensor for this handle. To write into a part of one: `x[0].copy_(y)`, `x[0].fill_(7)`; `x[0] = y` would
  /// change nothing but a temporary, and does not compile.
  Tensor& operator=(Tensor other) & noexcept {
    std::swap(impl_, other.impl_);
    return *this;
  }
  ~Tensor() {
    if (impl_) detail::release(impl_);
  }

  // --- what it is
  bool defined() const { return impl_ != nullptr; }
  const Shape& shape() const { return head().shape; }
  int dim() const { return shape().rank(); }
  std::int64_t size(Integer dim) const;  ///< Throws IndexError.
  std::int64_t numel() const { return head().numel; }
  Dtype dtype() const { return head().dtype; }
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }  ///< two handles of one tensor
  bool shares_storage(const Tensor& other) const;
  std::uint32_t version() const;  ///< number of in-place writes to the storage

  // --- the elements
  /// The elements in row-major order, there as long as a handle of the tensor is. Writing through it is not seen by
  /// autograd. Throws TypeError for another dtype, and, unless the handle is const, RuntimeError for what must not be
  /// written to: a copy where PyTorch has a view (see the in-place operations below).
  template <Element T>
  std::span<T> data() & {
    return {static_cast<T*>(data_to_write(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  template <Element T>
  std::span<const T> data() const& {
    return {static_cast<const T*>(data_of(dtype_of<T>)), static_cast<std::size_t>(numel())};
  }
  template <Element T>
  void data() && = delete;  // the elements would be gone: name the tensor, or take to_vector<T>()
  template <Element T>
  void data() const&& = delete;
  /// A copy of the elements, in row-major order. Throws TypeError for another dtype.
  template <Element T>
  std::vector<T> to_vector() const {
    const std::span<const T> all = data<T>();
    return std::vector<T>(all.begin(), all.end());
  }
  /// The only element, converted to T. Throws ValueError unless there is exactly one, RuntimeError when T cannot hold
  /// it.
  template <Number T = double>
  T item() const {
    return item_number().to<T>();
  }

  // --- autograd
  bool requires_grad() const;
  bool is_leaf() const;
  /// Throws RuntimeError for a dtype that is not floating and for a computed tensor (PyTorch's texts).
  Tensor& requires_grad_(bool requires_grad = true);
  Tensor grad() const;  ///< the accumulated gradient, undefined when there is none yet
  /// An undefined gradient clears it. Throws RuntimeError unless shape and dtype are this tensor's.
  void set_grad(Tensor gradient) const;
  std::string grad_fn() const;  ///< name of the operation that computed it, e.g. "MulBackward0"; empty for a leaf
  [[nodiscard]] Tensor detach() const;  ///< same storage, outside the graph
  const Tensor& retain_grad() const;    ///< keep the gradient of a computed tensor in grad()
  void backward() const;
  void backward(const BackwardOptions& options) const;  ///< see autograd.hpp
  /// Calls `f(gradient)` when the gradient of this tensor is known; what it returns, if defined, replaces the gradient.
  /// `f` may return nothing. Throws RuntimeError when the tensor does not require a gradient.
  template <class F>
  void register_hook(F f) const {
    add_hook(std::make_unique<detail::HookOf<F, const Tensor&>>(std::move(f)));
  }

  // --- operations as methods; see ops.hpp
  Tensor operator[](Integer index) const;        ///< select(0, index). Throws IndexError.
  Tensor operator[](const Tensor& index) const;  ///< the rows with these numbers, or where a mask is true
  /// Numbers, Slices, index tensors and masks, one for every dimension: `x(2, 0)`, `x(Slice(), 1)`, `x(rows, columns)`.
  /// Shares storage where the elements are neighbours. Throws IndexError.
  template <class... Indices>
  requires(sizeof...(Indices) > 0) Tensor operator()(const Indices&... indices) const;
  Tensor index(std::initializer_list<Index> indices) const;  ///< the same, as in PyTorch's C++
  Tensor operator-() const { return gradus::neg(*this); }
  Tensor abs() const { return gradus::abs(*this); }
  Tensor square() const { return gradus::square(*this); }
  Tensor sqrt() const { return gradus::sqrt(*this); }
  Tensor rsqrt() const { return gradus::rsqrt(*this); }
  Tensor reciprocal() const { return gradus::reciprocal(*this); }
  Tensor exp() const { return gradus::exp(*this); }
  Tensor log() const { return gradus::log(*this); }
  Tensor log1p() const { return gradus::log1p(*this); }
  Tensor expm1() const { return gradus::expm1(*this); }
  Tensor sin() const { return gradus::sin(*this); }
  Tensor cos() const { return gradus::cos(*this); }
  Tensor erf() const { return gradus::erf(*this); }
  Tensor tanh() const { return gradus::tanh(*this); }
  Tensor sigmoid() const { return gradus::sigmoid(*this); }
  Tensor relu() const { return gradus::relu(*this); }
  Tensor sign() const { return gradus::sign(*this); }
  Tensor floor() const { return gradus::floor(*this); }
  Tensor ceil() const { return gradus::ceil(*this); }
  Tensor round() const { return gradus::round(*this); }
  Tensor pow(Scalar exponent) const { return gradus::pow(*this, exponent); }
  [[nodiscard]] Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt) const {
    return gradus::clamp(*this, min, max);
  }

  Tensor sum() const { return gradus::sum(*this); }
  Tensor sum(Dims dims, bool keepdim = false) const { return gradus::sum(*this, dims, keepdim); }
  Tensor mean() const { return gradus::mean(*this); }
  Tensor mean(Dims dims, bool keepdim = false) const { return gradus::mean(*this, dims, keepdim); }
  Tensor var() const { return gradus::var(*this); }
  /// Not from an int: var(0) is along dimension 0.
  Tensor var(std::same_as<bool> auto unbiased) const { return gradus::var(*this, Dims(), unbiased); }
  Tensor var(Dims dims, bool unbiased = true, bool keepdim = false) const {
    return gradus::var(*this, dims, unbiased, keepdim);
  }
  Tensor std() const { return gradus::std(*this); }
  Tensor std(std::same_as<bool> auto unbiased) const { return gradus::std(*this, Dims(), unbiased); }
  Tensor std(Dims dims, bool unbiased = true, bool keepdim = false) const {
    return gradus::std(*this, dims, unbiased, keepdim);
  }
  Tensor prod() const { return gradus::prod(*this); }
  Tensor prod(Integer dim, bool keepdim = false) const { return gradus::prod(*this, dim, keepdim); }
  Tensor cumsum(Integer dim) const { return gradus::cumsum(*this, dim); }
  Tensor norm(double p = 2) const { return gradus::norm(*this, p); }
  Tensor norm(double p, Dims dims, bool keepdim = false) const { return gradus::norm(*this, p, dims, keepdim); }
  ValuesIndices sort(Integer dim = -1, bool descending = false) const;
  Tensor argsort(Integer dim = -1, bool descending = false) const { return gradus::argsort(*this, dim, descending); }
  ValuesIndices topk(Integer k, Integer dim = -1, bool largest = true) const;
  Tensor max() const { return gradus::max(*this); }
  Tensor min() const { return gradus::min(*this); }
  Maxima max(Integer dim, bool keepdim = false) const;
  Minima min(Integer dim, bool keepdim = false) const;
  Tensor argmax() const { return gradus::argmax(*this); }
  Tensor argmax(Integer dim, bool keepdim = false) const { return gradus::argmax(*this, dim, keepdim); }
  Tensor argmin() const { return gradus::argmin(*this); }
  Tensor argmin(Integer dim, bool keepdim = false) const { return gradus::argmin(*this, dim, keepdim); }
  Tensor all() const { return gradus::all(*this); }
  Tensor all(Integer dim, bool keepdim = false) const { return gradus::all(*this, dim, keepdim); }
  Tensor any() const { return gradus::any(*this); }
  Tensor any(Integer dim, bool keepdim = false) const { return gradus::any(*this, dim, keepdim); }
  Tensor softmax(Integer dim) const { return gradus::softmax(*this, dim); }
  Tensor log_softmax(Integer dim) const { return gradus::log_softmax(*this, dim); }
  Tensor logsumexp(Dims dims, bool keepdim = false) const { return gradus::logsumexp(*this, dims, keepdim); }

  Tensor reshape(Shape shape) const { return gradus::reshape(*this, shape); }
  Tensor view(Shape shape) const { return gradus::view(*this, shape); }
  Tensor flatten(Integer start_dim = 0, Integer end_dim = -1) const {
    return gradus::flatten(*this, start_dim, end_dim);
  }
  Tensor squeeze() const { return gradus::squeeze(*this); }
  Tensor squeeze(Integer dim) const { return gradus::squeeze(*this, dim); }
  Tensor unsqueeze(Integer dim) const { return gradus::unsqueeze(*this, dim); }
  Tensor transpose(Integer dim0, Integer dim1) const { return gradus::transpose(*this, dim0, dim1); }
  Tensor t() const { return gradus::t(*this); }
  Tensor permute(Dims dims) const { return gradus::permute(*this, dims); }
  Tensor expand(Shape shape) const { return gradus::expand(*this, shape); }
  Tensor flip(Dims dims) const { return gradus::flip(*this, dims); }
  std::vector<Tensor> chunk(Integer chunks, Integer dim = 0) const { return gradus::chunk(*this, chunks, dim); }
  std::vector<Tensor> split(Integer size, Integer dim = 0) const { return gradus::split(*this, size, dim); }
  std::vector<Tensor> split(const std::vector<std::int64_t>& sizes, Integer dim = 0) const {
    return gradus::split(*this, sizes, dim);
  }
  std::vector<Tensor> unbind(Integer dim = 0) const { return gradus::unbind(*this, dim); }
  Tensor select(Integer dim, Integer index) const { return gradus::select(*this, dim, index); }
  Tensor narrow(Integer dim, Integer start, Integer length) const { return gradus::narrow(*this, dim, start, length); }
  Tensor index_select(Integer dim, const Tensor& index) const { return gradus::index_select(*this, dim, index); }
  Tensor gather(Integer dim, const Tensor& index) const { return gradus::gather(*this, dim, index); }
  Tensor take_along_dim(const Tensor& index, Integer dim) const { return gradus::take_along_dim(*this, index, dim); }
  Tensor index_add(Integer dim, const Tensor& index, const Tensor& source, Scalar alpha = 1) const {
    return gradus::index_add(*this, dim, index, source, alpha);
  }
  Tensor scatter_add(Integer dim, const Tensor& index, const Tensor& src) const {
    return gradus::scatter_add(*this, dim, index, src);
  }
  Tensor scatter(Integer dim, const Tensor& index, const Tensor& src) const {
    return gradus::scatter(*this, dim, index, src);
  }
  Tensor scatter(Integer dim, const Tensor& index, Scalar value) const {
    return gradus::scatter(*this, dim, index, value);
  }
  [[nodiscard]] Tensor masked_fill(const Tensor& mask, Scalar value) const {
    return gradus::masked_fill(*this, mask, value);
  }
  Tensor matmul(const Tensor& other) const { return gradus::matmul(*this, other); }
  Tensor bmm(const Tensor& other) const { return gradus::bmm(*this, other); }
  Tensor outer(const Tensor& other) const { return gradus::outer(*this, other); }
  [[nodiscard]] Tensor clone() const { return gradus::clone(*this); }
  /// This tensor, as all are contiguous; of what is a copy where PyTorch has a view a copy of its own.
  [[nodiscard]] Tensor contiguous() const;
  [[nodiscard]] Tensor to(Dtype dtype) const { return gradus::to(*this, dtype); }

  // --- in place. Refused, with PyTorch's texts, for a leaf that requires a gradient (unless under NoGradGuard), for a
  // result that does not fit this shape or dtype, and for a view inside a graph; and for a copy where PyTorch has a
  // view (t, transpose, permute, expand, select and narrow but for dimension 0), as the write would not reach the
  // tensor it was taken from. Each counts as one version. Once an operation of a graph has written to a tensor, its
  // views of before are refused where a graph is recorded.
  Tensor& add_(const Tensor& other, Scalar alpha = 1);  ///< this += alpha * other
  Tensor& sub_(const Tensor& other, Scalar alpha = 1);
  Tensor& mul_(const Tensor& other);
  Tensor& div_(const Tensor& other);
  Tensor& add_(Scalar other);
  Tensor& sub_(Scalar other);
  Tensor& mul_(Scalar other);
  Tensor& div_(Scalar other);
  Tensor& zero_();
  Tensor& fill_(Scalar value);
  Tensor& copy_(const Tensor& source);  ///< broadcasts and converts
  /// Writes what `index` would give, differentiably in x and `values`, which are broadcast and converted; with
  /// `accumulate` it is added, however often a place is named: `x.index_put_({Slice(), 2}, 7)` is x[:, 2] = 7.
  Tensor& index_put_(std::initializer_list<Index> indices, const Tensor& values, bool accumulate = false);
  Tensor& index_put_(std::initializer_list<Index> indices, Scalar value, bool accumulate = false);

 private:
  friend detail::TensorImpl* impl_of(const Tensor& x) noexcept;
  friend Tensor adopt(detail::TensorImpl* impl) noexcept;
  void* data_of(Dtype dtype) const;
  void* data_to_write(Dtype dtype);
  Scalar item_number() const;
  void add_hook(std::unique_ptr<detail::Hook<const Tensor&>> hook) const;

  const detail::TensorHead& head(const char* op = __builtin_FUNCTION()) const {
    if (!impl_) [[unlikely]]
      detail::refuse_undefined(op);
    return *impl_;
  }
  detail::TensorHead* impl_ = nullptr;
};

/// What sort and topk, and a maximum or minimum along a dimension, return: `const auto [values, indices] = x.max(1);`.
struct ValuesIndices {
  Tensor values;
  Tensor indices;  ///< int64
};
struct Maxima : ValuesIndices {};
struct Minima : ValuesIndices {};

inline Maxima Tensor::max(Integer dim, bool keepdim) const { return gradus::max(*this, dim, keepdim); }
inline Minima Tensor::min(Integer dim, bool keepdim) const { return gradus::min(*this, dim, keepdim); }
inline ValuesIndices Tensor::sort(Integer dim, bool descending) const { return gradus::sort(*this, dim, descending); }
inline ValuesIndices Tensor::topk(Integer k, Integer dim, bool largest) const {
  return gradus::topk(*this, k, dim, largest);
}

template <class F, class... Arguments>
struct detail::HookOf final : detail::Hook<Arguments...> {
  explicit HookOf(F f) : function(std::move(f)) {}
  Tensor operator()(Arguments... arguments) override {
    if constexpr (std::is_void_v<decltype(function(arguments...))>) {
      function(arguments...);
      return Tensor();
    } else {
      return function(arguments...);
    }
  }
  F function;
};

Tensor var(const Tensor& x, std::same_as<bool> auto unbiased) { return var(x, Dims(), unbiased); }
Tensor std(const Tensor& x, std::same_as<bool> auto unbiased) { return std(x, Dims(), unbiased); }

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, Scalar b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, Scalar b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, Scalar b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, Scalar b) { return div(a, b); }
inline Tensor operator+(Scalar a, const Tensor& b) { return add(b, a); }
inline Tensor operator-(Scalar a, const Tensor& b) { return rsub(a, b); }
inline Tensor operator*(Scalar a, const Tensor& b) { return mul(b, a); }
inline Tensor operator/(Scalar a, const Tensor& b) { return rdiv(a, b); }
inline Tensor& operator+=(Tensor& a, const Tensor& b) { return a.add_(b); }
inline Tensor& operator-=(Tensor& a, const Tensor& b) { return a.sub_(b); }
inline Tensor& operator*=(Tensor& a, const Tensor& b) { return a.mul_(b); }
inline Tensor& operator/=(Tensor& a, const Tensor& b) { return a.div_(b); }
inline Tensor& operator+=(Tensor& a, Scalar b) { return a.add_(b); }
inline Tensor& operator-=(Tensor& a, Scalar b) { return a.sub_(b); }
inline Tensor& operator*=(Tensor& a, Scalar b) { return a.mul_(b); }
inline Tensor& operator/=(Tensor& a, Scalar b) { return a.div_(b); }
namespace detail {
/// Refuses a temporary that nobody else can see: a write to it would be lost.
Tensor& lasting(Tensor&& x);
}  // namespace detail

// `x[0] += y` writes into x. Throw RuntimeError where nobody could see the result, as in `x[mask] += y`.
inline void operator+=(Tensor&& a, const Tensor& b) { detail::lasting(std::move(a)).add_(b); }
inline void operator-=(Tensor&& a, const Tensor& b) { detail::lasting(std::move(a)).sub_(b); }
inline void operator*=(Tensor&& a, const Tensor& b) { detail::lasting(std::move(a)).mul_(b); }
inline void operator/=(Tensor&& a, const Tensor& b) { detail::lasting(std::move(a)).div_(b); }
inline void operator+=(Tensor&& a, Scalar b) { detail::lasting(std::move(a)).add_(b); }
inline void operator-=(Tensor&& a, Scalar b) { detail::lasting(std::move(a)).sub_(b); }
inline void operator*=(Tensor&& a, Scalar b) { detail::lasting(std::move(a)).mul_(b); }
inline void operator/=(Tensor&& a, Scalar b) { detail::lasting(std::move(a)).div_(b); }

// Bits of int64 tensors, truths of boolean ones. Throw RuntimeError for floating ones.
Tensor operator&(const Tensor& a, const Tensor& b);
Tensor operator|(const Tensor& a, const Tensor& b);
Tensor operator^(const Tensor& a, const Tensor& b);
Tensor operator&(const Tensor& a, Scalar b);
Tensor operator|(const Tensor& a, Scalar b);
Tensor operator^(const Tensor& a, Scalar b);
Tensor operator~(const Tensor& x);  ///< Throws TypeError for a floating one.

inline Tensor operator==(const Tensor& a, const Tensor& b) { return eq(a, b); }
inline Tensor operator!=(const Tensor& a, const Tensor& b) { return ne(a, b); }
inline Tensor operator<(const Tensor& a, const Tensor& b) { return lt(a, b); }
inline Tensor operator<=(const Tensor& a, const Tensor& b) { return le(a, b); }
inline Tensor operator>(const Tensor& a, const Tensor& b) { return gt(a, b); }
inline Tensor operator>=(const Tensor& a, const Tensor& b) { return ge(a, b); }
Tensor operator==(const Tensor& a, Scalar b);
Tensor operator!=(const Tensor& a, Scalar b);
Tensor operator<(const Tensor& a, Scalar b);
Tensor operator<=(const Tensor& a, Scalar b);
Tensor operator>(const Tensor& a, Scalar b);
Tensor operator>=(const Tensor& a, Scalar b);

}  // namespace gradus

#include <gradus/core/create.hpp>
#include <gradus/core/index.hpp>
