// The loop: epochs of batches in random order, with checkpoints from which it goes on as if it had never stopped.
#pragma once

#include "report.hpp"

#include <gradus/gradus.hpp>

#include <csignal>

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
