// The line protocol of comparisons between frameworks. A program of it measures workloads and prints, for each,
//
//   workload <TAB> variant <TAB> median nanoseconds <TAB> calls
//
// Arguments choose workloads: "=NAME" one, other text every one whose name contains it; none: all. The environment sets
// THREADS (1), VARIANT (the implementation's name) and BENCH_SECONDS (0.4) to spend on each.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace bench {

inline double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atof(text) : otherwise;
}

inline double now_ns() {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

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

  /// Times calls of f, each standing for `per_call` units of work. A sample is as many calls as take 50 us; the median
  /// of the samples is what counts, so that a sample in which the machine did something else does not.
  template <class F>
  void measure(const std::string& workload, F f, double per_call = 1) const {
    if (!wants(workload)) return;
    const double budget = 1e9 * number_from("BENCH_SECONDS", 0.4);
    const double start = now_ns();
    long warm = 0;
    while (warm < 3 || (now_ns() - start < 0.2 * budget && warm < 20000)) f(), ++warm;
    const double once = (now_ns() - start) / static_cast<double>(warm);
    const long calls = std::max(1L, static_cast<long>(50e3 / once));
    std::vector<double> samples;
    for (const double begin = now_ns(); now_ns() - begin < budget || samples.size() < 5;) {
      const double before = now_ns();
      for (long i = 0; i < calls; ++i) f();
      samples.push_back((now_ns() - before) / static_cast<double>(calls));
    }
    std::sort(samples.begin(), samples.end());
    report(workload, samples[samples.size() / 2] / per_call, static_cast<long>(samples.size()) * calls);
  }

  void report(const std::string& workload, double value, long calls) const {
    std::printf("%s\t%s\t%.1f\t%ld\n", workload.c_str(), name_.c_str(), value, calls);
    std::fflush(stdout);
  }

 private:
  std::vector<std::string> filters_;
  std::string name_;
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
