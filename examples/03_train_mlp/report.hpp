// What a training shows: on a terminal with a live line, in a pipe with plain ones.
#pragma once

#include "terminal.hpp"
#include "training.hpp"

#include <fstream>
#include <vector>

/// The layers with the shapes of their outputs and their numbers of parameters.
void print_model(gradus::nn::Sequential& model, std::int64_t inputs);

/// Counts of (true class, predicted class), and the first few images that were taken for something else.
void print_confusion(const gradus::Tensor& truth, const gradus::Tensor& predicted);
void print_mistakes(const ImageSet& images, const gradus::Tensor& predicted, int most);

/// Prints epochs, and writes them to a CSV file when a path is given: a new one, or further lines when resuming.
class Report : public Observer {
 public:
  Report(bool quiet, const std::string& csv_path, bool resuming);
  void on_step(std::int64_t epoch, std::int64_t step, std::int64_t steps, double loss) override;
  void on_epoch(const EpochResult& result) override;
  /// Of the epochs that were trained in this run: none when it resumed a training that was over.
  const std::vector<EpochResult>& results() const { return results_; }

 private:
  ProgressLine line_;
  std::ofstream csv_;
  std::string csv_path_;
  std::vector<EpochResult> results_;
};
