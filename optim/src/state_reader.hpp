// The fields of a state, and reading them back, with one error that tells all that is wrong.
#pragma once

#include <gradus/core/tensor.hpp>
#include <gradus/optim/field_list.hpp>

#include <functional>
#include <set>
#include <variant>

namespace gradus::optim {

// --- an entry of a FieldList

enum class Form : std::uint8_t { plain, optional, any_shape, tensor, counts };

struct FieldList::Field {
  std::string name;
  std::variant<bool*, std::int64_t*, double*, std::string*, std::array<double, 2>*, std::vector<double>*,
               std::vector<std::int64_t>*, Tensor*, Value>
      member;
  Form form = Form::plain;
};

// --- reading

/// What a state says about members. They change in `exchange`, when all has been read and found good.
class StateReader {
 public:
  /// Reads every listed member from `dict`, which lies at `path` in the state. Tensors are those of `parameter`: of its
  /// shape, and converted to its dtype.
  void read(const FieldList& fields, const Value& dict, const std::string& path, const Tensor& parameter = {});
  template <class T>
  void set(T& member, T value) {
    exchanges_.push_back([&member, other = std::move(value)]() mutable { std::swap(member, other); });
  }
  /// The value under `key`; null when it is not there or None. A value that is `needed` is missed then.
  const Value* take(const Value& dict, const char* key, const std::string& path, bool needed = true);
  bool taken(const std::string& path) const { return taken_.contains(path); }
  void error(const std::string& path, const std::string& expected, const Value& got);
  void error(const std::string& sentence) { errors_ += "\n\t" + sentence; }
  void unexpected(const std::string& path);

  /// Throws RuntimeError when something was wrong. `reader` is the class that loads, e.g. "Adam".
  void finish(const std::string& reader) const;
  /// Gives every member the value read for it, and takes that back when `check` throws.
  template <class F>
  void exchange(F check) {
    const auto exchange_all = [this] {
      for (auto& one : exchanges_) one();
    };
    exchange_all();
    try {
      check();
    } catch (...) {
      exchange_all();
      throw;
    }
  }

 private:
  std::set<std::string> taken_;
  std::string missing_, unexpected_, errors_;
  std::vector<std::function<void()>> exchanges_;
};

inline bool is_list(const Value& value) {
  return value.kind() == Value::Kind::list || value.kind() == Value::Kind::tuple;
}

/// Throws RuntimeError for a state that is flat, as earlier versions of gradus made it.
void refuse_flat(const std::string& reader, const Value& state);

}  // namespace gradus::optim
