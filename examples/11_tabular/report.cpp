#include "report.hpp"

#include "text.hpp"
#include "text_table.hpp"

#include <algorithm>
#include <charconv>
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

double mean_of(const Tensor& x) { return x.to(float64).mean().item<double>(); }

/// Root of the mean square, mean absolute value, and the share of the variance that is explained.
void add_errors(TextTable& table, const char* name, const Tensor& truth, const Tensor& predicted) {
  const Tensor error = predicted - truth, spread = truth - truth.mean();
  const double square = mean_of(error * error), variance = mean_of(spread * spread);
  table.row(name, short_number(std::sqrt(square)), short_number(mean_of(error.abs())),
            variance > 0 ? short_number(1 - square / variance) : "-");
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + "\"";
}

}  // namespace

void print_table(const Table& table) {
  const auto texts = std::ranges::count_if(table.columns(), [](const auto& column) { return column.is_text; });
  const auto columns = static_cast<std::ptrdiff_t>(table.columns().size());
  std::printf("rows: %lld, columns: %td (numbers %td, text %td), missing values: %lld\n",
              static_cast<long long>(table.rows()), columns, columns - texts, texts,
              static_cast<long long>(table.missing()));
  constexpr std::size_t most = 40;
  TextTable list({"column"}, {.text_columns = 2, .plain = true});
  for (std::size_t i = 0; i < std::min(most, table.columns().size()); ++i) {
    list.row("  " + printable(table.columns()[i].name), contents(table, table.columns()[i]));
  }
  std::printf("%s", list.text().c_str());
  if (table.columns().size() > most) std::printf("  and %zu more\n", table.columns().size() - most);
}

void print_classes(const Target& target, const Tensor& training, const Tensor& truth, const Tensor& predicted) {
  const std::size_t classes = target.classes().size();
  std::vector<std::int64_t> in_training(classes), table(classes * classes);
  for (const std::int64_t c : training.data<std::int64_t>()) ++in_training[static_cast<std::size_t>(c)];
  const auto most = std::ranges::max_element(in_training) - in_training.begin();
  std::int64_t right = 0, of_most = 0;
  for (std::int64_t i = 0; i < truth.numel(); ++i) {
    const auto t = truth.data<std::int64_t>()[static_cast<std::size_t>(i)],
               p = predicted.data<std::int64_t>()[static_cast<std::size_t>(i)];
    right += t == p ? 1 : 0;
    of_most += t == most ? 1 : 0;
    ++table[static_cast<std::size_t>(t) * classes + static_cast<std::size_t>(p)];
  }
  const auto share = [&](std::int64_t count) {
    return static_cast<double>(count) / static_cast<double>(truth.numel());
  };
  std::printf("test accuracy %.4f; always '%s' would be right in %.4f\n", share(right),
              printable(target.classes()[static_cast<std::size_t>(most)]).c_str(), share(of_most));
  if (classes > 12) return;
  std::vector<std::string> headings{"test rows", "predicted"};
  headings.resize(classes + 1);
  TextTable confusion(headings, {.text_columns = 1, .plain = true});
  for (std::size_t t = 0; t < classes; ++t) {
    std::vector<std::string> counts;
    for (std::size_t p = 0; p < classes; ++p) counts.push_back(std::to_string(table[t * classes + p]));
    confusion.row(printable(target.classes()[t]), counts);
  }
  std::printf("\n%s", confusion.text().c_str());
}

void print_numbers(const Tensor& training, const Tensor& truth, const Tensor& predicted) {
  TextTable table({"", "RMSE", "MAE", "R2"}, {.text_columns = 1, .plain = true});
  add_errors(table, "test", truth, predicted);
  add_errors(table, "mean of train", truth, full(truth.shape(), mean_of(training), float64));
  std::printf("%s", table.text().c_str());
}

std::string predictions_as_csv(const Target& target, const Tensor& outputs) {
  std::string csv = target.is_class() ? "prediction,probability\n" : "prediction\n";
  if (!target.is_class()) {
    const Tensor numbers = target.numbers(outputs);
    for (const double number : numbers.data<double>()) {
      char digits[32];
      csv.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
      csv += '\n';
    }
    return csv;
  }
  const Tensor classes = outputs.argmax(1), shares = softmax(outputs, 1);
  for (std::int64_t i = 0; i < outputs.size(0); ++i) {
    const auto c = static_cast<std::size_t>(classes.data<std::int64_t>()[static_cast<std::size_t>(i)]);
    const float share = shares.data<float>()[static_cast<std::size_t>(i) * target.classes().size() + c];
    csv += quoted(target.classes()[c]) + "," + short_number(share) + "\n";
  }
  return csv;
}
