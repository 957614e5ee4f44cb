#include "terminal.hpp"

#include "text.hpp"
#include "timing.hpp"

#include <unistd.h>

#include <algorithm>

std::string bar(std::int64_t done, std::int64_t all) {
  constexpr std::int64_t width = 30;
  const std::int64_t filled = width * done / all;
  return std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(width - filled), '.');
}

ProgressLine::ProgressLine(std::FILE* out, bool quiet)
    : out_(out), quiet_(quiet), live_(!quiet && isatty(fileno(out))) {}

ProgressLine::~ProgressLine() {
  if (shown_ > 0) std::fputc('\n', out_);
}

bool ProgressLine::due() {
  if (!live_ || now() < next_) return false;
  next_ = now() + 0.05;
  return true;
}

void ProgressLine::update(const std::string& text) {
  write(text, "");
  shown_ = width(text);
}

void ProgressLine::print(const std::string& text) {
  if (quiet_) return;
  write(text, "\n");
  shown_ = 0;
}

void ProgressLine::write(const std::string& text, const char* end) {
  const std::string rest(shown_ - std::min(shown_, width(text)), ' ');
  std::fprintf(out_, "%s%s%s%s", live_ ? "\r" : "", text.c_str(), rest.c_str(), end);
  std::fflush(out_);
}
