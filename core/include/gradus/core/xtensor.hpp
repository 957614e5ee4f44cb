// Tensors in expressions of xtensor, and back. Only this header includes xtensor, so <gradus/gradus.hpp> leaves it out.
// It brings arrays, views, functions and sorting along, wherever the installed version of xtensor has their headers.
#pragma once

#include <gradus/core/create.hpp>

#include <algorithm>
#if __has_include(<xtensor/containers/xarray.hpp>)  // since xtensor 0.26
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xbuffer_adaptor.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/misc/xsort.hpp>
#include <xtensor/views/xbroadcast.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xbroadcast.hpp>
#include <xtensor/xbuffer_adaptor.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xsort.hpp>
#include <xtensor/xview.hpp>
#endif

namespace gradus {
namespace detail {

/// What xtensor calls when it is done with a buffer; the handle inside keeps the elements alive until then.
struct KeepAlive {
  Tensor tensor;
  void operator()() const {}
};

template <class T>
using XtensorBuffer = xt::xbuffer_adaptor<T*, xt::smart_ownership, KeepAlive>;
template <class T>
using XtensorAdaptor = xt::xarray_adaptor<XtensorBuffer<T>, xt::layout_type::row_major, xt::dynamic_shape<std::size_t>>;

template <class T, class SomeTensor>
XtensorBuffer<T> buffer(SomeTensor& x) {
  const auto elements = x.template data<std::remove_const_t<T>>();
  return {elements.data(), elements.size(), KeepAlive{x}};
}

inline xt::dynamic_shape<std::size_t> extents(const Tensor& x) { return {x.shape().begin(), x.shape().end()}; }

template <class Expression>
Shape shape_of(const Expression& e) {
  const std::vector<std::int64_t> extents(e.shape().begin(), e.shape().end());
  return Shape(extents);
}

}  // namespace detail

template <Element T>
class XtensorView;

}  // namespace gradus

namespace xt {

template <class T>
struct xcontainer_inner_types<gradus::XtensorView<T>> : xcontainer_inner_types<gradus::detail::XtensorAdaptor<T>> {};
template <class T>
struct xiterable_inner_types<gradus::XtensorView<T>> : xcontainer_iterable_types<gradus::XtensorView<T>> {};

}  // namespace xt

namespace gradus {

/// A tensor as an array of xtensor: it shares the elements and keeps them alive. Assigning to it writes the elements,
/// and what is assigned broadcasts to the shape of the tensor. Autograd does not see it.
template <Element T>
class XtensorView : public xt::xstrided_container<XtensorView<T>>, public xt::xcontainer_semantic<XtensorView<T>> {
 public:
  using allocator_type = std::allocator<T>;
  using expression_tag = xt::xtensor_expression_tag;

  explicit XtensorView(Tensor& x) : storage_(detail::buffer<T>(x)) {
    this->resize(detail::extents(x), xt::layout_type::row_major);
  }
  XtensorView(const XtensorView&) = default;

  XtensorView& operator=(const XtensorView& values) { return write(values); }
  /// Throws RuntimeError when the values do not broadcast to this shape.
  template <class E>
  XtensorView& operator=(const xt::xexpression<E>& values) {
    return write(values.derived_cast());
  }
  XtensorView& operator=(T value) {
    this->fill(value);
    return *this;
  }

 private:
  friend class xt::xcontainer<XtensorView>;
  detail::XtensorBuffer<T>& storage_impl() noexcept { return storage_; }
  const detail::XtensorBuffer<T>& storage_impl() const noexcept { return storage_; }

  template <class E>
  XtensorView& write(const E& values) {
    const Shape mine = detail::shape_of(*this);
    const Shape common = broadcast_shapes(mine, detail::shape_of(values));
    if (common != mine) {
      throw RuntimeError("output with shape " + to_string(mine) + " doesn't match the broadcast shape " +
                         to_string(common));
    }
    const xt::xarray<T> all = xt::broadcast(values, this->shape());  // first: they may be read from here
    std::copy(all.begin(), all.end(), this->begin());
    return *this;
  }

  detail::XtensorBuffer<T> storage_;
};

/// x in an expression of xtensor, without a copy: `as_xtensor<float>(x) = xt::exp(as_xtensor<float>(y))`.
/// Throws TypeError when x has another dtype than T.
template <Element T>
XtensorView<T> as_xtensor(Tensor& x) {
  return XtensorView<T>(x);
}
template <Element T>
detail::XtensorAdaptor<const T> as_xtensor(const Tensor& x) {  // to read from
  return {detail::buffer<const T>(x), detail::extents(x)};
}

/// The values of any expression or container of xtensor in a new tensor. Integers become int64.
template <class E>
Tensor from_xtensor(const xt::xexpression<E>& values) {
  using From = std::remove_cv_t<typename E::value_type>;
  static_assert(Number<From> && sizeof(From) <= 8, "a tensor holds numbers of at most 64 bits");
  using T = std::conditional_t<std::is_integral_v<From> && !std::is_same_v<From, bool>, std::int64_t, From>;
  const E& expression = values.derived_cast();
  Tensor x = empty(detail::shape_of(expression), dtype_of<T>);
  XtensorView<T> elements(x);
  xt::noalias(elements) = expression;
  return x;
}

}  // namespace gradus
