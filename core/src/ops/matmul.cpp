// Products of matrices, of vectors, and of batches of matrices. A transposed operand is a flag of the product, never a
// copy, forwards and backwards.
#include "ops/elementwise.hpp"
#include "ops/gemm.hpp"
#include "ops/views.hpp"

namespace gradus {

using namespace detail;

namespace {

/// The extents of a shape but for the last n.
Shape without_last(int n, const Shape& shape) { return Shape(std::span(shape.begin(), shape.end() - n)); }

/// Matrices (…, rows, cols), or the transposes of those that are stored.
struct Operand {
  const Tensor& stored;
  bool transposed = false;
  const Shape& shape() const { return stored.shape(); }
  std::int64_t rows() const { return from_the_end(transposed ? 1 : 2); }
  std::int64_t cols() const { return from_the_end(transposed ? 2 : 1); }
  std::int64_t from_the_end(int i) const { return shape()[shape().rank() - i]; }
  Shape batch() const { return without_last(2, shape()); }
};

/// y = a b + bias for every matrix of the batches, which broadcast; outside the graph. The bias may be undefined.
void multiply(Operand a, Operand b, const Tensor& y, const Tensor& bias = {}) {
  const std::int64_t m = a.rows(), k = a.cols(), n = b.cols();
  if (m == 0 || n == 0 || y.numel() == 0) return;
  visit_floating(y.dtype(), [&]<class T>(T*) {
    const T *from_a = elements<T>(a.stored), *from_b = elements<T>(b.stored);
    const T* from_bias = elements_or_null<T>(bias);
    T* to = elements<T>(y);
    const auto product = [&](std::int64_t at_a, std::int64_t at_b) {
      gemm(a.transposed, b.transposed, m, n, k, from_a + at_a, from_b + at_b, from_bias, to);
    };
    if (a.shape().rank() == 2 && b.shape().rank() == 2) return product(0, 0);
    const Shape of_a = a.batch(), of_b = b.batch();
    const Walk<2> walk = broadcast_walk<2>(broadcast_shapes(of_a, of_b), {&of_a, &of_b});
    walk.for_each(0, walk.count(), [&](auto, auto at) {
      product(at[0] * m * k, at[1] * k * n);
      to += m * n;
    });
  });
}

/// a b as a node of its own: the derivative of every product is made of such products, da = dy b^T and db = a^T dy.
/// Where an operand is stored transposed, so is its gradient; where it was broadcast, that is summed.
Tensor product(Operand a, Operand b) {
  const bool matrices = a.shape().rank() == 2 && b.shape().rank() == 2;
  Shape shape = matrices ? Shape() : broadcast_shapes(a.batch(), b.batch());
  shape.push_back(a.rows());
  shape.push_back(b.cols());
  Tensor y = make_tensor(shape, a.stored.dtype());
  multiply(a, b, y);
  if (!tracks(a.stored, b.stored)) return y;
  record(y, matrices ? "MmBackward0" : "BmmBackward0", {a.stored, b.stored},
         keep(only_if(tracks(b.stored), a.stored), only_if(tracks(a.stored), b.stored)),
         [ta = a.transposed, tb = b.transposed, a_shape = a.shape(), b_shape = b.shape()](
             const Tensor& dy, const Tensor& a, const Tensor& b, InputGradients& dx) {
           if (dx.needs(0)) {
             dx[0] = sum_to(ta ? product({b, tb}, {dy, true}) : product({dy}, {b, !tb}), a_shape);
           }
           if (dx.needs(1)) {
             dx[1] = sum_to(tb ? product({dy, true}, {a, ta}) : product({a, !ta}, {dy}), b_shape);
           }
         });
  return y;
}

std::string cannot_multiply(std::int64_t m, std::int64_t k, const Shape& b) {
  return message("mat1 and mat2 shapes cannot be multiplied (", m, "x", k, " and ", b[0], "x", b[1], ")");
}

void check_shapes(const Shape& a, const Shape& b) {
  throw_if<RuntimeError>(a.empty() || b.empty(), "both arguments to matmul need to be at least 1D, but they are ",
                         a.rank(), "D and ", b.rank(), "D");
  if (a.rank() > 2 || b.rank() > 2 || a[a.rank() - 1] == b[0]) return;
  throw_if<RuntimeError>(a.rank() == 2 && b.rank() == 1, "size mismatch, got ", a[0], ", ", a[0], "x", a[1], ",", b[0]);
  throw_if<RuntimeError>(a.rank() == 1 && b.rank() == 1, "inconsistent tensor size, expected tensor ", a, " and src ",
                         b, " to have the same number of elements, but got ", a[0], " and ", b[0],
                         " elements respectively");
  throw RuntimeError(cannot_multiply(a.rank() == 1 ? 1 : a[0], a[a.rank() - 1], b));
}

void check_product_dtypes(const Tensor& a, const Tensor& b, const char* op) {
  const Dtype dtype = a.dtype(), other = b.dtype();
  throw_if<RuntimeError>(dtype != other, "expected scalar type ", type_name(dtype), " but found ", type_name(other),
                         '\n', op, " multiplies tensors of one dtype: convert one with to(dtype)");
  throw_if<RuntimeError>(!is_floating(dtype), op, " multiplies floating tensors, got ", dtype,
                         "\nconvert first: x.to(float32)");
}

std::string wrong_first_two(std::int64_t batches, std::int64_t k, const Shape& b) {
  return message("Expected size for first two dimensions of batch2 tensor to be: [", batches, ", ", k, "] but got: [",
                 b.rank() == 3 ? b[0] : batches, ", ", b[b.rank() - 2], "].");
}

/// The text for sizes that do not fit, which in PyTorch tells how the product is composed.
std::string wrong_sizes(const Shape& a, const Shape& b) {
  const std::int64_t k = a[a.rank() - 1], inner = b[b.rank() - 2], columns = inner == 0 ? 0 : numel(b) / inner;
  if (a.rank() == 1) return message("size mismatch, got ", columns, ", ", columns, "x", inner, ",", k);
  if (a.rank() == 2) return cannot_multiply(columns, inner, {k, a[0]});
  return wrong_first_two(numel(without_last(2, a)), k, b);
}

/// matmul where one operand has more than two dimensions; dtypes are checked.
Tensor batch_matmul(const Tensor& a, const Tensor& b) {
  if (b.dim() <= 2) {  // one product: all rows of a, times b
    Shape shape = without_last(1, a.shape());
    const Tensor y = matmul(a.reshape({numel(shape), a.size(-1)}), b);
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

}  // namespace

Tensor bmm(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  throw_if<RuntimeError>(a.dim() != 3, "batch1 must be a 3D tensor\nbmm: it has the shape ", a.shape());
  throw_if<RuntimeError>(b.dim() != 3, "batch2 must be a 3D tensor\nbmm: it has the shape ", b.shape());
  check_product_dtypes(a, b, "bmm");
  const Shape &from = a.shape(), &to = b.shape();
  if (from[0] != to[0] || from[2] != to[1]) {
    throw RuntimeError(wrong_first_two(from[0], from[2], to) + message("\nbmm: ", from, " times ", to));
  }
  return product({a}, {b});
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  check_defined(a, b);
  check_shapes(a.shape(), b.shape());
  check_product_dtypes(a, b, "matmul");
  if (a.dim() > 2 || b.dim() > 2) return batch_matmul(a, b);
  if (a.dim() == 2 && b.dim() == 2) return product({a}, {b});

  // A vector takes part as a matrix of one row, or of one column, that the result does not show.
  const std::int64_t m = a.dim() == 2 ? a.shape()[0] : 1, k = b.shape()[0], n = b.dim() == 2 ? b.shape()[1] : 1;
  Shape shape;
  if (a.dim() == 2) shape.push_back(m);
  if (b.dim() == 2) shape.push_back(n);
  Tensor y = make_tensor(shape, a.dtype());
  multiply({part_of(a, {m, k})}, {part_of(b, {k, n})}, y);
  if (tracks(a, b)) {
    const char* name = a.dim() == 2 ? "MvBackward0" : b.dim() == 2 ? "SqueezeBackward3" : "DotBackward0";
    record(y, name, {a, b}, keep(only_if(tracks(b), a), only_if(tracks(a), b)),
           [m, k, n, a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy_, const Tensor& a, const Tensor& b,
                                                               InputGradients& dx) {
             const Tensor dy = dy_.reshape({m, n});
             if (dx.needs(0)) dx[0] = (n == 1 ? dy * b : product({dy}, {b, true})).reshape(a_shape);
             if (dx.needs(1)) dx[1] = product({a.reshape({m, k}), true}, {dy}).reshape(b_shape);
           });
  }
  return y;
}

namespace {

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  throw_if<RuntimeError>(weight.dim() != 2, "linear: expected a weight of shape (outputs, inputs), got ",
                         weight.shape());
  const Shape& w = weight.shape();
  throw_if<RuntimeError>(
      x.dim() == 0,
      "both arguments to matmul need to be at least 1D, but they are 0D and 2D\nlinear: x needs a dimension of "
      "features");
  const std::int64_t k = x.shape()[x.dim() - 1];
  const auto rows = [&x] { return numel(without_last(1, x.shape())); };
  if (k != w[1]) {
    fail<RuntimeError>(cannot_multiply(rows(), k, {w[1], w[0]}), "\nlinear: x ", x.shape(), " has ", k,
                       " features, weight ", w, " takes ", w[1]);
  }
  check_product_dtypes(x, weight, "linear");
  if (!bias.defined()) return;
  throw_if<RuntimeError>(bias.dtype() != x.dtype(), "self and mat2 must have the same dtype\nlinear: bias is ",
                         bias.dtype(), ", x is ", x.dtype());
  if (bias.dim() != 1 || bias.shape()[0] != w[0]) {
    fail<RuntimeError>("The expanded size of the tensor (", w[0], ") must match the existing size (", bias.numel(),
                       ") at non-singleton dimension 1.  Target sizes: ", Shape{rows(), w[0]},
                       ".  Tensor sizes: ", bias.shape(), "\nlinear: expected a bias of shape ", Shape{w[0]});
  }
}

/// What PyTorch, which composes it of several nodes, calls the last of them.
const char* linear_name(int rank, bool has_bias) {
  if (rank == 1) return has_bias ? "AddBackward0" : "SqueezeBackward3";
  if (rank == 2) return has_bias ? "AddmmBackward0" : "MmBackward0";
  if (rank == 3) return has_bias ? "ViewBackward0" : "UnsafeViewBackward0";
  return has_bias ? "AddBackward0" : "UnsafeViewBackward0";
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_defined(x, weight);
  check_linear(x, weight, bias);
  const std::int64_t outputs = weight.shape()[0], inputs = weight.shape()[1];
  Shape shape = without_last(1, x.shape());
  const std::int64_t rows = numel(shape);
  shape.push_back(outputs);
  Tensor y = make_tensor(shape, x.dtype());
  multiply({x.dim() == 2 ? x : part_of(x, {rows, inputs})}, {weight, true}, y, bias);
  return recorded(y, linear_name(x.dim(), bias.defined()), {x, weight, bias},
                  keep(only_if(tracks(weight), x), only_if(tracks(x), weight)),
                  [rows, inputs, outputs, shape = x.shape()](const Tensor& dy_, const Tensor& x, const Tensor& weight,
                                                             InputGradients& dx) {
                    const bool is_matrix = shape.rank() == 2;
                    const Tensor dy = is_matrix ? dy_ : dy_.reshape({rows, outputs});
                    if (dx.needs(0)) {
                      dx[0] = product({dy}, {weight});
                      if (!is_matrix) dx[0] = dx[0].reshape(shape);
                    }
                    if (dx.needs(1)) dx[1] = product({dy, true}, {is_matrix ? x : x.reshape({rows, inputs})});
                    if (dx.needs(2)) dx[2] = grad_enabled() ? sum(dy, 0) : column_sums(dy);
                  });
}

}  // namespace gradus
