// What a training shows: on a terminal with a live line, in a pipe with plain ones; as a table and as a picture.
#pragma once

#include "images.hpp"
#include "output_file.hpp"
#include "terminal.hpp"
#include "training.hpp"

#include <fstream>

/// The layers with the shapes of their outputs and their numbers of parameters.
void print_model(gradus::nn::Sequential& model, std::int64_t inputs);

/// Counts of (true class, predicted class), and the first few images that were taken for something else.
void print_predictions(const ImageSet& images, const gradus::Tensor& predicted, int most);

struct EpochResult {
  std::int64_t epoch;  // counted from 1
  Score train, test;   // train: the mean over the epoch's batches, each before its step
  double seconds;      // since the start
  double samples_per_second;
};

/// Prints epochs, and writes them to a CSV file when a path is given: a new one, or further lines when resuming.
class Report {
 public:
  Report(bool quiet, const std::string& csv_path, bool resuming);
  void on_step(std::int64_t epoch, std::int64_t step, std::int64_t steps, double loss);
  void on_epoch(const EpochResult& result);
  /// The columns of the CSV, float64 (epochs, 6), of the epochs that were trained in this run: none when it resumed a
  /// training that was over.
  gradus::Tensor results() const;

 private:
  ProgressLine line_;
  std::ofstream csv_;
  std::string csv_path_;
  std::vector<double> rows_;
};

/// The table that --csv has written. Throws gradus::FileError for another file.
gradus::Tensor read_results(const std::string& csv_path);

/// Losses on the left, on a logarithmic scale, test accuracies on the right; of runs by their names. Throws FileError.
void draw_curves(OutputFile& file, const std::vector<std::pair<std::string, gradus::Tensor>>& runs);
