// The loop: epochs of batches in random order, with checkpoints from which it goes on as if it had never stopped.
#pragma once

#include "images.hpp"

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

struct Score {
  double loss = 0;
  double accuracy = 0;
};

struct EpochResult {
  std::int64_t epoch;  // counted from 1
  Score train, test;   // train: the mean over the epoch's batches, each before its step
  double seconds;      // since the start
  double samples_per_second;
};

/// What a training tells those who watch it.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void on_step(std::int64_t epoch, std::int64_t step, std::int64_t steps, double loss) = 0;
  virtual void on_epoch(const EpochResult& result) = 0;
};

/// (Linear, BatchNorm1d, ReLU) for every hidden layer, then Linear; without BatchNorm the hidden layers have a bias.
gradus::nn::Sequential make_mlp(const std::vector<std::int64_t>& sizes, bool batch_norm);

/// Mean loss and accuracy in evaluation mode.
Score evaluate(gradus::nn::Module& model, const Images& images);
/// The most likely class of every image, int64 (N).
gradus::Tensor predict(gradus::nn::Module& model, const gradus::Tensor& x);

/// The settings that a checkpoint of this program holds for, by their names on the command line.
std::optional<gradus::Value> settings_in(const gradus::Value& file);

class Training {
 public:
  Training(gradus::nn::Module& model, const ImageSet& images, const Settings& settings);

  /// Continues the training whose checkpoint this is. Throws gradus::Error, and changes nothing, when it does not fit.
  void resume(const std::string& path);
  /// Trains to the last epoch, or until `*interrupted` is set: then the current step is finished and saved. Returns
  /// whether it came to the end.
  bool run(Observer& observer, const volatile std::sig_atomic_t* interrupted);

 private:
  struct Progress {
    std::int64_t epoch = 0, step = 0;      // whole epochs done, and steps of the next one
    double loss_sum = 0, correct = 0;      // over these steps
    std::vector<std::uint8_t> order = {};  // the generator's state before it drew the order of this epoch
  };

  bool run_epoch(Observer& observer, const volatile std::sig_atomic_t* interrupted);
  void train_step(const gradus::Tensor& rows);
  gradus::Tensor forward(const gradus::Tensor& x);
  [[noreturn]] void throw_diverged() const;
  void save();

  gradus::nn::Module& model_;
  const ImageSet& images_;
  Settings settings_;
  std::unique_ptr<gradus::optim::Optimizer> optimizer_;
  gradus::optim::CosineAnnealingLR schedule_;
  Progress progress_;
  double last_loss_ = 0;
};
