// The parts of the program: what a training shows, and the training itself.
#pragma once

#include "images.hpp"
#include "output_file.hpp"
#include "terminal.hpp"
#include "training.hpp"

#include <gradus/gradus.hpp>

#include <csignal>
#include <fstream>

// --- report.cpp: on a terminal with a live line, in a pipe with plain ones; as a table and as a picture

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

// --- trainer.cpp: epochs of batches in random order, with checkpoints from which it goes on as if it had never stopped

struct Settings {
  std::int64_t epochs = 20;
  std::int64_t batch_size = 60;
  double lr = 0.1;
  std::int64_t seed = 0;
  std::string optimizer = "sgd";
  std::string save_path;        // empty: no checkpoint
  std::int64_t save_every = 0;  // steps between checkpoints; 0: one after every epoch
};

/// The settings that a checkpoint of this program holds for, by their names on the command line.
std::optional<gradus::Value> settings_in(const gradus::Value& file);

class Trainer {
 public:
  Trainer(gradus::nn::Module& model, const Images& images, const Settings& settings);

  /// Continues the training whose checkpoint this is. Throws gradus::Error, and changes nothing, when it does not fit.
  void resume(const std::string& path);
  /// Trains to the last epoch, or until `*interrupted` is set: then the current step is finished and saved. Returns
  /// whether it came to the end.
  bool run(const Images& test, Report& report, const volatile std::sig_atomic_t* interrupted);

 private:
  struct Progress {
    std::int64_t epoch = 0, step = 0;      // whole epochs done, and steps of the next one
    double loss_sum = 0, correct = 0;      // over these steps
    std::vector<std::uint8_t> order = {};  // the generator's state before it drew the order of this epoch
  };

  bool run_epoch(Report& report, const volatile std::sig_atomic_t* interrupted);
  double train_step(const gradus::Tensor& rows);
  [[noreturn]] void throw_diverged() const;
  void save();

  gradus::nn::Module& model_;
  const Images& images_;
  Settings settings_;
  std::unique_ptr<gradus::optim::Optimizer> optimizer_;
  gradus::optim::CosineAnnealingLR schedule_;
  Progress progress_;
};
