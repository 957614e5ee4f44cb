// Where the elements of a tensor go on the page, after torch/_tensor_str.py of PyTorch.
#include "tensor/message.hpp"
#include "text/format.hpp"

#include <gradus/core/print.hpp>

#include <algorithm>
#include <mutex>
#include <ostream>

namespace gradus {
namespace {

std::mutex options_mutex;
PrintOptions current_options;

constexpr std::string_view prefix = "tensor(";

const PrintOptions& checked(const PrintOptions& options) {
  detail::throw_if<ValueError>(
      options.precision < 0 || options.threshold < 0 || options.edgeitems < 0 || options.linewidth < 0,
      "PrintOptions: expected no negative number, got precision ", options.precision, ", threshold ", options.threshold,
      ", edgeitems ", options.edgeitems, ", linewidth ", options.linewidth);
  return options;
}

class Elements {
 public:
  Elements(const Tensor& x, const PrintOptions& options, std::size_t indent)
      : shape_(x.shape()), options_(options), in_part_(x.numel() > options.threshold) {
    find_shown(0, 0);
    elements_ = detail::element_texts(x, positions_, options);
    write(0, indent);
  }
  std::string text() && { return std::move(text_); }

 private:
  static constexpr std::int64_t gap = -1;

  /// The indices of one dimension that are shown, in order, and a gap for those that are left out.
  std::vector<std::int64_t> shown(int dim) const {
    const std::int64_t extent = shape_[dim];
    const std::int64_t edge = options_.edgeitems;
    const bool cut = in_part_ && edge < extent - edge;
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < (cut ? edge : extent); ++i) indices.push_back(i);
    if (!cut) return indices;
    indices.push_back(gap);
    for (std::int64_t i = extent - edge; i < extent; ++i) indices.push_back(i);
    return indices;
  }

  void find_shown(int dim, std::int64_t position) {
    if (dim == shape_.rank()) return positions_.push_back(position);
    for (std::int64_t i : shown(dim)) {
      if (i != gap) find_shown(dim + 1, position * shape_[dim] + i);
    }
  }

  void write(int dim, std::size_t indent) {
    if (dim == shape_.rank()) {
      text_ += elements_.texts[written_++];
      return;
    }
    text_ += '[';
    if (dim == shape_.rank() - 1) {
      write_row(dim, indent);
    } else {
      write_slices(dim, indent);
    }
    text_ += ']';
  }

  void write_row(int dim, std::size_t indent) {
    const std::int64_t room = options_.linewidth - static_cast<std::int64_t>(indent);
    const std::int64_t per_line = std::max<std::int64_t>(1, room / (elements_.width + 2));
    std::int64_t count = 0;
    for (std::int64_t i : shown(dim)) {
      if (count > 0) text_ += count % per_line ? ", " : ",\n" + std::string(indent + 1, ' ');
      text_ += i == gap ? " ..." : elements_.texts[written_++];
      ++count;
    }
  }

  void write_slices(int dim, std::size_t indent) {
    const auto line_breaks = static_cast<std::size_t>(shape_.rank() - dim - 1);
    const std::string separator = "," + std::string(line_breaks, '\n') + std::string(indent + 1, ' ');
    bool first = true;
    for (std::int64_t i : shown(dim)) {
      if (!std::exchange(first, false)) text_ += separator;
      if (i == gap) {
        text_ += "...";
      } else {
        write(dim + 1, indent + 1);
      }
    }
  }

  const Shape shape_;
  const PrintOptions& options_;
  const bool in_part_;
  std::vector<std::int64_t> positions_;  // of the elements that are shown
  detail::ElementTexts elements_;
  std::size_t written_ = 0;  // of elements_
  std::string text_;
};

}  // namespace

std::string detail::elements_text(const Tensor& x, const PrintOptions& options, std::size_t indent) {
  return Elements(x, checked(options), indent).text();
}

namespace {

/// What follows the elements: "dtype=torch.float64", "grad_fn=<MulBackward0>", …
std::vector<std::string> suffixes_of(const Tensor& x) {
  std::vector<std::string> suffixes;
  const bool empty = x.numel() == 0;
  if (empty && x.dim() != 1) suffixes.push_back("size=" + detail::tuple_text(x.shape()));
  // Elements tell int64 from float32 and bool; without any, all but the default dtype is named.
  if (empty ? x.dtype() != float32 : x.dtype() == float64) {
    suffixes.push_back(detail::message("dtype=torch.", x.dtype()));
  }
  if (!x.is_leaf()) {
    suffixes.push_back("grad_fn=<" + x.grad_fn() + ">");
  } else if (x.requires_grad()) {
    suffixes.emplace_back("requires_grad=True");
  }
  return suffixes;
}

}  // namespace

void set_printoptions(const PrintOptions& options) {
  const std::lock_guard lock(options_mutex);
  current_options = checked(options);
}

PrintOptions print_options() {
  const std::lock_guard lock(options_mutex);
  return current_options;
}

std::string to_string(const Tensor& x) { return to_string(x, print_options()); }

std::string to_string(const Tensor& x, const PrintOptions& options) {
  if (!x.defined()) return "None";
  std::string text(prefix);
  text += x.numel() == 0 ? "[]" : detail::elements_text(x, options, prefix.size());
  // PyTorch starts counting two columns to the right and restarts at the true one.
  std::size_t column = text.size() - (text.rfind('\n') + 1) + 2;
  for (const std::string& suffix : suffixes_of(x)) {
    const bool fits = column + suffix.size() + 2 <= static_cast<std::size_t>(options.linewidth);
    text += fits ? ", " : ",\n" + std::string(prefix.size(), ' ');
    text += suffix;
    column = fits ? column + suffix.size() + 2 : prefix.size() + suffix.size();
  }
  return text + ")";
}

namespace {

std::string pair_text(const char* operation, const ValuesIndices& pair) {
  return detail::message("torch.return_types.", operation, "(\nvalues=", to_string(pair.values),
                         ",\nindices=", to_string(pair.indices), ")");
}

}  // namespace

std::string to_string(const Maxima& maxima) { return pair_text("max", maxima); }
std::string to_string(const Minima& minima) { return pair_text("min", minima); }

std::ostream& operator<<(std::ostream& out, const Tensor& x) { return out << to_string(x); }
std::ostream& operator<<(std::ostream& out, const Maxima& maxima) { return out << to_string(maxima); }
std::ostream& operator<<(std::ostream& out, const Minima& minima) { return out << to_string(minima); }
std::ostream& operator<<(std::ostream& out, const StateDict& state) { return out << to_string(state); }
std::ostream& operator<<(std::ostream& out, const Shape& shape) { return out << detail::torch_size(shape); }
std::ostream& operator<<(std::ostream& out, Dtype dtype) { return out << "torch." << to_string(dtype); }

}  // namespace gradus
