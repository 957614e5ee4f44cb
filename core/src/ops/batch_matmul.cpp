// Products of batches of matrices: bmm, and matmul of more than two dimensions.
#include "ops/elementwise.hpp"
#include "ops/gemm.hpp"
#include "ops/matmul.hpp"
#include "ops/reshape.hpp"

namespace gradus {

using namespace detail;

namespace {

/// A batch of matrices (…, rows, cols), or the transposes of those that are stored.
struct Batch {
  const Tensor& stored;
  bool transposed = false;
  std::int64_t rows() const { return stored.size(transposed ? -1 : -2); }
  std::int64_t cols() const { return stored.size(transposed ? -2 : -1); }
  Shape shape() const {  // without the matrices
    Shape shape = stored.shape();
    shape.erase(shape.rank() - 1);
    shape.erase(shape.rank() - 1);
    return shape;
  }
};

/// y = a b for every matrix of the batches, which broadcast; outside the graph.
void multiply(const Batch& a, const Batch& b, const Tensor& y, const Shape& batch) {
  const std::int64_t m = a.rows(), k = a.cols(), n = b.cols();
  const Shape of_a = a.shape(), of_b = b.shape();
  const Walk<2> walk = broadcast_walk<2>(batch, {&of_a, &of_b});
  visit_floating(y.dtype(), [&]<class T>(T*) {
    T* to = elements<T>(y);
    walk.for_each(0, walk.count(), [&](auto, auto at) {
      gemm(a.transposed, b.transposed, m, n, k, elements<T>(a.stored) + at[0] * m * k,
           elements<T>(b.stored) + at[1] * k * n, T{0}, to);
      to += m * n;
    });
  });
}

/// a b as one node; the derivative is made of such products.
Tensor product(const Batch& a, const Batch& b) {
  const Shape batch = broadcast_shapes(a.shape(), b.shape());
  Shape shape = batch;
  shape.push_back(a.rows());
  shape.push_back(b.cols());
  Tensor y = make_tensor(shape, a.stored.dtype());
  if (y.numel() > 0) multiply(a, b, y, batch);
  if (tracks(a.stored, b.stored)) {
    record(y, "BmmBackward0", {a.stored, b.stored},
           keep(tracks(b.stored) ? a.stored : Tensor(), tracks(a.stored) ? b.stored : Tensor()),
           [ta = a.transposed, tb = b.transposed, a_shape = a.stored.shape(), b_shape = b.stored.shape()](
               const Tensor& dy, const Tensor& a, const Tensor& b, InputGradients& dx) {
             // da = dy b^T, db = a^T dy; where the operand is stored transposed, so is its gradient.
             if (dx.needs(0)) dx[0] = sum_to(ta ? product({b, tb}, {dy, true}) : product({dy}, {b, !tb}), a_shape);
             if (dx.needs(1)) dx[1] = sum_to(tb ? product({dy, true}, {a, ta}) : product({a, !ta}, {dy}), b_shape);
           });
  }
  return y;
}

std::string wrong_first_two(std::int64_t batches, std::int64_t k, const Shape& b) {
  return message("Expected size for first two dimensions of batch2 tensor to be: [", batches, ", ", k, "] but got: [",
                 b.rank() == 3 ? b[0] : batches, ", ", b[b.rank() - 2], "].");
}

/// The text for sizes that do not fit, which in PyTorch tells how the product is composed.
std::string wrong_sizes(const Shape& a, const Shape& b) {
  const std::int64_t k = a[a.rank() - 1], inner = b[b.rank() - 2], columns = inner == 0 ? 0 : numel(b) / inner;
  if (a.rank() == 1) return message("size mismatch, got ", columns, ", ", columns, "x", inner, ",", k);
  if (a.rank() == 2) {
    return message("mat1 and mat2 shapes cannot be multiplied (", columns, "x", inner, " and ", k, "x", a[0], ")");
  }
  Shape batch = a;
  batch.erase(a.rank() - 1);
  batch.erase(a.rank() - 2);
  return wrong_first_two(numel(batch), k, b);
}

}  // namespace

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  if (a.dim() != 3) throw RuntimeError(message("batch1 must be a 3D tensor\nbmm: it has the shape ", a.shape()));
  if (b.dim() != 3) throw RuntimeError(message("batch2 must be a 3D tensor\nbmm: it has the shape ", b.shape()));
  check_product_dtypes(a, b, "bmm");
  const Shape &from = a.shape(), &to = b.shape();
  if (from[0] != to[0] || from[2] != to[1]) {
    throw RuntimeError(wrong_first_two(from[0], from[2], to) + message("\nbmm: ", from, " times ", to));
  }
  return product({a}, {b});
}

Tensor detail::batch_matmul(const Tensor& a, const Tensor& b) {
  if (b.dim() <= 2) {  // one product: all rows of a, times b
    Shape shape = a.shape();
    const std::int64_t k = shape[shape.rank() - 1];
    shape.erase(shape.rank() - 1);
    const Tensor y = matmul(a.reshape({numel(shape), k}), b);
    if (b.dim() == 2) shape.push_back(b.shape()[1]);
    return reshaped(y, shape, "UnsafeViewBackward0");
  }
  if (a.size(-1) != b.size(-2)) {
    throw RuntimeError(wrong_sizes(a.shape(), b.shape()) + message("\nmatmul: ", a.shape(), " times ", b.shape()));
  }
  const Tensor y = a.dim() == 1 ? product({a.reshape({1, -1})}, {b}) : product({a}, {b});
  Shape shape = y.shape();
  if (a.dim() == 1) shape.erase(shape.rank() - 2);
  return reshaped(y, shape, a.dim() == 2 ? "CloneBackward0" : "UnsafeViewBackward0");
}

}  // namespace gradus
