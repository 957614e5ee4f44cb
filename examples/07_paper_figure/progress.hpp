// How far the program is: on a terminal with a bar and the time left, else with a line now and then.
#pragma once

#include "terminal.hpp"

#include <cstdint>
#include <string>

/// Thrown out of Progress::step after Ctrl-C.
struct Interrupted {};

/// Counts the steps of all trainings and shows them on stderr. From its construction on Ctrl-C is noticed by step().
class Progress {
 public:
  Progress(std::int64_t steps, bool quiet);

  void start(std::string training);  ///< The next steps belong to this training.
  void step(double test_accuracy);   ///< One more is done.
  double seconds() const;            ///< since the first training began

 private:
  std::string text(double test_accuracy) const;

  const std::int64_t steps_;
  ProgressLine line_;
  std::string training_;
  std::int64_t done_ = 0;
  double started_ = 0;
};
