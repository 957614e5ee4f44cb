// The members of options, of schedules and of what an optimiser keeps for a parameter, by name: what saving, loading
// and printing read.
#pragma once

#include <gradus/core/value.hpp>

#include <array>
#include <span>

namespace gradus::optim {

/// What a `list` function hands its members to, in the order in which they are to be saved:
///
///   void list(FieldList& list) { list("lr", lr)("betas", betas)("weight_decay", weight_decay); }
///
/// All are saved exactly, and loading needs every name that is listed.
class FieldList {
 public:
  FieldList();
  FieldList(FieldList&&) noexcept;
  FieldList& operator=(FieldList&&) noexcept;
  ~FieldList();

  FieldList& operator()(std::string name, bool& member);
  FieldList& operator()(std::string name, std::int64_t& member);
  FieldList& operator()(std::string name, double& member);
  FieldList& operator()(std::string name, std::string& member);
  FieldList& operator()(std::string name, std::array<double, 2>& member);  ///< saved as a tuple
  FieldList& operator()(std::string name, std::vector<double>& member);
  FieldList& operator()(std::string name, std::vector<std::int64_t>& member);
  /// Loading expects the tensor in the shape of the parameter that it is kept for.
  FieldList& operator()(std::string name, Tensor& member);
  template <class T>
  FieldList& operator()(const std::string&, T&) {
    static_assert(sizeof(T) == 0,
                  "FieldList: a member is bool, std::int64_t, double, std::string, std::array<double, 2>, "
                  "std::vector<double>, std::vector<std::int64_t> or Tensor, and list() is not const");
    return *this;
  }
  /// A tensor that is not saved while it is undefined, and need not be there.
  FieldList& optional(std::string name, Tensor& tensor);
  /// Numbers that stay as they are when they were not saved.
  FieldList& optional(std::string name, std::vector<double>& numbers);
  /// A tensor kept for a parameter, but not of its shape and dtype.
  FieldList& any_shape(std::string name, Tensor& tensor);
  /// A number that PyTorch keeps as a 0-d float32 tensor, e.g. the steps of Adam.
  FieldList& tensor(std::string name, std::int64_t& number);
  FieldList& tensor(std::string name, double& number);
  /// Integers saved as a dict from each to how often it occurs.
  FieldList& counts(std::string name, std::vector<std::int64_t>& numbers);
  /// An entry that PyTorch has and gradus has no use for: saved with this value, and passed over in loading.
  FieldList& unused(std::string name, Value value = {});

  struct Field;
  std::span<const Field> fields() const;
  /// The dict that is saved; tensors are copies.
  Value values() const;

 private:
  FieldList& add(Field field);
  std::vector<Field> fields_;
};

}  // namespace gradus::optim
