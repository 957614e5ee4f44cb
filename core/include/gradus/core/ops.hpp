// The operations: every function that makes tensors out of tensors, one sentence each. Those a user expects as methods
// (`x.sum(0)`) are methods of Tensor too. Unless said otherwise an operation is differentiable, to any order, and
// returns a new contiguous tensor; dtypes promote, int64 wraps around and shapes broadcast as in PyTorch. All throw
// RuntimeError for shapes or dtypes that do not fit and IndexError for a dimension out of range.
#pragma once

#include <gradus/core/dtype.hpp>
#include <gradus/core/shape.hpp>

#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

namespace gradus {

class Tensor;
struct Maxima;
struct Minima;
struct ValuesIndices;

// --- elementwise, two operands
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);  ///< true division: int64 / int64 is float32
Tensor pow(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, const Tensor& b);  ///< NaN wins; where equal, each gets half of the gradient
Tensor minimum(const Tensor& a, const Tensor& b);
Tensor maximum(const Tensor& a, Scalar b);
Tensor maximum(Scalar a, const Tensor& b);
Tensor minimum(const Tensor& a, Scalar b);
Tensor minimum(Scalar a, const Tensor& b);
Tensor add(const Tensor& a, Scalar b);
Tensor sub(const Tensor& a, Scalar b);
Tensor mul(const Tensor& a, Scalar b);
Tensor div(const Tensor& a, Scalar b);
Tensor pow(const Tensor& a, Scalar exponent);
Tensor pow(Scalar base, const Tensor& exponent);
Tensor rsub(Scalar a, const Tensor& b);  ///< a - b
Tensor rdiv(Scalar a, const Tensor& b);  ///< a / b

// --- elementwise, one operand
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);     ///< gradient 0 at 0
Tensor square(const Tensor& x);  ///< x^2
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);  ///< 1 / sqrt(x)
Tensor reciprocal(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor log1p(const Tensor& x);  ///< log(1 + x), exact for small x
Tensor expm1(const Tensor& x);  ///< exp(x) - 1, exact for small x
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor relu(const Tensor& x);  ///< max(x, 0), gradient 0 at 0
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
Tensor gelu(const Tensor& x);      ///< x Phi(x), the exact form (Hendrycks & Gimpel 2016, section 2)
Tensor softplus(const Tensor& x);  ///< log(1 + exp(x)); linear above 20, as PyTorch
Tensor sign(const Tensor& x);      ///< -1, 0 or 1; gradient 0, as of the next three
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x);  ///< halves to even
Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max = std::nullopt);

// --- comparison and choice; results are boolean and carry no gradient
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor isnan(const Tensor& x);
Tensor isfinite(const Tensor& x);
Tensor logical_and(const Tensor& a, const Tensor& b);  ///< any dtype: what is not 0 is true
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& x);
/// `a` where `condition` (boolean) is true, else `b`; all three broadcast. Differentiable in a and b.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, Scalar b);
Tensor where(const Tensor& condition, Scalar a, const Tensor& b);
Tensor where(const Tensor& condition, Scalar a, Scalar b);
bool equal(const Tensor& a, const Tensor& b);  ///< same shape and every element equal
bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8, bool equal_nan = false);

// --- reductions: over all elements, or over `dims` (negative ones count from the end)
Tensor sum(const Tensor& x);  ///< accumulated in double; int64 for int64 and boolean
Tensor sum(const Tensor& x, Dims dims, bool keepdim = false);
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, Dims dims, bool keepdim = false);
/// sum((x - mean)^2) / (n - 1), or / n with `unbiased = false`; two passes with double accumulators.
Tensor var(const Tensor& x);
Tensor var(const Tensor& x, std::same_as<bool> auto unbiased);  ///< not from an int: var(x, 0) is along dimension 0
Tensor var(const Tensor& x, Dims dims, bool unbiased = true, bool keepdim = false);
Tensor std(const Tensor& x);
Tensor std(const Tensor& x, std::same_as<bool> auto unbiased);
Tensor std(const Tensor& x, Dims dims, bool unbiased = true, bool keepdim = false);
Tensor prod(const Tensor& x);  ///< int64 for int64 and boolean
Tensor prod(const Tensor& x, Integer dim, bool keepdim = false);
Tensor cumsum(const Tensor& x, Integer dim);  ///< sums up to and with each element; int64 for int64 and boolean
/// (sum of |x|^p)^(1/p); p = infinity is the largest magnitude, 0 the number of elements that are not 0. Where it is 0,
/// so is its gradient.
Tensor norm(const Tensor& x, double p = 2);
Tensor norm(const Tensor& x, double p, Dims dims, bool keepdim = false);
Tensor max(const Tensor& x);  ///< the gradient is shared evenly among equal maxima, as PyTorch
Tensor min(const Tensor& x);
Maxima max(const Tensor& x, Integer dim, bool keepdim = false);  ///< gradient to the index returned
Minima min(const Tensor& x, Integer dim, bool keepdim = false);
Tensor argmax(const Tensor& x);  ///< int64; the first of equal maxima; NaN counts as the largest
Tensor argmax(const Tensor& x, Integer dim, bool keepdim = false);
Tensor argmin(const Tensor& x);
Tensor argmin(const Tensor& x, Integer dim, bool keepdim = false);
Tensor all(const Tensor& x);
Tensor all(const Tensor& x, Integer dim, bool keepdim = false);
Tensor any(const Tensor& x);
Tensor any(const Tensor& x, Integer dim, bool keepdim = false);
/// In ascending or descending order along `dim`, with the places in x; NaN is the largest, equal ones keep their order.
ValuesIndices sort(const Tensor& x, Integer dim = -1, bool descending = false);
Tensor argsort(const Tensor& x, Integer dim = -1, bool descending = false);
/// The k largest (or smallest) along `dim`, the first one first.
ValuesIndices topk(const Tensor& x, Integer k, Integer dim = -1, bool largest = true);
Tensor logsumexp(const Tensor& x, Dims dims, bool keepdim = false);
Tensor softmax(const Tensor& x, Integer dim);
Tensor log_softmax(const Tensor& x, Integer dim);

// --- shape
Tensor reshape(const Tensor& x, Shape shape);  ///< one extent may be -1; shares storage
Tensor view(const Tensor& x, Shape shape);     ///< as reshape
Tensor flatten(const Tensor& x, Integer start_dim = 0, Integer end_dim = -1);
Tensor squeeze(const Tensor& x);
Tensor squeeze(const Tensor& x, Integer dim);
Tensor unsqueeze(const Tensor& x, Integer dim);
Tensor transpose(const Tensor& x, Integer dim0, Integer dim1);  ///< copies
Tensor t(const Tensor& x);                                      ///< of a matrix; vectors stay
Tensor permute(const Tensor& x, Dims dims);
Tensor expand(const Tensor& x, Shape shape);  ///< -1 keeps an extent; copies
Tensor flip(const Tensor& x, Dims dims);      ///< reverses these dimensions
Tensor cat(std::span<const Tensor> tensors, Integer dim = 0);
Tensor cat(std::initializer_list<Tensor> tensors, Integer dim = 0);
Tensor stack(std::span<const Tensor> tensors, Integer dim = 0);
Tensor stack(std::initializer_list<Tensor> tensors, Integer dim = 0);

/// Parts along `dim`: as many as asked for, of one size but the last, or of these sizes. Those of dim 0 share storage.
std::vector<Tensor> chunk(const Tensor& x, Integer chunks, Integer dim = 0);
std::vector<Tensor> split(const Tensor& x, Integer size, Integer dim = 0);
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes, Integer dim = 0);
std::vector<Tensor> unbind(const Tensor& x, Integer dim = 0);  ///< every select(dim, i)

// --- indexing; index.hpp has the rest of it
/// x[i] is select(x, 0, i); dim 0 shares storage.
Tensor select(const Tensor& x, Integer dim, Integer index);
Tensor narrow(const Tensor& x, Integer dim, Integer start, Integer length);  ///< dim 0 shares storage
Tensor index_select(const Tensor& x, Integer dim, const Tensor& index);
Tensor gather(const Tensor& x, Integer dim, const Tensor& index);
Tensor take_along_dim(const Tensor& x, const Tensor& index);               ///< of all elements
Tensor take_along_dim(const Tensor& x, const Tensor& index, Integer dim);  ///< gather, with broadcasting
/// x with alpha times the slices of `source` added to those of x at `index`, a vector; they may repeat.
Tensor index_add(const Tensor& x, Integer dim, const Tensor& index, const Tensor& source, Scalar alpha = 1);
/// x with src[i][j] added at (index[i][j], j) for dim 0, at (i, index[i][j]) for dim 1, …: the reverse of gather.
Tensor scatter_add(const Tensor& x, Integer dim, const Tensor& index, const Tensor& src);
Tensor scatter(const Tensor& x, Integer dim, const Tensor& index, const Tensor& src);  ///< written, not added
Tensor scatter(const Tensor& x, Integer dim, const Tensor& index, Scalar value);
Tensor one_hot(const Tensor& x, std::int64_t num_classes = -1);  ///< int64 (…, num_classes), by default max + 1
Tensor masked_fill(const Tensor& x, const Tensor& mask, Scalar value);

// --- products
/// Matrix product of tensors of one floating dtype: of matrices, of vectors, which take part as a row or a column, and
/// of batches of matrices (…, M, K) @ (…, K, N), which broadcast.
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);    ///< (B, M, K) @ (B, K, N)
Tensor outer(const Tensor& a, const Tensor& b);  ///< of two vectors: a[i] b[j]

// --- fused layers: one node each; nn::functional documents them
/// y = x weight^T + bias. x (…, K), weight (O, K), bias (O) or undefined; y (…, O). Saves x and weight.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

// --- copies
Tensor clone(const Tensor& x);
Tensor to(const Tensor& x, Dtype dtype);  ///< x itself when it has that dtype already

}  // namespace gradus
