#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/nn/flatten.hpp>

namespace gradus::nn {

using detail::message, detail::throw_if;

Tensor Unflatten::forward(const Tensor& x) const {
  detail::check_defined(x, "unflatten");
  const int dim = normalize_dim(dim_, x.dim());
  const std::int64_t size = x.size(dim);
  std::int64_t product = 1;
  bool open = false;
  for (const std::int64_t s : sizes_) {
    if (s != -1 || open) product *= s;
    open = open || s == -1;
  }
  throw_if<RuntimeError>(product < 0 || (open ? product == 0 || size % product != 0 : product != size),
                         "unflatten: Provided sizes ", sizes_, " don't multiply up to the size of dim ", dim, " (",
                         size, ") in the input tensor");
  Shape shape;
  for (int d = 0; d < x.dim(); ++d) {
    if (d != dim) shape.push_back(x.shape()[d]);
    for (int i = 0; d == dim && i < sizes_.rank(); ++i) shape.push_back(sizes_[i] == -1 ? size / product : sizes_[i]);
  }
  return x.view(shape);
}

std::string Unflatten::extra_repr() const {
  return message("dim=", dim_, ", unflattened_size=", detail::tuple_text(sizes_));
}

}  // namespace gradus::nn
