#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/core/ops.hpp>
#include <gradus/core/table.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>
#include <set>

namespace gradus {
namespace {

using detail::fail, detail::listed, detail::shown, detail::throw_if;
using Column = Table::Column;

std::size_t length(const Column& column) { return column.is_text ? column.codes.size() : column.numbers.size(); }

bool lacks(const Column& column, std::size_t row) {
  return column.is_text ? column.codes[row] < 0 : std::isnan(column.numbers[row]);
}

std::int64_t count_missing(const Column& column) {
  std::int64_t count = 0;
  for (std::size_t row = 0; row < length(column); ++row) count += lacks(column, row) ? 1 : 0;
  return count;
}

const Column& numbers_only(const Column& column) {
  if (!column.is_text) return column;
  fail<TypeError>("column '", shown(column.name), "' holds text\nMake numbers of it with codes() or one_hot().");
}

void refuse_missing(const Column& column) {
  const std::int64_t count = count_missing(column);
  if (count == 0) return;
  fail<ValueError>("column '", shown(column.name), "' lacks ", count,
                   " values\nDrop those rows with drop_missing(), or fill it with fill_missing().");
}

/// The shortest text that is the number again: 3, 0.5, 1e+20.
std::string text_of(double number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return {digits, end};
}

/// Every value as text, each once and in the order asked for, and the position of the value of every row.
Codes code(const Column& column, CodeOrder order) {
  refuse_missing(column);
  Codes result{empty(static_cast<std::int64_t>(length(column)), int64), {}};
  const auto codes = result.codes.data<std::int64_t>();
  if (!column.is_text) {
    std::vector<double> sorted = column.numbers;
    std::ranges::sort(sorted);
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    std::ranges::transform(column.numbers, codes.begin(),
                           [&](double number) { return std::ranges::lower_bound(sorted, number) - sorted.begin(); });
    std::ranges::transform(sorted, std::back_inserter(result.names), text_of);
    return result;
  }
  std::vector<std::int64_t> places(column.texts.size());  // of a code of the column among the names
  std::vector<std::size_t> used(column.texts.size());
  std::iota(used.begin(), used.end(), 0u);
  std::vector<bool> occurs(column.texts.size());
  for (const std::int32_t c : column.codes) occurs[static_cast<std::size_t>(c)] = true;
  std::erase_if(used, [&](std::size_t c) { return !occurs[c]; });
  const auto text = [&](std::size_t c) -> const std::string& { return column.texts[c]; };
  if (order == CodeOrder::sorted) std::ranges::sort(used, {}, text);
  for (std::size_t i = 0; i < used.size(); ++i) {
    places[used[i]] = static_cast<std::int64_t>(i);
    result.names.push_back(text(used[i]));
  }
  std::ranges::transform(column.codes, codes.begin(),
                         [&](std::int32_t c) { return places[static_cast<std::size_t>(c)]; });
  return result;
}

double middle(std::vector<double> numbers) {
  const auto half = static_cast<std::ptrdiff_t>(numbers.size() / 2);
  std::nth_element(numbers.begin(), numbers.begin() + half, numbers.end());
  const double upper = numbers[static_cast<std::size_t>(half)];
  if (numbers.size() % 2 == 1) return upper;
  return (*std::max_element(numbers.begin(), numbers.begin() + half) + upper) / 2;
}

double mean_of(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

}  // namespace

Table::Table(std::vector<Column> columns) {
  std::set<std::string_view> names;
  for (const Column& column : columns) {
    if (!names.insert(column.name).second) {
      fail<ValueError>("Table: two columns have the name '", shown(column.name), "'");
    }
    if (length(column) != length(columns[0])) {
      fail<ValueError>("Table: expected columns of one length, got ", length(columns[0]), " and ", length(column));
    }
  }
  columns_ = std::move(columns);
}

std::int64_t Table::rows() const { return columns_.empty() ? 0 : static_cast<std::int64_t>(length(columns_[0])); }

bool Table::contains(std::string_view name) const {
  return std::ranges::any_of(columns_, [&](const Column& column) { return column.name == name; });
}

const Column& Table::column(std::string_view name) const {
  const auto found = std::ranges::find(columns_, name, &Column::name);
  if (found != columns_.end()) return *found;
  fail<KeyError>("there is no column '", shown(name),
                 "'\nThere are: ", listed(columns_, [](const Column& column) { return column.name; }));
}

std::int64_t Table::missing(std::string_view name) const { return count_missing(column(name)); }

std::int64_t Table::missing() const {
  std::int64_t count = 0;
  for (const Column& column : columns_) count += count_missing(column);
  return count;
}

Tensor Table::tensor(const std::vector<std::string>& names, Dtype dtype) const {
  Tensor result = empty({rows(), static_cast<std::int64_t>(names.size())}, float64);
  const auto elements = result.data<double>();
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Column& column = numbers_only(this->column(names[i]));
    for (std::size_t row = 0; row < column.numbers.size(); ++row) {
      const double number = column.numbers[row];
      const bool fits = dtype != int64 || (number == std::floor(number) && std::abs(number) < 0x1p63);
      if (!fits || (dtype == float32 && std::isinf(static_cast<float>(number)) != std::isinf(number))) {
        fail<ValueError>("Table::tensor: row ", row, " of column '", shown(column.name), "' is ", number, ", which ",
                         dtype, " cannot hold");
      }
      elements[row * names.size() + i] = number;
    }
  }
  return result.to(dtype);
}

Codes Table::codes(std::string_view name, CodeOrder order) const { return code(column(name), order); }

Tensor Table::codes(std::string_view name, const std::vector<std::string>& names) const {
  const Codes own = code(column(name), CodeOrder::of_appearance);
  std::vector<std::int64_t> places;
  for (const std::string& text : own.names) {
    const auto found = std::ranges::find(names, text);
    if (found == names.end()) {
      fail<ValueError>("column '", shown(name), "' has the unknown value '", shown(text),
                       "'\nKnown are: ", listed(names, [](const std::string& known) { return known; }));
    }
    places.push_back(found - names.begin());
  }
  Tensor result = own.codes.clone();
  for (std::int64_t& c : result.data<std::int64_t>()) c = places[static_cast<std::size_t>(c)];
  return result;
}

Tensor Table::one_hot(std::string_view name) const { return one_hot(name, codes(name, CodeOrder::sorted).names); }

Tensor Table::one_hot(std::string_view name, const std::vector<std::string>& names) const {
  return gradus::one_hot(codes(name, names), static_cast<std::int64_t>(names.size())).to(float32);
}

Table Table::select(const Tensor& rows) const {
  throw_if<TypeError>(rows.dtype() != int64 || rows.dim() != 1,
                      "Table::select: expected int64 numbers of rows in one dimension, got ", rows.dtype(), " ",
                      rows.shape());
  std::vector<Column> columns;
  for (const Column& column : columns_) {
    Column& chosen = columns.emplace_back(Column{column.name, column.is_text, {}, column.texts, {}});
    for (const std::int64_t row : rows.data<std::int64_t>()) {
      if (row < 0 || row >= this->rows()) {
        fail<IndexError>("Table::select: there is no row ", row, ", there are ", this->rows());
      }
      const auto at = static_cast<std::size_t>(row);
      column.is_text ? chosen.codes.push_back(column.codes[at]) : chosen.numbers.push_back(column.numbers[at]);
    }
  }
  return Table(std::move(columns));
}

Table Table::drop_missing(const std::vector<std::string>& names) const {
  std::vector<const Column*> looked_at;
  for (const std::string& name : names) looked_at.push_back(&column(name));
  for (const Column& column : columns_) {
    if (names.empty()) looked_at.push_back(&column);
  }
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < rows(); ++row) {
    const auto is_missing = [row](const Column* column) { return lacks(*column, static_cast<std::size_t>(row)); };
    if (std::ranges::none_of(looked_at, is_missing)) kept.push_back(row);
  }
  return select(from_span(std::span<const std::int64_t>(kept), Shape(static_cast<std::int64_t>(kept.size()))));
}

void Table::fill_missing(std::string_view name, double value) {
  for (double& number : const_cast<Column&>(numbers_only(column(name))).numbers) {
    if (std::isnan(number)) number = value;
  }
}

void Table::fill_missing(std::string_view name, Fill fill) {
  std::vector<double> known = numbers_only(column(name)).numbers;
  std::erase_if(known, [](double number) { return std::isnan(number); });
  if (missing(name) == 0) return;
  if (known.empty()) fail<ValueError>("column '", shown(name), "' has no value at all to fill it with");
  fill_missing(name, fill == Fill::mean ? mean_of(known) : middle(std::move(known)));
}

void Table::fill_missing(std::string_view name, const std::string& text) {
  auto& column = const_cast<Column&>(this->column(name));
  if (!column.is_text) fail<TypeError>("column '", shown(name), "' holds numbers, not text");
  const auto found = std::ranges::find(column.texts, text);
  const auto code = static_cast<std::int32_t>(found - column.texts.begin());
  if (missing(name) > 0 && found == column.texts.end()) column.texts.push_back(text);
  for (std::int32_t& c : column.codes) {
    if (c < 0) c = code;
  }
}

// --- Scaler

namespace {

void check_matrix(const char* name, const Tensor& x) {
  if (x.dim() == 2 && is_floating(x.dtype())) return;
  fail<ValueError>(name, ": expected rows and columns of floating numbers, got ", x.dtype(), " ", x.shape());
}

}  // namespace

Scaler Scaler::fit(const Tensor& x) {
  const NoGradGuard no_grad;
  check_matrix("Scaler::fit", x);
  throw_if<ValueError>(x.size(0) == 0, "Scaler::fit: expected at least one row, got none");
  const Tensor exact = x.to(float64);
  throw_if<ValueError>(!isfinite(exact).all().item<bool>(),
                       "Scaler::fit: expected finite numbers, got NaN or infinity\nFill or drop missing values first.");
  Scaler scaler;
  scaler.mean_ = exact.mean(0);
  const Tensor centered = exact - scaler.mean_;
  scaler.deviation_ = (centered * centered).mean(0).sqrt();
  for (double& deviation : scaler.deviation_.data<double>()) deviation = deviation == 0 ? 1 : deviation;
  return scaler;
}

Tensor Scaler::apply(const Tensor& x, bool inverse) const {
  if (!mean_.defined()) throw RuntimeError("Scaler: it was neither fitted nor loaded\nCall Scaler::fit(x) first.");
  check_matrix("Scaler", x);
  if (x.size(1) != mean_.numel()) {
    fail<RuntimeError>("Scaler: expected ", mean_.numel(), " columns as in fit(), got ", x.size(1));
  }
  const Tensor exact = x.to(float64);
  return (inverse ? exact * deviation_ + mean_ : (exact - mean_) / deviation_).to(x.dtype());
}

Tensor Scaler::transform(const Tensor& x) const { return apply(x, false); }
Tensor Scaler::inverse(const Tensor& z) const { return apply(z, true); }

StateDict Scaler::state_dict() const {
  if (!mean_.defined()) return {};
  return {{"mean", mean_.clone()}, {"deviation", deviation_.clone()}};
}

void Scaler::load_state_dict(const StateDict& state) {
  const Tensor mean = state.at("mean").to(float64), deviation = state.at("deviation").to(float64);
  throw_if<RuntimeError>(mean.dim() != 1 || mean.shape() != deviation.shape(),
                         "Scaler: expected mean and deviation of one length, got the shapes ", mean.shape(), " and ",
                         deviation.shape());
  mean_ = mean.clone();
  deviation_ = deviation.clone();
}

}  // namespace gradus
