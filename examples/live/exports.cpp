// What the page calls. Texts and arrays stay valid until the next call of the same function.
#include "live.hpp"

#include <cmath>
#include <cstdio>
#include <exception>

#ifdef __EMSCRIPTEN__
#include <emscripten.h>
#else
#define EMSCRIPTEN_KEEPALIVE
#endif

namespace {

std::string response, message;
std::vector<float> regions, hidden, points;
std::unique_ptr<live::Comparison> nets;

const float* kept(std::vector<float>& place, std::vector<float> values) {
  place = std::move(values);
  return place.data();
}

/// Calls f, and returns what it throws as a text.
template <class F>
const char* message_of(F f) {
  message.clear();
  try {
    f();
  } catch (const std::exception& e) {
    message = e.what();
  }
  return message.c_str();
}

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

/// Empty, or why the nets cannot start; then those from before stay.
EMSCRIPTEN_KEEPALIVE const char* nets_start(int spirals, int depth, double lr, int seed) {
  return message_of([&] {
    const auto kind = spirals != 0 ? live::Points::spirals : live::Points::moons;
    nets =
        std::make_unique<live::Comparison>(live::ComparisonOptions{kind, depth, lr, static_cast<std::uint64_t>(seed)});
  });
}

/// Empty, or why training cannot go on.
EMSCRIPTEN_KEEPALIVE const char* nets_steps(int count) {
  return message_of([count] {
    for (int i = 0; i < count; ++i) nets->step();
  });
}
EMSCRIPTEN_KEEPALIVE double nets_loss(int net) { return nets->loss(net); }
EMSCRIPTEN_KEEPALIVE const float* nets_regions(int net, int n) { return kept(regions, nets->regions(net, n)); }
EMSCRIPTEN_KEEPALIVE const float* nets_hidden(int net) { return kept(hidden, nets->hidden(net)); }
EMSCRIPTEN_KEEPALIVE int nets_hidden_count() { return static_cast<int>(hidden.size()); }
EMSCRIPTEN_KEEPALIVE const float* nets_points() { return kept(points, nets->points()); }
EMSCRIPTEN_KEEPALIVE int nets_points_count() { return static_cast<int>(points.size()) / 3; }

}  // extern "C"
