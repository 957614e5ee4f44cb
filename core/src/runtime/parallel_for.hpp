// Splits a range over threads, and knows for how many there are processors.
#pragma once

#include <cstdint>
#include <string>

namespace gradus::detail {

/// Calls task(context, chunk) for every chunk in [0, chunks), on this thread and on others that are free. The first
/// exception thrown is thrown again here, after all chunks have ended.
void run_chunks(int chunks, void (*task)(void* context, int chunk), void* context);

/// How many chunks of at least `grain` items there are threads for: 1 inside another parallel_for.
int chunks_for(std::int64_t items, std::int64_t grain) noexcept;

/// Calls f(lo, hi) for pieces of [begin, end), as many as there are threads; all but the last are a multiple of `unit`
/// long. Less than two grains of work run here, at no cost. While one parallel_for runs, others run on their own
/// thread.
template <class F>
void parallel_for(std::int64_t begin, std::int64_t end, std::int64_t grain, F&& f, std::int64_t unit = 1) {
  const std::int64_t items = end - begin;
  if (items <= 0) return;
  const int chunks = items < 2 * grain ? 1 : chunks_for(items, grain > unit ? grain : unit);
  if (chunks == 1) {
    f(begin, end);
    return;
  }
  struct Split {
    F& f;
    std::int64_t begin, end, units, unit;
    int chunks;
    std::int64_t start(int chunk) const {
      const std::int64_t at = begin + units * chunk / chunks * unit;
      return at < end ? at : end;
    }
  } split{f, begin, end, (items + unit - 1) / unit, unit, chunks};
  run_chunks(
      chunks,
      [](void* context, int chunk) {
        const Split& s = *static_cast<const Split*>(context);
        if (const std::int64_t lo = s.start(chunk), hi = s.start(chunk + 1); lo < hi) s.f(lo, hi);
      },
      &split);
}

// --- how many processors this process may use

/// Those that the calling thread may run on (`taskset`, cpusets), but no more than the processor time that a control
/// group grants the process, rounded up; at least 1.
int available_processors();

/// The quota of the group and the groups around it, in processors: CPU time a period; infinite where there is none.
/// `membership` is the text of /proc/self/cgroup, `root` the folder where control groups are mounted. Both versions:
/// cpu.max, and cpu.cfs_quota_us with cpu.cfs_period_us.
double cpu_quota(const std::string& membership, const std::string& root);

}  // namespace gradus::detail
