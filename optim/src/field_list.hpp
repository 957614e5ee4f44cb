// The members of options and schedules by name, for printing, saving and loading.
#pragma once

#include <gradus/core/value.hpp>

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace gradus::optim {

/// An option of PyTorch that gradus has no use for; it is printed and saved with PyTorch's default.
enum class Unused { None, False };

/// What a `list` function hands its members to, in the order in which PyTorch saves them.
class FieldList {
 public:
  template <class T>
  FieldList& operator()(std::string_view name, T&& value) {
    field(name, value);
    return *this;
  }

 protected:
  ~FieldList() = default;
  virtual void field(std::string_view name, bool& value) = 0;
  virtual void field(std::string_view name, std::int64_t& value) = 0;
  virtual void field(std::string_view name, double& value) = 0;
  virtual void field(std::string_view name, std::array<double, 2>& values) = 0;
  virtual void field(std::string_view name, std::vector<double>& values) = 0;        // of fixed length
  virtual void field(std::string_view name, std::vector<std::int64_t>& values) = 0;  // a multiset
  virtual void field(std::string_view name, Unused value) = 0;
};

/// Makes a dict of the members, as PyTorch saves them: a pair is a tuple, a multiset a dict from element to count.
class FieldWriter final : public FieldList {
 public:
  Value fields = Value::dict();

 private:
  Value& at(std::string_view name) { return fields[std::string(name)]; }
  void field(std::string_view name, bool& value) override { at(name) = value; }
  void field(std::string_view name, std::int64_t& value) override { at(name) = value; }
  void field(std::string_view name, double& value) override { at(name) = value; }
  void field(std::string_view name, std::array<double, 2>& values) override {
    at(name) = Value::tuple({values[0], values[1]});
  }
  void field(std::string_view name, std::vector<double>& values) override {
    at(name) = Value::list({values.begin(), values.end()});
  }
  void field(std::string_view name, std::vector<std::int64_t>& values) override {
    Value counts = Value::dict();
    for (const std::int64_t value : values) counts[value] = counts.contains(value) ? counts[value].as_int() + 1 : 1;
    at(name) = counts;
  }
  void field(std::string_view name, Unused value) override {
    at(name) = value == Unused::None ? Value() : Value(false);
  }
};

}  // namespace gradus::optim
