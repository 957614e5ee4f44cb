#include "state_reader.hpp"

namespace gradus::optim {
namespace {

Value saved(bool value, Form) { return value; }
Value saved(const std::string& text, Form) { return text; }
Value saved(const Tensor& tensor, Form) { return tensor.defined() ? Value(tensor.detach().clone()) : Value(); }
Value saved(const std::array<double, 2>& pair, Form) { return Value::tuple({pair[0], pair[1]}); }
Value saved(const std::vector<double>& numbers, Form) { return Value::list({numbers.begin(), numbers.end()}); }

Value saved(double number, Form form) {
  return form == Form::tensor ? Value(full({}, number, float32)) : Value(number);
}

Value saved(std::int64_t number, Form form) {
  if (form != Form::tensor) return number;
  constexpr std::int64_t exact = 1 << 24;  // up to here float32 holds every integer
  return full({}, number, number <= exact ? float32 : float64);
}

Value saved(const std::vector<std::int64_t>& numbers, Form form) {
  if (form != Form::counts) return Value::list({numbers.begin(), numbers.end()});
  Value counts = Value::dict();
  for (const std::int64_t number : numbers) {
    counts[number] = counts.contains(number) ? counts[number].as_int() + 1 : 1;
  }
  return counts;
}

bool left_out(const FieldList::Field& field) {
  Tensor* const* tensor = std::get_if<Tensor*>(&field.member);
  return tensor && field.form == Form::optional && !(*tensor)->defined();
}

}  // namespace

FieldList::FieldList() = default;
FieldList::FieldList(FieldList&&) noexcept = default;
FieldList& FieldList::operator=(FieldList&&) noexcept = default;
FieldList::~FieldList() = default;

FieldList& FieldList::add(Field field) {
  fields_.push_back(std::move(field));
  return *this;
}

FieldList& FieldList::operator()(std::string name, bool& member) { return add({std::move(name), &member}); }
FieldList& FieldList::operator()(std::string name, std::int64_t& member) { return add({std::move(name), &member}); }
FieldList& FieldList::operator()(std::string name, double& member) { return add({std::move(name), &member}); }
FieldList& FieldList::operator()(std::string name, std::string& member) { return add({std::move(name), &member}); }
FieldList& FieldList::operator()(std::string name, std::array<double, 2>& member) {
  return add({std::move(name), &member});
}
FieldList& FieldList::operator()(std::string name, std::vector<double>& member) {
  return add({std::move(name), &member});
}
FieldList& FieldList::operator()(std::string name, std::vector<std::int64_t>& member) {
  return add({std::move(name), &member});
}
FieldList& FieldList::operator()(std::string name, Tensor& member) { return add({std::move(name), &member}); }
FieldList& FieldList::optional(std::string name, Tensor& member) {
  return add({std::move(name), &member, Form::optional});
}
FieldList& FieldList::optional(std::string name, std::vector<double>& member) {
  return add({std::move(name), &member, Form::optional});
}
FieldList& FieldList::any_shape(std::string name, Tensor& member) {
  return add({std::move(name), &member, Form::any_shape});
}
FieldList& FieldList::tensor(std::string name, std::int64_t& member) {
  return add({std::move(name), &member, Form::tensor});
}
FieldList& FieldList::tensor(std::string name, double& member) { return add({std::move(name), &member, Form::tensor}); }
FieldList& FieldList::counts(std::string name, std::vector<std::int64_t>& member) {
  return add({std::move(name), &member, Form::counts});
}
FieldList& FieldList::unused(std::string name, Value value) { return add({std::move(name), std::move(value)}); }

std::span<const FieldList::Field> FieldList::fields() const { return fields_; }

Value FieldList::values() const {
  Value dict = Value::dict();
  for (const Field& field : fields_) {
    if (left_out(field)) continue;
    dict[field.name] = std::visit(
        [&field]<class M>(const M& member) {
          if constexpr (std::is_pointer_v<M>) {
            return saved(*member, field.form);
          } else {
            return member;
          }
        },
        field.member);
  }
  if (dict.size() == 0 && !fields_.empty()) dict[fields_[0].name] = Value();  // as SGD of PyTorch without momentum
  return dict;
}

}  // namespace gradus::optim
