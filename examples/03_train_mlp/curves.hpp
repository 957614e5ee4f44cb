// Loss and accuracy over the epochs of one or more runs, as a picture.
#pragma once

#include "training.hpp"

#include <string>
#include <vector>

/// The columns of --csv: epoch, train_loss, train_accuracy, test_loss, test_accuracy, seconds; float64 (epochs, 6).
gradus::Tensor to_table(const std::vector<EpochResult>& results);

/// The table that --csv has written. Throws gradus::FileError for another file.
gradus::Tensor read_results(const std::string& csv_path);

struct Curves {
  std::string name;
  gradus::Tensor table;
};

/// Losses on the left, on a logarithmic scale, test accuracies on the right. Throws as gnuplot().
std::string curves_svg(const std::vector<Curves>& runs);
