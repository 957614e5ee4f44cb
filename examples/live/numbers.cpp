// The page's numbers without the page, for its tests: reads a request (live.hpp) and prints the response; with
// --printed as the page prints numbers; with --steps N times N steps of both nets of the second tab.
#include "../common/timing.hpp"
#include "live.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <iterator>
#include <sstream>

extern "C" const char* live_printed(double value);

namespace {

/// The response with every number as the page prints it.
std::string printed(const std::string& response) {
  std::istringstream words(response);
  std::string text;
  for (std::string line; std::getline(words, line);) {
    std::istringstream parts(line);
    for (std::string word; parts >> word;) {
      char* end = nullptr;
      const double value = std::strtod(word.c_str(), &end);
      text += (*end == '\0' ? live_printed(value) : word) + " ";
    }
    text.back() = '\n';
  }
  return text;
}

void time_steps(int count) {
  live::Comparison nets({});
  const double start = now();
  for (int i = 0; i < count; ++i) nets.step();
  const double seconds = now() - start;
  std::printf("%.0f steps a second, losses %.6f %.6f\n", count / seconds, nets.loss(0), nets.loss(1));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string option = argc > 1 ? argv[1] : "";
    if (option == "--steps" && argc == 3) {
      time_steps(std::atoi(argv[2]));
      return 0;
    }
    const std::string request{std::istreambuf_iterator<char>(std::cin), {}};
    const std::string response = live::compute(request);
    std::cout << (option == "--printed" ? printed(response) : response);
    return response.starts_with("error ") ? 1 : 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "numbers: %s\n", e.what());
    return 1;
  }
}
