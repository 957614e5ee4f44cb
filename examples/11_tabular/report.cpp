#include "report.hpp"

#include "text.hpp"
#include "text_table.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

using namespace gradus;

namespace {

void print_column(const Table& table, const Table::Column& column) {
  const long long missing = static_cast<long long>(table.missing(column.name));
  std::string what;
  if (column.is_text) {
    what = std::to_string(column.texts.size()) + " different texts";
  } else {
    double least = INFINITY, greatest = -INFINITY;
    for (const double number : column.numbers) {
      if (std::isnan(number)) continue;
      least = std::min(least, number);
      greatest = std::max(greatest, number);
    }
    what =
        least > greatest ? "no number at all" : "numbers from " + short_number(least) + " to " + short_number(greatest);
  }
  std::printf("  %-24s %s%s\n", printable(column.name).c_str(), what.c_str(),
              missing > 0 ? (", missing: " + std::to_string(missing)).c_str() : "");
}

double mean_of(const Tensor& x) { return x.to(float64).mean().item<double>(); }

/// Root of the mean square, mean absolute value, and the share of the variance that is explained.
void print_errors(const char* name, const Tensor& truth, const Tensor& predicted) {
  const Tensor error = predicted - truth, spread = truth - truth.mean();
  const double square = mean_of(error * error), variance = mean_of(spread * spread);
  std::printf("%-14s RMSE %-10s MAE %-10s R2 %s\n", name, short_number(std::sqrt(square)).c_str(),
              short_number(mean_of(error.abs())).c_str(),
              variance > 0 ? short_number(1 - square / variance).c_str() : "-");
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
  for (std::size_t i = 0; i < std::min(most, table.columns().size()); ++i) print_column(table, table.columns()[i]);
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
  print_errors("test", truth, predicted);
  print_errors("mean of train", truth, full(truth.shape(), mean_of(training), float64));
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
