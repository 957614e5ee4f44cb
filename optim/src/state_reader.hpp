// Reading a state back, with one error that tells all that is wrong with it.
#pragma once

#include "field_list.hpp"

#include <optional>
#include <set>
#include <string>

namespace gradus::optim {

/// A nested state on its way in. Numbers may be 0-d tensors, and lists 1-d ones or dicts from position to element, as
/// `unflatten` leaves them.
class StateReader {
 public:
  /// `strict`: options that gradus has no use for must be there too.
  explicit StateReader(bool strict) : strict_(strict) {}
  bool strict() const { return strict_; }

  /// The value under `key`; null when it is not there or None. A value that is `needed` is missed then.
  const Value* take(const Value& dict, const Value& key, const std::string& path, bool needed = true);
  void error(const std::string& path, const std::string& expected, const Value& got);
  void error(const std::string& sentence) { errors_ += "\n\t" + sentence; }
  bool taken(const std::string& path) const { return taken_.contains(path); }

  /// Throws RuntimeError when something was wrong or one of the `names` lies under no path that was taken. `reader` is
  /// the class that loads, e.g. "Adam".
  void finish(const std::string& reader, const StateDict& names = {}) const;

 private:
  bool strict_;
  std::set<std::string> taken_;
  std::string missing_, errors_;
};

/// Fills members from a dict at `path`, where they are as expected.
class FieldReader final : public FieldList {
 public:
  FieldReader(StateReader& reader, const Value& dict, std::string path)
      : reader_(reader), dict_(dict), path_(std::move(path)) {}

 private:
  void field(std::string_view name, bool& value) override;
  void field(std::string_view name, std::int64_t& value) override;
  void field(std::string_view name, double& value) override;
  void field(std::string_view name, std::array<double, 2>& values) override;
  void field(std::string_view name, std::vector<double>& values) override;
  void field(std::string_view name, std::vector<std::int64_t>& values) override;
  void field(std::string_view name, Unused value) override;
  const Value* take(std::string_view name, bool needed = true);
  void read_numbers(std::string_view name, std::span<double> values);

  StateReader& reader_;
  const Value& dict_;
  std::string path_;
};

std::optional<double> as_number(const Value& value);
std::optional<std::int64_t> as_integer(const Value& value);
/// An element of a list, or of a dict from position to element; null when there is none.
const Value* element(const Value& list, std::int64_t position);

}  // namespace gradus::optim
