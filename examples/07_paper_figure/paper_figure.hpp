// The parts of the program: the experiment, how far it is, and the figure.
#pragma once

#include "images.hpp"
#include "output_file.hpp"
#include "terminal.hpp"
#include "timing.hpp"

// --- progress.cpp: on a terminal with a bar and the time left, else with a line now and then

/// Thrown out of Progress::step after Ctrl-C.
struct Interrupted {};

/// Counts the steps of all trainings and shows them on stderr. From its construction on Ctrl-C is noticed by step().
class Progress {
 public:
  Progress(std::int64_t steps, bool quiet);

  void start(std::string training);                    ///< The next steps belong to this training.
  void step(double test_accuracy);                     ///< One more is done.
  double seconds() const { return now() - started_; }  ///< since the first training began

 private:
  std::string text(double test_accuracy) const;

  const std::int64_t steps_;
  ProgressLine line_;
  std::string training_;
  std::int64_t done_ = 0;
  double started_ = 0;
};

// --- experiment.cpp: that of Ioffe & Szegedy 2015, section 4.1, three hidden layers of 100 sigmoids

/// Fixed by the paper.
constexpr std::int64_t hidden_units = 100, batch_size = 60;

/// What the paper leaves open, and how long to train.
struct Settings {
  std::int64_t steps = 5000;
  std::int64_t eval_every = 0;  // steps from one point of the curves to the next; 0: a 200th of all
  double lr = 0.1;
  double init_std = 0.1;   // of the normal distribution from which all weights are drawn; biases start at 0
  double threshold = 0.5;  // brighter pixels are 1, the others 0
  std::int64_t unit = 0;   // the sigmoid of the last hidden layer that is watched
  std::int64_t seed = 0;
};

/// The pixels of both parts as the paper's binary images.
ImageSet binarised(const ImageSet& images, double threshold);

/// Trains one of the two networks. The same seed gives both the same weights at first, and the same batches. Returns,
/// float64 (points, 5): steps done; the accuracy on test images, in evaluation mode; the 15th, 50th and 85th percentile
/// of the sigmoid's input, in training mode, over all batches since the point before.
/// Throws gradus::ValueError when it diverges.
gradus::Tensor train(const ImageSet& images, bool batch_norm, const Settings& settings, Progress& progress);

// --- figure.cpp: the three panels of Fig. 1, and their numbers as a table

struct Experiment {
  std::string data;  // what the images are, e.g. "MNIST"
  std::int64_t training_images, test_images;
  bool digits;  // the small set of the examples: shows the method, not the paper's result
  Settings settings;
  gradus::Tensor plain = {}, batch_norm = {};  // what train() returns
};

/// What was run, in a few words. A run on the digits never goes by the name of the paper's figure.
std::string figure_title(const Experiment& experiment);

/// One line a point: step, test accuracies, percentiles.
std::string figure_csv(const Experiment& experiment);

/// The picture, with all settings in its caption.
void draw_figure(OutputFile& file, const Experiment& experiment);
