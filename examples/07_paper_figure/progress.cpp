#include "paper_figure.hpp"
#include "text.hpp"

#include <cmath>
#include <csignal>
#include <cstdio>

namespace {

volatile std::sig_atomic_t interrupted = 0;

}  // namespace

Progress::Progress(std::int64_t steps, bool quiet) : steps_(steps), line_(stderr, quiet) {
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { interrupted = 1; });
}

void Progress::start(std::string training) {
  training_ = std::move(training);
  if (done_ == 0) started_ = now();
}

void Progress::step(double test_accuracy) {
  if (interrupted) throw Interrupted();
  ++done_;
  const bool twentieth = done_ * 20 / steps_ > (done_ - 1) * 20 / steps_;
  if (done_ == steps_ || (twentieth && !line_.live())) {
    line_.print(text(test_accuracy));
  } else if (seconds() > 0.5 && line_.due()) {  // the first steps say little of the time left
    line_.update(text(test_accuracy));
  }
}

std::string Progress::text(double test_accuracy) const {
  const double left = seconds() / static_cast<double>(done_) * static_cast<double>(steps_ - done_);
  const auto whole = static_cast<int>(std::lround(left));
  return formatted("%-18s [%s] %3d %%  test accuracy %.4f  %d:%02d left", training_.c_str(), bar(done_, steps_).c_str(),
                   static_cast<int>(100 * done_ / steps_), test_accuracy, whole / 60, whole % 60);
}
