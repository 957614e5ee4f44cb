#include "progress.hpp"

#include "terminal.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace {

volatile std::sig_atomic_t interrupted = 0;
void interrupt(int) { interrupted = 1; }

}  // namespace

Progress::Progress(std::int64_t steps, bool quiet)
    : steps_(steps), quiet_(quiet), live_(!quiet && isatty(STDERR_FILENO)) {
  std::signal(SIGINT, interrupt);
  std::signal(SIGTERM, interrupt);
}

Progress::~Progress() {
  if (live_ && done_ > 0 && done_ < steps_) std::fprintf(stderr, "\n");
}

void Progress::start(std::string training) {
  training_ = std::move(training);
  if (done_ > 0) return;
  started_ = now();
  next_update_ = started_ + 0.5;  // the first steps say little of the time left
}

void Progress::step(double test_accuracy) {
  if (interrupted) throw Interrupted();
  ++done_;
  if (!quiet_ && due()) show(test_accuracy);
}

double Progress::seconds() const { return now() - started_; }

bool Progress::due() {
  if (!live_) return done_ * 20 / steps_ > (done_ - 1) * 20 / steps_;
  if (now() < next_update_ && done_ < steps_) return false;
  next_update_ = now() + 0.1;
  return true;
}

void Progress::show(double test_accuracy) const {
  const double left = seconds() / static_cast<double>(done_) * static_cast<double>(steps_ - done_);
  const auto whole = static_cast<int>(left + 0.5);
  std::fprintf(stderr, "%s%-18s [%s] %3d %%  test accuracy %.4f  %d:%02d left%s", live_ ? "\r" : "", training_.c_str(),
               bar(done_, steps_).c_str(), static_cast<int>(100 * done_ / steps_), test_accuracy, whole / 60,
               whole % 60, live_ && done_ < steps_ ? "   " : "\n");
}
