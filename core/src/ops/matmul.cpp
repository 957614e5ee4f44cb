// Products of matrices and vectors. A transposed operand is a flag of the product, never a copy, forwards and
// backwards.
#include "ops/matmul.hpp"

#include "autograd/record.hpp"
#include "ops/gemm.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus {

using namespace detail;

namespace {

/// A matrix, or the transpose of the one that is stored.
struct Operand {
  const Tensor& stored;
  bool transposed = false;
  std::int64_t rows() const { return stored.shape()[transposed ? 1 : 0]; }
  std::int64_t cols() const { return stored.shape()[transposed ? 0 : 1]; }
};

/// y = a b + beta y, outside the graph.
void multiply(Operand a, Operand b, const Tensor& y, int beta = 0) {
  const std::int64_t m = a.rows(), k = a.cols(), n = b.cols();
  if (m == 0 || n == 0) return;
  visit_floating(y.dtype(), [&]<class T>(T*) {
    gemm(a.transposed, b.transposed, m, n, k, elements<T>(a.stored), elements<T>(b.stored), static_cast<T>(beta),
         elements<T>(y));
  });
}

/// a b as a node of its own: the derivative of every product is made of such products.
Tensor product(Operand a, Operand b) {
  Tensor y = make_tensor({a.rows(), b.cols()}, a.stored.dtype());
  multiply(a, b, y);
  if (tracks(a.stored, b.stored)) {
    record(y, "MmBackward0", {a.stored, b.stored},
           keep(tracks(b.stored) ? a.stored : Tensor(), tracks(a.stored) ? b.stored : Tensor()),
           [ta = a.transposed, tb = b.transposed](const Tensor& dy, const Tensor& left, const Tensor& right,
                                                  InputGradients& dx) {
             // da = dy b^T, db = a^T dy; where the operand is stored transposed, so is its gradient.
             if (dx.needs(0)) dx[0] = ta ? product({right, tb}, {dy, true}) : product({dy}, {right, !tb});
             if (dx.needs(1)) dx[1] = tb ? product({dy, true}, {left, ta}) : product({left, !ta}, {dy});
           });
  }
  return y;
}

std::string cannot_multiply(std::int64_t m, std::int64_t k, const Shape& b) {
  return message("mat1 and mat2 shapes cannot be multiplied (", m, "x", k, " and ", b[0], "x", b[1], ")");
}

void check_shapes(const Shape& a, const Shape& b) {
  if (a.empty() || b.empty()) {
    throw RuntimeError(
        message("both arguments to matmul need to be at least 1D, but they are ", a.rank(), "D and ", b.rank(), "D"));
  }
  if (a.rank() > 2 || b.rank() > 2 || a[a.rank() - 1] == b[0]) return;
  if (a.rank() == 2 && b.rank() == 1) {
    throw RuntimeError(message("size mismatch, got ", a[0], ", ", a[0], "x", a[1], ",", b[0]));
  }
  if (a.rank() == 1 && b.rank() == 1) {
    throw RuntimeError(message("inconsistent tensor size, expected tensor ", a, " and src ", b,
                               " to have the same number of elements, but got ", a[0], " and ", b[0],
                               " elements respectively"));
  }
  throw RuntimeError(cannot_multiply(a.rank() == 1 ? 1 : a[0], a[a.rank() - 1], b));
}

}  // namespace

void detail::check_product_dtypes(const Tensor& a, const Tensor& b, const char* op) {
  if (a.dtype() != b.dtype()) {
    throw RuntimeError(message("expected scalar type ", type_name(a.dtype()), " but found ", type_name(b.dtype()), '\n',
                               op, " multiplies tensors of one dtype: convert one with to(dtype)"));
  }
  if (!is_floating(a.dtype())) {
    throw RuntimeError(message(op, " multiplies floating tensors, got ", a.dtype(), "\nconvert first: x.to(float32)"));
  }
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
    record(y, name, {a, b}, keep(tracks(b) ? a : Tensor(), tracks(a) ? b : Tensor()),
           [m, k, n, a_shape = a.shape(), b_shape = b.shape()](const Tensor& dy_, const Tensor& a, const Tensor& b,
                                                               InputGradients& dx) {
             const Tensor dy = dy_.reshape({m, n});
             if (dx.needs(0)) dx[0] = product({dy}, {b.reshape({k, n}), true}).reshape(a_shape);
             if (dx.needs(1)) dx[1] = product({a.reshape({m, k}), true}, {dy}).reshape(b_shape);
           });
  }
  return y;
}

namespace {

/// Number of vectors along the last dimension.
std::int64_t rows_of(Shape shape) {
  shape.erase(shape.rank() - 1);
  return numel(shape);
}

void check_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (weight.dim() != 2) {
    throw RuntimeError(message("linear: expected a weight of shape (outputs, inputs), got ", weight.shape()));
  }
  const Shape& w = weight.shape();
  if (x.dim() == 0) {
    throw RuntimeError(
        "both arguments to matmul need to be at least 1D, but they are 0D and 2D\nlinear: x needs a dimension of "
        "features");
  }
  const std::int64_t k = x.shape()[x.dim() - 1];
  const std::int64_t m = rows_of(x.shape());
  if (k != w[1]) {
    throw RuntimeError(message(cannot_multiply(m, k, {w[1], w[0]}), "\nlinear: x ", x.shape(), " has ", k,
                               " features, weight ", w, " takes ", w[1]));
  }
  check_product_dtypes(x, weight, "linear");
  if (!bias.defined()) return;
  if (bias.dtype() != x.dtype()) {
    throw RuntimeError(
        message("self and mat2 must have the same dtype\nlinear: bias is ", bias.dtype(), ", x is ", x.dtype()));
  }
  if (bias.shape() != Shape{w[0]}) {
    throw RuntimeError(message("The expanded size of the tensor (", w[0], ") must match the existing size (",
                               bias.numel(), ") at non-singleton dimension 1.  Target sizes: ", Shape{m, w[0]},
                               ".  Tensor sizes: ", bias.shape(), "\nlinear: expected a bias of shape ", Shape{w[0]}));
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
  const std::int64_t rows = rows_of(x.shape()), outputs = weight.shape()[0], inputs = weight.shape()[1];
  Shape shape = x.shape();
  shape[x.dim() - 1] = outputs;
  Tensor y = make_tensor(shape, x.dtype());
  if (bias.defined()) {
    visit_floating(x.dtype(), [&]<class T>(T*) {
      for (std::int64_t row = 0; row < rows; ++row) {
        std::copy_n(elements<T>(bias), outputs, elements<T>(y) + row * outputs);
      }
    });
  }
  multiply({part_of(x, {rows, inputs})}, {weight, true}, y, bias.defined());
  if (tracks(x, weight, bias)) {
    record(y, linear_name(x.dim(), bias.defined()), {x, weight, bias},
           keep(tracks(weight) ? x : Tensor(), tracks(x) ? weight : Tensor()),
           [rows, inputs, outputs, shape = x.shape()](const Tensor& dy_, const Tensor& x, const Tensor& weight,
                                                      InputGradients& dx) {
             const Tensor dy = dy_.reshape({rows, outputs});
             if (dx.needs(0)) dx[0] = product({dy}, {weight}).reshape(shape);
             if (dx.needs(1)) dx[1] = product({dy, true}, {x.reshape({rows, inputs})});
             if (dx.needs(2)) dx[2] = sum(dy, 0);
           });
  }
  return y;
}

}  // namespace gradus
