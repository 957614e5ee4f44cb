#include "features.hpp"

#include <algorithm>

using namespace gradus;

namespace {

Value::List list_of(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

std::vector<std::string> texts_in(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& text : list.as_list()) texts.push_back(text.as_string());
  return texts;
}

/// The texts of a column, sorted; "" stands for a missing one.
std::vector<std::string> categories_of(const Table& table, const std::string& name) {
  Table filled = table;
  filled.fill_missing(name, "");
  return filled.codes(name, CodeOrder::sorted).names;
}

double median_of(const Table& table, const std::string& name) {
  Table filled = table;
  filled.fill_missing(name, Fill::median);
  std::vector<double> numbers = filled.column(name).numbers;
  std::ranges::sort(numbers);
  return (numbers[(numbers.size() - 1) / 2] + numbers[numbers.size() / 2]) / 2;
}

}  // namespace

Features::Features(const Table& training, const Table& all, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    Feature& feature = columns_.emplace_back(Feature{.name = name, .is_category = all.column(name).is_text});
    if (feature.is_category) {
      feature.categories = categories_of(all, name);
    } else {
      feature.fill = median_of(training, name);
    }
  }
  scaler_ = Scaler::fit(encode(training));
}

std::int64_t Features::width() const {
  std::int64_t width = 0;
  for (const Feature& feature : columns_) {
    width += feature.is_category ? static_cast<std::int64_t>(feature.categories.size()) : 1;
  }
  return width;
}

Tensor Features::encode(Table table) const {
  std::vector<Tensor> parts;
  for (const Feature& feature : columns_) {
    if (feature.is_category) {
      table.fill_missing(feature.name, "");
      parts.push_back(table.one_hot(feature.name, feature.categories));
    } else {
      table.fill_missing(feature.name, feature.fill);
      parts.push_back(table.tensor({feature.name}));
    }
  }
  return cat(parts, 1);
}

Tensor Features::transform(const Table& table) const { return scaler_.transform(encode(table)); }

Value Features::state() const {
  Value::List columns;
  for (const Feature& f : columns_) {
    columns.push_back(Value::dict({{"name", f.name},
                                   {"category", f.is_category},
                                   {"fill", f.fill},
                                   {"categories", Value::list(list_of(f.categories))}}));
  }
  return Value::dict({{"columns", Value::list(std::move(columns))}, {"scaler", scaler_.state_dict()}});
}

void Features::load(const Value& state) {
  std::vector<Feature> columns;
  for (const Value& column : state["columns"].as_list()) {
    columns.push_back({column["name"].as_string(), column["category"].as_bool(), column["fill"].as_double(),
                       texts_in(column["categories"])});
  }
  scaler_.load_state_dict(state["scaler"].as_state_dict());
  columns_ = std::move(columns);
}

Target::Target(const Table& table, const std::string& name, bool classes) : name_(name) {
  if (classes) {
    classes_ = table.codes(name, CodeOrder::sorted).names;
  } else {
    scaler_ = Scaler::fit(table.tensor({name}, float64));
  }
}

Tensor Target::transform(const Table& table) const {
  return is_class() ? table.codes(name_, classes_) : scaler_.transform(table.tensor({name_}, float64)).to(float32);
}

Tensor Target::numbers(const Tensor& outputs) const {
  return scaler_.inverse(outputs.detach().to(float64)).reshape({outputs.size(0)});
}

Value Target::state() const {
  return Value::dict({{"name", name_}, {"classes", Value::list(list_of(classes_))}, {"scaler", scaler_.state_dict()}});
}

void Target::load(const Value& state) {
  name_ = state["name"].as_string();
  classes_ = texts_in(state["classes"]);
  if (!is_class()) scaler_.load_state_dict(state["scaler"].as_state_dict());
}
