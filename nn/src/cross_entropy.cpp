// cross_entropy and nll_loss. Logits are (N, C, d…) or (C); class c of a sample lies c steps after its class 0, where a
// step is the product of all d.
#include "arguments.hpp"
#include "kernels/kernels.hpp"
#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"
#include "tensor/message.hpp"

#include <gradus/nn/functional.hpp>

namespace gradus::nn::functional {

using namespace gradus::detail;
using gradus::kernels::exponential, gradus::kernels::split;

namespace {

int class_dim(const Shape& x) { return x.rank() == 1 ? 0 : 1; }
std::int64_t class_count(const Shape& x) { return x[class_dim(x)]; }

std::int64_t class_step(const Shape& x) {
  std::int64_t step = 1;
  for (int d = 2; d < x.rank(); ++d) step *= x[d];
  return step;
}

// --- what must be true of the arguments

void check_target(const Tensor& x, const Tensor& target) {
  const std::int64_t samples = target.dim() == 0 ? 0 : target.size(0);
  throw_if<ValueError>(x.dim() == 0, "Expected 1 or more dimensions (got 0)");
  if (x.dim() > 1 && x.size(0) != samples) {
    fail<ValueError>("Expected input batch_size (", x.size(0), ") to match target batch_size (", samples, ").");
  }
  throw_if<RuntimeError>(x.dim() <= 2 && target.dim() > 1,
                         "0D or 1D target tensor expected, multi-target not supported\n"
                         "class numbers have one dimension less than x, probabilities the shape of x");
  Shape expected = x.shape();
  expected.erase(class_dim(x.shape()));
  if (target.shape() != expected) {
    throw RuntimeError(x.dim() == 1
                           ? message("size mismatch (got input: ", x.shape(), ", target: ", target.shape(), ")")
                           : message("Expected target size ", expected, ", got ", target.shape()));
  }
  throw_if<RuntimeError>(target.dtype() != int64, "expected scalar type Long but found ", type_name(target.dtype()),
                         "\nclass numbers are int64: target.to(int64)");
}

void check_weight(const Tensor& x, const Tensor& weight, const char* prefix = "") {
  if (!weight.defined()) return;
  throw_if<RuntimeError>(weight.shape() != Shape{class_count(x.shape())}, prefix,
                         "weight tensor should be defined either for all ", class_count(x.shape()),
                         " classes or no classes but got weight tensor of shape: ", weight.shape());
}

// --- class numbers

/// Weights of the classes as doubles, 1 where there are none.
class Weights {
 public:
  explicit Weights(const Tensor& weight) : values_(weight.defined() ? weight.detach().to(float64) : weight) {}
  double operator[](std::int64_t c) const { return values_.defined() ? elements<double>(values_)[c] : 1; }

 private:
  Tensor values_;
};

/// Calls f(offset of class 0 in x, class, sample) for every sample that is not ignored.
template <class F>
void for_each_sample(const Shape& x, const Tensor& target, std::int64_t ignore_index, F f) {
  const std::int64_t step = class_step(x), skip = (class_count(x) - 1) * step;
  const std::int64_t* classes = elements<std::int64_t>(target);
  const std::int64_t samples = target.numel();
  for (std::int64_t i = 0, begin = 0; i < samples; begin += skip) {
    for (const std::int64_t end = i + step; i < end; ++i, ++begin) {
      if (classes[i] != ignore_index) f(begin, classes[i], i);
    }
  }
}

/// Checks all arguments. Returns the weight of all samples that are not ignored.
double checked_total(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  check_target(x, target);
  check_weight(x, options.weight);
  require_dtype_of(x, options.weight, "convert the weight to the dtype of x");
  refuse_gradient(x.dim() > 2 ? "nll_loss2d_forward" : "nll_loss_forward", "weight", options.weight);
  const Weights weight(options.weight);
  const std::int64_t classes = class_count(x.shape());
  double total = 0;
  for_each_sample(x.shape(), target, options.ignore_index, [&](std::int64_t, std::int64_t c, std::int64_t) {
    if (c < 0 || c >= classes) {
      fail<IndexError>("Target ", c, " is out of bounds.\nx of shape ", x.shape(), " has the classes 0 to ",
                       classes - 1, "; samples of class ignore_index, ", options.ignore_index, ", take no part");
    }
    total += weight[c];
  });
  return total;
}

/// The loss is linear in the log-probabilities, of the given shape; this is the factor of each, times `scale`.
Tensor coefficients(Dtype dtype, const Shape& shape, const Tensor& target, const CrossEntropyOptions& options,
                    double total, double scale = 1) {
  Tensor k = zeros(shape, dtype);
  const Weights weight(options.weight);
  const std::int64_t classes = class_count(shape), step = class_step(shape);
  const double share = scale * (options.reduction == Reduction::mean ? 1 / total : 1);
  const double hard = share * (1 - options.label_smoothing);
  const bool smooth = options.label_smoothing > 0;
  const double soft = smooth ? share * options.label_smoothing / static_cast<double>(classes) : 0;
  visit_floating(dtype, [&]<class T>(T*) {
    for_each_sample(shape, target, options.ignore_index, [&](std::int64_t begin, std::int64_t c, std::int64_t) {
      T* row = elements<T>(k) + begin;
      for (std::int64_t other = 0; smooth && other < classes; ++other) {
        row[other * step] = static_cast<T>(-soft * weight[other]);
      }
      row[c * step] = static_cast<T>(-soft * weight[c] - hard * weight[c]);
    });
  });
  return k;
}

const char* name_of(const Tensor& x, const CrossEntropyOptions& options) {
  if (options.label_smoothing > 0) return "AddBackward0";  // the sum of a hard and a soft part in PyTorch
  return x.dim() > 2 ? "NllLoss2DBackward0" : "NllLossBackward0";
}

/// Calls f(sample, loss) for every sample that is not ignored: of the loss -weight[y] lp[y] its share, and of the sum
/// over all classes the other one.
template <class T, class F>
void for_each_loss(const Tensor& lp, const Tensor& target, const CrossEntropyOptions& options, F f) {
  const Weights weight(options.weight);
  const std::int64_t classes = class_count(lp.shape()), step = class_step(lp.shape());
  const double s = options.label_smoothing;
  for_each_sample(lp.shape(), target, options.ignore_index,
                  [&](std::int64_t begin, std::int64_t y, std::int64_t sample) {
                    const T* row = elements<T>(lp) + begin;
                    const double hard = -weight[y] * row[y * step];
                    if (s == 0) return f(sample, hard);
                    double soft = 0;
                    for (std::int64_t c = 0; c < classes; ++c) soft -= weight[c] * row[c * step];
                    f(sample, (1 - s) * hard + s / static_cast<double>(classes) * soft);
                  });
}

/// The loss from log-probabilities.
Tensor class_loss(const Tensor& lp, const Tensor& target, const CrossEntropyOptions& options, double total) {
  const bool each = options.reduction == Reduction::none;
  const int dim = class_dim(lp.shape());
  Tensor y = zeros(each ? target.shape() : Shape{}, lp.dtype());
  visit_floating(lp.dtype(), [&]<class T>(T*) {
    T* out = elements<T>(y);
    if (each)
      return for_each_loss<T>(lp, target, options, [&](std::int64_t i, double loss) { out[i] = static_cast<T>(loss); });
    double sum = 0;
    for_each_loss<T>(lp, target, options, [&](std::int64_t, double loss) { sum += loss; });
    *out = static_cast<T>(options.reduction == Reduction::mean ? sum / total : sum);
  });
  if (tracks(lp)) {
    record(y, name_of(lp, options), {lp}, keep(target, options.weight),
           [=, dtype = lp.dtype(), shape = lp.shape(), ignored = options.ignore_index, reduction = options.reduction,
            smoothing = options.label_smoothing](const Tensor& dy, const Tensor& target, const Tensor& weight) {
             const CrossEntropyOptions options{
                 .weight = weight, .ignore_index = ignored, .reduction = reduction, .label_smoothing = smoothing};
             const bool fused = !each && !grad_enabled();
             const Tensor k = coefficients(dtype, shape, target, options, total, fused ? dy.item() : 1);
             return fused ? k : k * (each ? dy.unsqueeze(dim) : dy);
           });
    trace_operand(y, target);
  }
  return y;
}

/// Sum over the rows of log(sum(exp(x))) - x[target]; `logsumexp` (rows) is what backward needs.
template <class T>
double sum_of_losses(const kernels::Classes<T>& classes, double* logsumexp) {
  gradus::kernels::log_sum_exp(logsumexp, classes.x, classes.rows, classes.cols);
  double total = 0;
  for (std::int64_t i = 0; i < classes.rows; ++i) {
    const std::int64_t target = classes.target[i];
    if (target != classes.ignored) total += logsumexp[i] - static_cast<double>(classes.x[i * classes.cols + target]);
  }
  return total;
}

/// mean or sum of logsumexp(x) - x[target], in one pass over x (N, C) and one back: dx = (softmax(x) - onehot(target))
/// dy, times 1 / N for the mean, and 0 in rows that are ignored.
Tensor fused(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options, double total) {
  const Reduction reduction = options.reduction;
  const std::int64_t ignored = options.ignore_index;
  const auto classes_of = [ignored]<class T>(T*, const Tensor& logits, const Tensor& classes) {
    return kernels::Classes<T>{.x = elements<T>(logits),
                               .target = elements<std::int64_t>(classes),
                               .rows = logits.size(0),
                               .cols = logits.size(1),
                               .ignored = ignored};
  };
  const double share = reduction == Reduction::mean ? 1 / total : 1;
  Tensor logsumexps = make_tensor({x.size(0)}, float64);
  const double sum = visit_floating(x.dtype(), [&]<class T>(T* type) {
    return sum_of_losses(classes_of(type, x, target), elements<double>(logsumexps));
  });
  Tensor y = full({}, sum * share, x.dtype());
  if (!tracks(x)) return y;
  record(y, "NllLossBackward0", {x}, keep(x, target, Kept(std::move(logsumexps), "log sum exp x")),
         [=](const Tensor& dy, const Tensor& x, const Tensor& target, const Tensor& logsumexps, InputGradients& dx) {
           if (grad_enabled()) {
             const CrossEntropyOptions options{.ignore_index = ignored, .reduction = reduction};
             const Tensor dlp = coefficients(x.dtype(), x.shape(), target, options, total) * dy;
             dx[0] = dlp - softmax(x, 1) * dlp.sum(1, true);
             return;
           }
           dx[0] = make_tensor(x.shape(), x.dtype());
           visit_floating(x.dtype(), [&, scale = share * dy.item()]<class T>(T* type) {
             const auto logits = classes_of(type, x, target);
             split(logits.rows, logits.cols * exponential, 16, [&](std::int64_t first, std::int64_t last) {
               kernels::chosen<&kernels::Kernels<T>::cross_entropy_backward>()(
                   elements<T>(dx[0]), logits, elements<double>(logsumexps), scale, first, last);
             });
           });
         });
  trace_operand(y, target);
  return y;
}

// --- probabilities

Tensor probability_loss(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  throw_if<RuntimeError>(!is_floating(target.dtype()),
                         "Expected floating point type for target with class probabilities, got ",
                         type_name(target.dtype()), "\nclass numbers have one dimension less than x");
  check_weight(x, options.weight, "cross_entropy: ");
  const int dim = class_dim(x.shape());
  const double s = options.label_smoothing;
  Tensor terms = log_softmax(x, dim);
  terms = terms * (s > 0 ? target * (1 - s) + s / static_cast<double>(class_count(x.shape())) : target);
  if (options.weight.defined()) {
    Shape row;
    for (int d = 0; d < x.dim(); ++d) row.push_back(d == dim ? class_count(x.shape()) : 1);
    terms = terms * options.weight.reshape(row);
  }
  if (options.reduction == Reduction::none) return -terms.sum(dim);
  Tensor total = -terms.sum();
  if (options.reduction == Reduction::sum) return total;
  const double samples = static_cast<double>(x.numel()) / static_cast<double>(class_count(x.shape()));
  Tensor y = total.detach() / samples;
  return recorded(y, "DivBackward1", {total}, [samples](const Tensor& dy) { return dy / samples; });
}

}  // namespace

Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options) {
  check_defined(x, target);
  throw_if<RuntimeError>(!(options.label_smoothing >= 0 && options.label_smoothing <= 1),
                         "label_smoothing must be between 0.0 and 1.0. Got: ", options.label_smoothing);
  if (x.dim() > 0 && x.shape() == target.shape()) return probability_loss(x, target, options);
  const double total = checked_total(x, target, options);
  const bool plain =
      x.dim() == 2 && is_floating(x.dtype()) && !options.weight.defined() && options.label_smoothing == 0;
  if (plain && options.reduction != Reduction::none) return fused(x, target, options, total);
  return class_loss(log_softmax(x, class_dim(x.shape())), target, options, total);
}

Tensor nll_loss(const Tensor& log_probabilities, const Tensor& target, const NllOptions& options) {
  check_defined(log_probabilities, target);
  require_floating("nll_loss_out_frame", log_probabilities.dtype());
  const CrossEntropyOptions all{
      .weight = options.weight, .ignore_index = options.ignore_index, .reduction = options.reduction};
  return class_loss(log_probabilities, target, all, checked_total(log_probabilities, target, all));
}

}  // namespace gradus::nn::functional
