// The members of options and schedulers by name, for printing, saving and loading.
#pragma once

#include <gradus/core/state_dict.hpp>

#include <cstdint>
#include <set>
#include <span>
#include <string>
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
  virtual void field(std::string_view name, double& value) = 0;
  virtual void field(std::string_view name, bool& value) = 0;
  virtual void field(std::string_view name, std::int64_t& value) = 0;
  virtual void field(std::string_view name, std::span<double> values) = 0;
  virtual void field(std::string_view name, std::vector<std::int64_t>& values) = 0;
  virtual void field(std::string_view name, Unused value) = 0;
};

/// Adds every member to a state_dict, as a tensor named `prefix` + name: float64, boolean or int64, 0-d or 1-d.
class FieldWriter final : public FieldList {
 public:
  FieldWriter(StateDict& to, std::string prefix) : to_(to), prefix_(std::move(prefix)) {}

 private:
  void field(std::string_view name, double& value) override;
  void field(std::string_view name, bool& value) override;
  void field(std::string_view name, std::int64_t& value) override;
  void field(std::string_view name, std::span<double> values) override;
  void field(std::string_view name, std::vector<std::int64_t>& values) override;
  void field(std::string_view name, Unused value) override;

  StateDict& to_;
  std::string prefix_;
};

/// A state_dict on its way in. Collects all that is wrong with it, so that one error can tell.
class StateReader {
 public:
  explicit StateReader(const StateDict& from) : from_(from) {}

  const StateDict& state() const { return from_; }
  /// The tensor of this name, null and an error when there is none.
  const Tensor* take(const std::string& name);
  /// The same without an error.
  const Tensor* take_if_there(const std::string& name);
  bool taken(const std::string& name) const { return taken_.contains(name); }
  void error(const std::string& sentence) { errors_ += "\n\t" + sentence; }
  /// Throws RuntimeError when there was an error, or a name that nobody took. `reader` is e.g. "Adam".
  void finish(const std::string& reader) const;

 private:
  const StateDict& from_;
  std::set<std::string> taken_;
  std::string missing_, errors_;
};

/// Reads the members back. To load all or nothing, `check` first and then `assign`.
class FieldReader final : public FieldList {
 public:
  enum Mode { check, assign };
  FieldReader(StateReader& from, std::string prefix, Mode mode = assign)
      : from_(from), prefix_(std::move(prefix)), mode_(mode) {}

 private:
  void field(std::string_view name, double& value) override;
  void field(std::string_view name, bool& value) override;
  void field(std::string_view name, std::int64_t& value) override;
  void field(std::string_view name, std::span<double> values) override;
  void field(std::string_view name, std::vector<std::int64_t>& values) override;
  void field(std::string_view name, Unused value) override;
  const Tensor* take(std::string_view name, Dtype dtype, const Shape& shape);

  StateReader& from_;
  std::string prefix_;
  Mode mode_;
};

}  // namespace gradus::optim
