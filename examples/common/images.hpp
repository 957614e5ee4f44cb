// The two sets of images: digits that come with gradus, and MNIST's files in a folder of the user's.
#pragma once

#include <gradus/core/tensor.hpp>

#include <string>

struct Images {
  gradus::Tensor x;  // (N, height * width), pixels from 0 to 1
  gradus::Tensor y;  // (N), int64
};

struct ImageSet {
  Images train, test;
  std::int64_t height, width;
};

/// 8 x 8 digits: 1437 of the 1797, drawn from the default generator, are for training.
ImageSet load_digits(const std::string& csv_path);

/// The four IDX files of MNIST, or of a set in its form such as Fashion-MNIST, plain or compressed (.gz).
ImageSet load_mnist(const std::string& folder);
