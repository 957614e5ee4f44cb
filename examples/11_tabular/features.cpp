#include "tabular.hpp"

#include <algorithm>

using namespace gradus;

namespace {

Value list_of(const std::vector<std::string>& texts) { return Value::list({texts.begin(), texts.end()}); }

std::vector<std::string> texts_in(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& text : list.as_list()) texts.push_back(text.as_string());
  return texts;
}

double median_of(Table table, const std::string& name) {
  table.fill_missing(name, Fill::median);
  std::vector<double> numbers = table.column(name).numbers;
  std::ranges::sort(numbers);
  return (numbers[(numbers.size() - 1) / 2] + numbers[numbers.size() / 2]) / 2;
}

}  // namespace

Features::Features(const Table& training, const Table& all, const std::vector<std::string>& names) {
  Table filled = all;
  for (const std::string& name : names) {
    if (!all.column(name).is_text) {
      columns.push_back({.name = name, .fill = median_of(training, name)});
      continue;
    }
    filled.fill_missing(name, "");
    columns.push_back({.name = name, .is_category = true, .categories = filled.codes(name, CodeOrder::sorted).names});
  }
  scaler = Scaler::fit(encode(training));
}

Tensor Features::encode(Table table) const {
  std::vector<Tensor> parts;
  for (const Feature& feature : columns) {
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

Value Features::state() const {
  Value::List list;
  for (const Feature& f : columns) {
    list.push_back(Value::dict(
        {{"name", f.name}, {"category", f.is_category}, {"fill", f.fill}, {"categories", list_of(f.categories)}}));
  }
  return Value::dict({{"columns", Value::list(std::move(list))}, {"scaler", scaler.state_dict()}});
}

void Features::load(const Value& state) {
  columns.clear();
  for (const Value& column : state["columns"].as_list()) {
    columns.push_back({column["name"].as_string(), column["category"].as_bool(), column["fill"].as_double(),
                       texts_in(column["categories"])});
  }
  scaler.load_state_dict(state["scaler"].as_state_dict());
}

Target::Target(const Table& table, const std::string& name_, bool of_classes) : name(name_) {
  if (of_classes) {
    classes = table.codes(name, CodeOrder::sorted).names;
  } else {
    scaler = Scaler::fit(table.tensor({name}, float64));
  }
}

Tensor Target::transform(const Table& table) const {
  return is_class() ? table.codes(name, classes) : scaler.transform(table.tensor({name}, float64)).to(float32);
}

Tensor Target::numbers(const Tensor& outputs) const {
  return scaler.inverse(outputs.detach().to(float64)).reshape({outputs.size(0)});
}

Value Target::state() const {
  return Value::dict({{"name", name}, {"classes", list_of(classes)}, {"scaler", scaler.state_dict()}});
}

void Target::load(const Value& state) {
  name = state["name"].as_string();
  classes = texts_in(state["classes"]);
  if (!is_class()) scaler.load_state_dict(state["scaler"].as_state_dict());
}
