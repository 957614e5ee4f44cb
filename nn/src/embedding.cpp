#include "autograd/record.hpp"
#include "tensor/message.hpp"

#include <gradus/nn/embedding.hpp>
#include <gradus/nn/init.hpp>

namespace gradus::nn {

using namespace gradus::detail;

namespace {

void check_embedding(const Tensor& index, const Tensor& weight) {
  throw_if<RuntimeError>(weight.dim() != 2, "'weight' must be 2-D\nembedding: got the shape ", weight.shape());
  throw_if<RuntimeError>(index.dtype() != int64,
                         "Expected tensor for argument #1 'indices' to have one of the following scalar types: ",
                         "Long, Int; but got torch.", type_name(index.dtype()),
                         "Tensor instead (while checking arguments for embedding)\nconvert it: index.to(int64)");
  throw_if<RuntimeError>(!is_floating(weight.dtype()), "embedding: expected a floating weight, got ", weight.dtype());
  const std::int64_t rows = weight.size(0);
  for (const std::int64_t i : std::span(elements<std::int64_t>(index), static_cast<std::size_t>(index.numel()))) {
    if (i >= 0 && i < rows) continue;
    fail<IndexError>("index out of range in self\nembedding: got the number ", i, " for a weight with rows 0 to ",
                     rows - 1);
  }
}

/// The row meant by padding_idx, which may count from the end.
std::optional<std::int64_t> row_of(std::optional<std::int64_t> padding_idx, std::int64_t rows) {
  if (!padding_idx) return padding_idx;
  throw_if<ValueError>(*padding_idx < -rows || *padding_idx >= rows, "Padding_idx must be within num_embeddings\ngot ",
                       *padding_idx, " of ", rows);
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}

}  // namespace

Tensor functional::embedding(const Tensor& index, const Tensor& weight, std::optional<std::int64_t> padding_idx) {
  check_defined(index, weight);
  check_embedding(index, weight);
  const std::int64_t rows = weight.size(0), width = weight.size(1);
  Shape shape = index.shape();
  shape.push_back(width);
  Tensor y = weight.detach().index_select(0, index.reshape(-1)).reshape(shape);
  return recorded(
      y, "EmbeddingBackward0", {weight}, keep(index),
      [rows, width, padding = row_of(padding_idx, rows)](const Tensor& dy, const Tensor& index, InputGradients& dx) {
        const Tensor kept = padding ? masked_fill(dy, (index == *padding).unsqueeze(-1), 0) : dy;
        dx[0] = index_add(zeros({rows, width}, dy.dtype()), 0, index.reshape(-1), kept.reshape({index.numel(), width}));
      });
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
