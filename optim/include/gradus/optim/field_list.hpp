// The members of options, of schedules and of what an optimiser keeps for a parameter, by name: what saving, loading
// and printing read.
#pragma once

#include <gradus/core/value.hpp>

#include <array>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace gradus::optim {

/// What a `list` function hands its members to, in the order in which they are to be saved:
///
///   void list(FieldList& list) { list("lr", lr)("betas", betas)("weight_decay", weight_decay); }
///
/// All are saved exactly, and loading needs every name that is listed. A pair of numbers is saved as a tuple; a tensor
/// is expected in the shape of the parameter that it is kept for.
class FieldList {
 public:
  using Member = std::variant<bool*, std::int64_t*, double*, std::string*, std::array<double, 2>*, std::vector<double>*,
                              std::vector<std::int64_t>*, Tensor*, Value>;
  enum class Form : std::uint8_t { plain, optional, any_shape, tensor, counts };
  struct Field {
    std::string name;
    Member member;
    Form form = Form::plain;
  };

  template <class T>
  FieldList& operator()(std::string name, T& member) {
    static_assert(std::is_constructible_v<Member, T*>,
                  "FieldList: a member is bool, std::int64_t, double, std::string, std::array<double, 2>, "
                  "std::vector<double>, std::vector<std::int64_t> or Tensor, and list() is not const");
    return add({std::move(name), &member});
  }
  /// A tensor that is not saved while it is undefined, and need not be there.
  FieldList& optional(std::string name, Tensor& tensor) { return add({std::move(name), &tensor, Form::optional}); }
  /// Numbers that stay as they are when they were not saved.
  FieldList& optional(std::string name, std::vector<double>& numbers) {
    return add({std::move(name), &numbers, Form::optional});
  }
  /// A tensor kept for a parameter, but not of its shape and dtype.
  FieldList& any_shape(std::string name, Tensor& tensor) { return add({std::move(name), &tensor, Form::any_shape}); }
  /// A number that PyTorch keeps as a 0-d float32 tensor, e.g. the steps of Adam.
  FieldList& tensor(std::string name, std::int64_t& number) { return add({std::move(name), &number, Form::tensor}); }
  FieldList& tensor(std::string name, double& number) { return add({std::move(name), &number, Form::tensor}); }
  /// Integers saved as a dict from each to how often it occurs.
  FieldList& counts(std::string name, std::vector<std::int64_t>& numbers) {
    return add({std::move(name), &numbers, Form::counts});
  }
  /// An entry that PyTorch has and gradus has no use for: saved with this value, and passed over in loading.
  FieldList& unused(std::string name, Value value = {}) { return add({std::move(name), std::move(value)}); }

  const std::vector<Field>& fields() const { return fields_; }
  /// The dict that is saved; tensors are copies.
  Value values() const;

 private:
  FieldList& add(Field field) {
    fields_.push_back(std::move(field));
    return *this;
  }

  std::vector<Field> fields_;
};

}  // namespace gradus::optim
