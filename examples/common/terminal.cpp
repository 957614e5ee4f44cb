#include "terminal.hpp"

#include <chrono>

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string bar(std::int64_t done, std::int64_t all) {
  constexpr std::int64_t width = 30;
  const std::int64_t filled = width * done / all;
  return std::string(static_cast<std::size_t>(filled), '#') +
         std::string(static_cast<std::size_t>(width - filled), '.');
}

std::string one_line(std::string text) {
  for (std::size_t at; (at = text.find('\n')) != std::string::npos;) {
    text.replace(at, text[at + 1] == '\t' ? 2 : 1, "; ");
  }
  return text;
}
