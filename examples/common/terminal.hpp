// How far a program is, on a terminal or in a log.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

/// "#########.....................": the share of `all` that is done.
std::string bar(std::int64_t done, std::int64_t all);

/// A line that is written again in its place on a terminal; elsewhere only whole lines appear.
class ProgressLine {
 public:
  ProgressLine(std::FILE* out, bool quiet);
  ~ProgressLine();  ///< Ends a line that is not a whole one.
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  bool live() const { return live_; }
  /// Whether it is time for an update: on a terminal, and not more often than an eye can follow.
  bool due();
  void update(const std::string& text);
  /// A whole line, in the place of what update() wrote.
  void print(const std::string& text);

 private:
  void write(const std::string& text, const char* end);

  std::FILE* out_;
  bool quiet_, live_;
  double next_ = 0;
  std::size_t shown_ = 0;  // columns that update() filled
};
