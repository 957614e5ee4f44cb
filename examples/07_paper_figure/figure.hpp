// The three panels of Fig. 1 of Ioffe & Szegedy 2015, and their numbers as a table.
#pragma once

#include "experiment.hpp"
#include "output_file.hpp"

#include <string>

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
