#include "runtime/parallel_for.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>

#ifdef __linux__
#include <sched.h>
#endif

namespace gradus::detail {
namespace {

constexpr double unlimited = INFINITY;

/// In version 2 a file holds "50000 100000" or "max 100000"; in version 1 both numbers have files of their own, and no
/// quota is -1.
double quota_of_folder(const std::string& folder) {
  double microseconds = 0, period = 0;
  if (!(std::ifstream(folder + "/cpu.max") >> microseconds >> period)) {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> microseconds;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  return microseconds > 0 && period > 0 ? microseconds / period : unlimited;
}

/// The smallest quota on the way from `group` up to the folder where the groups are mounted.
double quota_of_group(const std::string& mount, std::string group) {
  double quota = quota_of_folder(mount);
  for (; group.size() > 1; group.erase(group.rfind('/'))) quota = std::min(quota, quota_of_folder(mount + group));
  return quota;
}

bool lists_cpu(const std::string& controllers) { return ("," + controllers + ",").find(",cpu,") != std::string::npos; }

int processors_in_mask() {
#ifdef __linux__
  for (int most = 1024; most <= 1 << 20; most *= 2) {  // EINVAL while the mask is smaller than the kernel's
    cpu_set_t* mask = CPU_ALLOC(most);
    if (!mask) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(most);
    const int count = sched_getaffinity(0, bytes, mask) == 0 ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return count;
  }
#endif
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

double cpu_quota(const std::string& membership, const std::string& root) {
  double quota = unlimited;
  std::istringstream lines(membership);
  for (std::string line; std::getline(lines, line);) {  // "0::/group", or "4:cpu,cpuacct:/group"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), group = line.substr(second + 1);
    if (group.empty() || group[0] != '/') continue;
    if (controllers.empty()) quota = std::min(quota, quota_of_group(root, group));
    if (!lists_cpu(controllers)) continue;
    quota = std::min(quota, quota_of_group(root + "/" + controllers, group));
    if (controllers != "cpu") quota = std::min(quota, quota_of_group(root + "/cpu", group));
  }
  return quota;
}

int available_processors() {
  const int most = processors_in_mask();
  std::ostringstream membership;
  membership << std::ifstream("/proc/self/cgroup").rdbuf();
  const double quota = std::ceil(cpu_quota(membership.str(), "/sys/fs/cgroup"));
  return quota < most ? std::max(1, static_cast<int>(quota)) : most;
}

}  // namespace gradus::detail
