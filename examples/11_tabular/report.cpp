#include "tabular.hpp"
#include "text.hpp"
#include "text_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

/// What a column holds.
std::string contents(const Table& table, const Table::Column& column) {
  const std::int64_t missing = table.missing(column.name);
  const std::string tail = missing > 0 ? ", missing: " + std::to_string(missing) : "";
  if (column.is_text) return std::to_string(column.texts.size()) + " different texts" + tail;
  double least = INFINITY, greatest = -INFINITY;
  for (const double number : column.numbers) {
    least = std::fmin(least, number);  // not NaN, where there is another
    greatest = std::fmax(greatest, number);
  }
  if (least > greatest) return "no number at all" + tail;
  return "numbers from " + short_number(least) + " to " + short_number(greatest) + tail;
}

double mean_of(const Tensor& x) { return x.to(float64).mean().item(); }

/// Root of the mean square, mean absolute value, and the share of the variance that is explained.
void add_errors(TextTable& table, const char* name, const Tensor& truth, const Tensor& predicted) {
  const Tensor error = predicted - truth;
  const double square = mean_of(error.square()), variance = truth.var({0}, false).item();
  table.row(name, short_number(std::sqrt(square)), short_number(mean_of(error.abs())),
            variance > 0 ? short_number(1 - square / variance) : "-");
}

void print_classes(const Target& target, const Tensor& training, const Tensor& truth, const Tensor& predicted) {
  std::vector<std::string> names;
  double most = 0;
  std::size_t majority = 0;
  for (std::size_t c = 0; c < target.classes.size(); ++c) {
    names.push_back(printable(target.classes[c]));
    const double rows = (training == c).sum().item();
    if (rows > most) most = rows, majority = c;
  }
  std::printf("test accuracy %.4f; always '%s' would be right in %.4f\n", mean_of(truth == predicted),
              names[majority].c_str(), mean_of(truth == majority));
  if (names.size() <= 12) std::printf("\n%s", confusion_matrix(names, truth, predicted).c_str());
}

void print_numbers(const Tensor& training, const Tensor& truth, const Tensor& predicted) {
  TextTable table({"", "RMSE", "MAE", "R2"}, {.text_columns = 1});
  add_errors(table, "test", truth, predicted);
  add_errors(table, "mean of train", truth, full(truth.shape(), mean_of(training), float64));
  std::printf("%s", table.text().c_str());
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

}  // namespace

void print_table(const Table& table) {
  const auto texts = std::ranges::count_if(table.columns(), &Table::Column::is_text);
  const auto columns = static_cast<std::ptrdiff_t>(table.columns().size());
  std::printf("rows: %lld, columns: %td (numbers %td, text %td), missing values: %lld\n",
              static_cast<long long>(table.rows()), columns, columns - texts, texts,
              static_cast<long long>(table.missing()));
  constexpr std::size_t most = 40;
  TextTable list({"column"}, {.text_columns = 2});
  for (std::size_t i = 0; i < std::min(most, table.columns().size()); ++i) {
    list.row("  " + printable(table.columns()[i].name), contents(table, table.columns()[i]));
  }
  std::printf("%s", list.text().c_str());
  if (table.columns().size() > most) std::printf("  and %zu more\n", table.columns().size() - most);
}

void print_result(const Target& target, const Tensor& training, const Tensor& truth, const Tensor& outputs) {
  if (target.is_class()) return print_classes(target, training, truth, outputs.argmax(1));
  print_numbers(target.numbers(training), target.numbers(truth), target.numbers(outputs));
}

std::string predictions_as_csv(const Target& target, const Tensor& outputs) {
  std::string csv = target.is_class() ? "prediction,probability\n" : "prediction\n";
  if (!target.is_class()) {
    for (const double number : target.numbers(outputs).to_vector<double>()) csv += format_number(number) + "\n";
    return csv;
  }
  const auto [shares, classes] = softmax(outputs, 1).max(1);
  for (std::int64_t i = 0; i < outputs.size(0); ++i) {
    const auto c = static_cast<std::size_t>(classes[i].item<std::int64_t>());
    csv += quoted(target.classes[c]) + "," + short_number(shares[i].item()) + "\n";
  }
  return csv;
}
