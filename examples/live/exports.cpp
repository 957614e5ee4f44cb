// What the page calls. Texts and arrays stay valid until the next call of the same function.
#include "model.hpp"
#include "trainer.hpp"

#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#ifdef __EMSCRIPTEN__
#include <emscripten.h>
#else
#define EMSCRIPTEN_KEEPALIVE
#endif

namespace {

std::string response, message;
std::vector<float> regions, hidden, points;
std::unique_ptr<live::Race> race;

}  // namespace

extern "C" {

EMSCRIPTEN_KEEPALIVE const char* live_compute(const char* request) {
  response = live::compute(request);
  return response.c_str();
}

/// The text of a number: six digits, as the lesson in the terminal prints it.
EMSCRIPTEN_KEEPALIVE const char* live_printed(double value) {
  static char text[32];
  std::snprintf(text, sizeof text, "%.6g", std::abs(value) < 1e-12 ? 0 : value);
  return text;
}

/// Empty, or why the race cannot start; then the last one goes on.
EMSCRIPTEN_KEEPALIVE const char* race_start(int spirals, int depth, double lr, int seed) {
  message.clear();
  try {
    race = std::make_unique<live::Race>(live::RaceOptions{spirals != 0 ? live::Points::spirals : live::Points::moons,
                                                          depth, lr, static_cast<std::uint64_t>(seed)});
  } catch (const std::exception& e) {
    message = e.what();
  }
  return message.c_str();
}

EMSCRIPTEN_KEEPALIVE void race_steps(int count) {
  for (int i = 0; i < count; ++i) race->step();
}
EMSCRIPTEN_KEEPALIVE double race_loss(int net) { return race->loss(net); }
EMSCRIPTEN_KEEPALIVE const float* race_regions(int net, int n) {
  regions = race->regions(net, n);
  return regions.data();
}
EMSCRIPTEN_KEEPALIVE const float* race_hidden(int net) {
  hidden = race->hidden(net);
  return hidden.data();
}
EMSCRIPTEN_KEEPALIVE int race_hidden_count() { return static_cast<int>(hidden.size()); }
EMSCRIPTEN_KEEPALIVE const float* race_points() {
  points = race->points();
  return points.data();
}
EMSCRIPTEN_KEEPALIVE int race_points_count() { return static_cast<int>(points.size()) / 3; }

}  // extern "C"
