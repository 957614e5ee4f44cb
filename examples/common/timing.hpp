// How long something takes.
#pragma once

#include <algorithm>
#include <chrono>

/// Seconds since some fixed moment.
inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Microseconds of one call, the shortest of many runs: what the machine does besides makes only longer ones.
template <class F>
double microseconds(F f, int runs = 30, int calls_each = 1) {
  double shortest = 1e9;
  for (int run = 0; run < runs; ++run) {
    const double start = now();
    for (int i = 0; i < calls_each; ++i) f();
    shortest = std::min(shortest, (now() - start) * 1e6 / calls_each);
  }
  return shortest;
}
