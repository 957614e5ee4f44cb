#include "convert.hpp"
#include "text.hpp"
#include "text_table.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace gradus;
using Kind = Value::Kind;

namespace {

/// min, mean, max, and how many are NaN; dashes where nothing is left to compare.
std::vector<std::string> summary(const Tensor& x) {
  const bool real = is_floating(x.dtype());
  const Tensor all = real ? x.reshape({-1}) : x.reshape({-1}).to(int64), there = real ? all[all == all] : all;
  const std::string nans = std::to_string(all.numel() - there.numel());
  if (there.numel() == 0) return {"-", "-", "-", nans};
  const auto text = [real](const Tensor& number) {
    return real ? short_number(number.item()) : std::to_string(number.item<std::int64_t>());
  };
  return {text(there.min()), short_number(there.to(float64).mean().item()), text(there.max()), nans};
}

std::string shortened(std::string text) {
  constexpr std::size_t most = 60;
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (text[end] & 0xc0) == 0x80) --end;  // not within a character
  return text.substr(0, end) + "…";
}

/// Whether it is shown on one line: neither a tensor nor a container of something that is not shown so itself.
bool is_plain(const Value& value) {
  if (is_list(value)) {
    return std::ranges::all_of(value.as_list(), [](const Value& e) { return e.kind() != Kind::dict && is_plain(e); });
  }
  return value.kind() != Kind::tensor && value.kind() != Kind::object &&
         (value.kind() != Kind::dict || value.size() == 0);
}

std::string text_of(const Value& value) {
  switch (value.kind()) {
    case Kind::truth: return value.as_bool() ? "True" : "False";
    case Kind::integer: return std::to_string(value.as_int());
    case Kind::real: return format_number(value.as_double());
    case Kind::string: return printable(value.as_string());
    case Kind::list:
    case Kind::tuple: {
      std::string text;
      for (const Value& element : value.as_list()) text += (text.empty() ? "" : ", ") + text_of(element);
      if (value.kind() == Kind::list) return "[" + text + "]";
      return "(" + text + (value.size() == 1 ? ",)" : ")");
    }
    default: return value.kind() == Kind::dict ? "{}" : "None";
  }
}

class Listing {
 public:
  void add(const std::string& name, const Value& value) {
    const Value& content = value.content();  // of an object what it holds
    const std::string type = printable(std::string(value.type_name()));
    if (value.kind() == Kind::object && content.is_none()) return add_line(name, type, "(passed over)");
    if (is_plain(content)) return add_line(name, type, text_of(content));
    if (value.kind() == Kind::object) {
      add_line(name.empty() ? "(all)" : name, type, "");
      add(name, content);
    } else if (value.kind() == Kind::tensor) {
      add(name, value.as_tensor());
    } else if (is_list(value)) {
      for (std::size_t i = 0; i < value.size(); ++i) add(below(name, std::to_string(i)), value.as_list()[i]);
    } else {
      for (const auto& [key, item] : value.as_dict()) add(below(name, text_of(key)), item);
    }
  }

  void add_line(const std::string& name, const std::string& type, const std::string& text) {
    table_.row(printable(name), type, shortened(text));
  }

  void print() const {
    std::printf("%stensors: %lld, elements: %lld, bytes: %lld\n", table_.text().c_str(), tensors_, elements_, bytes_);
  }

 private:
  void add(const std::string& name, const Tensor& x) {
    table_.row(printable(name), std::string(to_string(x.dtype())), to_string(x.shape()), summary(x));
    ++tensors_;
    elements_ += x.numel();
    bytes_ += x.numel() * static_cast<long long>(item_size(x.dtype()));
  }

  // Of what is no tensor, the third cell is its value and the last.
  TextTable table_{{"name", "type", "shape", "min", "mean", "max", "NaN"}, {.text_columns = 3}};
  long long tensors_ = 0, elements_ = 0, bytes_ = 0;
};

}  // namespace

void print_listing(const Value& content, const Metadata& metadata) {
  Listing listing;
  listing.add("", content);
  for (const auto& [key, text] : metadata) listing.add_line(key, "metadata", text);
  listing.print();
}
