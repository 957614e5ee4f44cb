// The parts of the program: a table in a file, its columns as numbers, a training, and what is told of it.
#pragma once

#include "training.hpp"

#include <gradus/gradus.hpp>

// --- table_file.cpp

/// A table in a file, and how the command line says to read it.
struct TableFile {
  std::string path, header = "auto", separator, comment;
  std::int64_t skip = 0;
  std::vector<std::string> missing;                            // beside those that a table has anyway
  std::vector<gradus::ColumnKey> columns, text, numbers = {};  // as in TableOptions
};

/// Reads it. Finds out what is not said: the separator is the most frequent in the first line, and that line holds
/// names when a column is one of numbers without it, or when all is text.
gradus::Table read(const TableFile& file);

// --- features.cpp: from the columns of a table to the numbers that a net takes, and from what it gives back

/// A column that the net sees: one number, or as many as it has categories, of which one is 1.
struct Feature {
  std::string name;
  bool is_category = false;
  double fill = 0;                           // of a number that is missing: the median of the training rows
  std::vector<std::string> categories = {};  // of all rows that were split; "" where one was missing
};

/// What is known of the columns before training. It is saved beside the weights.
struct Features {
  Features() = default;
  /// Takes medians, means and deviations of the training rows, and categories of all: a rare one may be in the test
  /// alone.
  Features(const gradus::Table& training, const gradus::Table& all, const std::vector<std::string>& names);

  gradus::Tensor encode(gradus::Table table) const;  ///< (rows, numbers), before the scaler
  /// (rows, numbers), standardised. Throws ValueError for a category that is not among those.
  gradus::Tensor transform(const gradus::Table& table) const { return scaler.transform(encode(table)); }

  std::int64_t width() const { return scaler.state_dict().at("mean").numel(); }

  gradus::Value state() const;
  void load(const gradus::Value& state);

  std::vector<Feature> columns;
  gradus::Scaler scaler;
};

/// What is to be predicted: a class, or a number, which the net sees standardised.
struct Target {
  Target() = default;
  Target(const gradus::Table& table, const std::string& name_, bool of_classes);

  gradus::Tensor transform(const gradus::Table& table) const;   ///< int64 (rows) of classes; float32 (rows, 1)
  gradus::Tensor numbers(const gradus::Tensor& outputs) const;  ///< a net's outputs as numbers, float64 (rows)

  bool is_class() const { return !classes.empty(); }

  gradus::Value state() const;
  void load(const gradus::Value& state);

  std::string name;
  std::vector<std::string> classes;
  gradus::Scaler scaler;
};

// --- early_stopping.cpp

struct TrainingOptions {
  std::vector<std::int64_t> hidden = {64, 32};
  std::int64_t epochs = 300, batch_size = 32, patience = 30;
  double lr = 0.003;
};

/// Rows (N, features), and classes (N) or numbers (N, 1). Trains until the loss of `validation` has not become less for
/// `patience` epochs, and leaves the net with the weights of its best epoch.
void train(gradus::nn::Sequential& net, const gradus::TensorDataset<2>& training,
           const gradus::TensorDataset<2>& validation, const TrainingOptions& options);

// --- report.cpp: what is told of the table and of the result

/// "150 rows, 5 columns: 4 of numbers, 1 of text; missing values: 0", and the columns one by one.
void print_table(const gradus::Table& table);

/// Of classes the accuracy beside that of the class most frequent in training, and which class was taken for which; of
/// numbers RMSE, MAE and R² beside those of the mean of the training rows.
void print_result(const Target& target, const gradus::Tensor& training, const gradus::Tensor& truth,
                  const gradus::Tensor& outputs);

/// A line of CSV for every row: the prediction, and of a class how probable it is.
std::string predictions_as_csv(const Target& target, const gradus::Tensor& outputs);
