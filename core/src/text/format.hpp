// Elements as text.
#pragma once

#include <gradus/core/print.hpp>

namespace gradus::detail {

struct ElementTexts {
  std::vector<std::string> texts;  // padded on the left to `width`; nan, inf and zeros may be longer
  std::int64_t width = 1;
};

/// The texts of the elements of x at these positions of its row-major order, in a format that suits them all.
ElementTexts element_texts(const Tensor& x, std::span<const std::int64_t> positions, const PrintOptions& options);

/// The brackets and elements of x, which has some, laid out for a first bracket in column `indent`.
std::string elements_text(const Tensor& x, const PrintOptions& options, std::size_t indent);

}  // namespace gradus::detail
