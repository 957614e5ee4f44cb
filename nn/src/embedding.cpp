#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <gradus/nn/embedding.hpp>
#include <gradus/nn/init.hpp>

#include <algorithm>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

constexpr std::int64_t no_row = -1;

Tensor add_rows(const Tensor& dy, const Tensor& index, std::int64_t rows, std::int64_t padding);

/// y[i] = weight[index[i]]. The derivative leaves out the row `padding`.
Tensor look_up(const Tensor& weight, const Tensor& index, std::int64_t padding, const char* name) {
  Shape shape = index.shape();
  shape.push_back(weight.size(1));
  Tensor y = make_tensor(shape, weight.dtype());
  const std::int64_t rows = weight.size(0), width = weight.size(1);
  visit_floating(weight.dtype(), [&]<class T>(T*) {
    for (std::int64_t i = 0; i < index.numel(); ++i) {
      std::copy_n(elements<T>(weight) + elements<std::int64_t>(index)[i] * width, width, elements<T>(y) + i * width);
    }
  });
  if (tracks(weight)) {
    record(y, name, {weight}, keep(index), [rows, padding](const Tensor& dy, const Tensor& index, InputGradients& dx) {
      dx[0] = add_rows(dy, index, rows, padding);
    });
  }
  return y;
}

/// dweight[index[i]] += dy[i], but for the row `padding`.
Tensor add_rows(const Tensor& dy, const Tensor& index, std::int64_t rows, std::int64_t padding) {
  const std::int64_t width = dy.size(-1);
  Tensor dweight = zeros({rows, width}, dy.dtype());
  visit_floating(dy.dtype(), [&]<class T>(T*) {
    for (std::int64_t i = 0; i < index.numel(); ++i) {
      const std::int64_t row = elements<std::int64_t>(index)[i];
      if (row == padding) continue;
      T* sum = elements<T>(dweight) + row * width;
      for (std::int64_t j = 0; j < width; ++j) sum[j] += elements<T>(dy)[i * width + j];
    }
  });
  if (tracks(dy)) {
    record(dweight, "EmbeddingDenseBackwardBackward0", {dy}, keep(index),
           [padding](const Tensor& ddweight, const Tensor& index, InputGradients& out) {
             const Tensor rows = look_up(ddweight, index, padding, "EmbeddingBackward0");
             out[0] = padding == no_row ? rows : masked_fill(rows, (index == padding).unsqueeze(-1), 0);
           });
  }
  return dweight;
}

void check(const Tensor& index, const Tensor& weight) {
  if (weight.dim() != 2) throw RuntimeError(message("'weight' must be 2-D\nembedding: got the shape ", weight.shape()));
  if (index.dtype() != int64) {
    throw RuntimeError(message("Expected tensor for argument #1 'indices' to have one of the following scalar types: ",
                               "Long, Int; but got torch.", type_name(index.dtype()),
                               "Tensor instead (while checking arguments for embedding)\nconvert it: index.to(int64)"));
  }
  if (!is_floating(weight.dtype())) {
    throw RuntimeError(message("embedding: expected a floating weight, got ", weight.dtype()));
  }
  const std::int64_t rows = weight.size(0);
  for (const std::int64_t i : std::span(elements<std::int64_t>(index), static_cast<std::size_t>(index.numel()))) {
    if (i >= 0 && i < rows) continue;
    throw IndexError(message("index out of range in self\nembedding: got the number ", i,
                             " for a weight with rows 0 to ", rows - 1));
  }
}

/// The row meant by padding_idx, which may count from the end.
std::optional<std::int64_t> row_of(std::optional<std::int64_t> padding_idx, std::int64_t rows) {
  if (!padding_idx) return padding_idx;
  if (*padding_idx < -rows || *padding_idx >= rows) {
    throw ValueError(message("Padding_idx must be within num_embeddings\ngot ", *padding_idx, " of ", rows));
  }
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}

}  // namespace

Tensor functional::embedding(const Tensor& index, const Tensor& weight, std::optional<std::int64_t> padding_idx) {
  check(index, weight);
  return look_up(weight, index, row_of(padding_idx, weight.size(0)).value_or(no_row), "EmbeddingBackward0");
}

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim, const EmbeddingOptions& options,
                     Generator& generator)
    : weight(empty({num_embeddings, embedding_dim}, options.dtype)),
      padding_idx_(row_of(options.padding_idx, num_embeddings)) {
  init::normal_(weight, 0, 1, generator);
  if (padding_idx_) weight.detach()[*padding_idx_].zero_();
}

std::string Embedding::extra_repr() const {
  const std::string text = message(weight.size(0), ", ", weight.size(1));
  return padding_idx_ ? message(text, ", padding_idx=", *padding_idx_) : text;
}

}  // namespace gradus::nn
