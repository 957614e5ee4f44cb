// What a shared machine does while something is timed on it: how fast its processors are, and how many of them others
// use.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>

namespace bench {

inline double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atof(text) : otherwise;
}

inline double now_ns() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The speed of the processors, told by a loop of 800,000 additions and exclusive ors. It takes longer when the clock
/// is low or another virtual machine has the same core, neither of which this system can see otherwise.
class Machine {
 public:
  Machine() : full_speed_ns_(number_from("BENCH_CALIB_NS", 0)) {
    if (full_speed_ns_ > 0) return;
    full_speed_ns_ = loop_ns();
    for (int i = 0; i < 20; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      full_speed_ns_ = std::min(full_speed_ns_, loop_ns());
    }
  }

  /// Whether `threads` (1 or 2) processors run the loop as fast as they can.
  bool at_full_speed(int threads) const {
    double elsewhere = 0;
    std::thread other;
    if (threads > 1) other = std::thread([&] { elsewhere = loop_ns(); });
    const double here = loop_ns();
    if (other.joinable()) other.join();
    return std::max(here, elsewhere) <= 1.03 * full_speed_ns_;
  }

 private:
  static double loop_ns() {
    double best = std::numeric_limits<double>::infinity();
    for (int attempt = 0; attempt < 3; ++attempt) {
      const double start = now_ns();
      std::uint64_t a = 1, b = 2, c = 3, d = 4;
      for (int i = 0; i < 100'000; ++i) {
        a += 3, b += 5, c += 7, d += 9;
        keep(a, b, c, d);
        a ^= 3, b ^= 5, c ^= 7, d ^= 9;
        keep(a, b, c, d);
      }
      best = std::min(best, now_ns() - start);
    }
    return best;
  }
  static void keep(std::uint64_t& a, std::uint64_t& b, std::uint64_t& c, std::uint64_t& d) {
    asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
  }

  double full_speed_ns_;
};

/// Seconds that processors have worked, all of them and for this process, until now.
class Load {
 public:
  Load() : wall_(now_ns() * 1e-9) {
    if (std::FILE* file = std::fopen("/proc/stat", "r")) {
      double user, nice, system, idle, wait, irq, soft, steal;
      if (std::fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &user, &nice, &system, &idle, &wait, &irq, &soft,
                      &steal) == 8) {
        busy_ = (user + nice + system + irq + soft + steal) / static_cast<double>(sysconf(_SC_CLK_TCK));
      }
      std::fclose(file);
    }
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    own_ = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  /// Processors that other programs have used on average.
  double others_since(const Load& before) const {
    return std::max(0.0, (busy_ - before.busy_) - (own_ - before.own_)) / std::max(1e-3, wall_ - before.wall_);
  }

 private:
  double wall_, busy_ = 0, own_ = 0;
};

}  // namespace bench
