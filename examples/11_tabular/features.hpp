// From the columns of a table to the numbers that a net takes, and from what it gives back to the target.
#pragma once

#include <gradus/gradus.hpp>

/// A column that the net sees: one number, or as many as it has categories, of which one is 1.
struct Feature {
  std::string name;
  bool is_category = false;
  double fill = 0;                           // of a number that is missing: the median of the training rows
  std::vector<std::string> categories = {};  // of all rows that were split; "" where one was missing
};

/// What is known of the columns before training. It is saved beside the weights.
class Features {
 public:
  Features() = default;
  /// Takes medians, means and deviations of the training rows, and categories of all: a rare one may be in the test
  /// alone.
  Features(const gradus::Table& training, const gradus::Table& all, const std::vector<std::string>& names);

  /// (rows, width), standardised. Throws ValueError for a category that is not among those.
  gradus::Tensor transform(const gradus::Table& table) const;

  const std::vector<Feature>& columns() const { return columns_; }
  std::int64_t width() const;

  gradus::Value state() const;
  void load(const gradus::Value& state);

 private:
  gradus::Tensor encode(gradus::Table table) const;

  std::vector<Feature> columns_;
  gradus::Scaler scaler_;
};

/// What is to be predicted: a class, or a number, which the net sees standardised.
class Target {
 public:
  Target() = default;
  Target(const gradus::Table& table, const std::string& name, bool classes);

  gradus::Tensor transform(const gradus::Table& table) const;   ///< int64 (rows) of classes; float32 (rows, 1)
  gradus::Tensor numbers(const gradus::Tensor& outputs) const;  ///< a net's outputs as numbers, float64 (rows)

  const std::string& name() const { return name_; }
  bool is_class() const { return !classes_.empty(); }
  const std::vector<std::string>& classes() const { return classes_; }

  gradus::Value state() const;
  void load(const gradus::Value& state);

 private:
  std::string name_;
  std::vector<std::string> classes_;
  gradus::Scaler scaler_;
};
