// The line protocol of comparisons between frameworks. A program of it measures workloads and prints, for each,
//
//   workload <TAB> variant <TAB> median nanoseconds <TAB> calls
//
// and, after "#q", how undisturbed that was: the tenth percentile, the processors that others used, and the share of
// the samples that were taken at full speed.
//
// Arguments choose workloads: "=NAME" one, other text every one whose name contains it; none: all. The environment sets
// THREADS (1), VARIANT (the implementation's name), BENCH_SECONDS (0.4) to spend on each, and BENCH_CALIB_NS (measured
// at the start), the time of machine.hpp's loop at full speed.
#pragma once

#include "machine.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace bench {

class Bench {
 public:
  Bench(int argc, char** argv, std::string name) : filters_(argv + 1, argv + argc), name_(std::move(name)) {
    if (const char* variant = std::getenv("VARIANT")) name_ = variant;
  }

  int threads() const { return std::max(1, static_cast<int>(number_from("THREADS", 1))); }

  bool wants(const std::string& workload) const {
    return filters_.empty() || std::any_of(filters_.begin(), filters_.end(), [&](const std::string& filter) {
             return filter.starts_with('=') ? filter.substr(1) == workload : workload.find(filter) != std::string::npos;
           });
  }

  /// Times calls of f, each standing for `per_call` units of work. A sample is as many calls as take 50 us. Samples
  /// come in chunks of 20 ms, and those count that lie between two moments in which the machine ran at full speed; all,
  /// when there are none. The median of the samples is reported.
  template <class F>
  void measure(const std::string& workload, F f, double per_call = 1) const {
    if (!wants(workload)) return;
    const double budget = 1e9 * number_from("BENCH_SECONDS", 0.4);
    const double start = now_ns();
    long warm = 0;
    while (warm < 3 || (now_ns() - start < 0.2 * budget && warm < 20000)) f(), ++warm;
    const double once = (now_ns() - start) / static_cast<double>(warm);
    const long calls = std::max(1L, static_cast<long>(50e3 / once));

    std::vector<double> good, all;
    const Load before;
    const double begin = now_ns();
    double spent_well = 0;
    bool fast = machine_.at_full_speed(threads());
    while (all.size() < 5 || (spent_well < budget && now_ns() - begin < 4 * budget)) {
      f();  // brings back what looking at the machine has pushed out of the caches
      const std::size_t first = all.size();
      const double chunk = now_ns();
      do {
        const double sample = now_ns();
        for (long i = 0; i < calls; ++i) f();
        all.push_back((now_ns() - sample) / static_cast<double>(calls) / per_call);
      } while (now_ns() - chunk < 20e6);
      const double length = now_ns() - chunk;
      const bool still_fast = machine_.at_full_speed(threads());
      if (fast && still_fast) {
        good.insert(good.end(), all.begin() + static_cast<std::ptrdiff_t>(first), all.end());
        spent_well += length;
      }
      fast = still_fast;
    }
    std::vector<double>& samples = good.empty() ? all : good;
    std::sort(samples.begin(), samples.end());
    report(workload, samples[samples.size() / 2], static_cast<long>(samples.size()) * calls);
    std::printf("#q\t%s\t%s\tp10=%.1f\tothers=%.3f\tgood=%.2f\n", workload.c_str(), name_.c_str(),
                samples[samples.size() / 10], Load().others_since(before),
                static_cast<double>(good.size()) / static_cast<double>(all.size()));
  }

  void report(const std::string& workload, double value, long calls) const {
    std::printf("%s\t%s\t%.1f\t%ld\n", workload.c_str(), name_.c_str(), value, calls);
    std::fflush(stdout);
  }

 private:
  std::vector<std::string> filters_;
  std::string name_;
  Machine machine_;
};

/// The nets of the training workloads: hidden layers are Linear, BatchNorm1d, ReLU; the last is Linear.
struct NetSpec {
  std::string name;
  std::vector<std::int64_t> sizes;
  std::int64_t batch;
};
inline const std::vector<NetSpec>& nets() {
  static const std::vector<NetSpec> all{{"tiny", {2, 16, 16, 2}, 32},
                                        {"digits", {64, 100, 100, 100, 10}, 60},
                                        {"mnist", {784, 256, 128, 10}, 128},
                                        {"large", {1024, 2048, 2048, 1024}, 512}};
  return all;
}
inline const NetSpec& net(const std::string& name) {
  return *std::find_if(nets().begin(), nets().end(), [&](const NetSpec& spec) { return spec.name == name; });
}

struct BatchSpec {
  const char* name;
  std::int64_t n, c, l;  // l = 0: (N, C)
};
inline constexpr BatchSpec batches[] = {{"32x64", 32, 64, 0},         {"256x256", 256, 256, 0},
                                        {"1024x1024", 1024, 1024, 0}, {"8192x1024", 8192, 1024, 0},
                                        {"32x64x128", 32, 64, 128},   {"64x256x256", 64, 256, 256}};

inline constexpr std::size_t batches_in_rotation = 4;

}  // namespace bench
