// How many processors this process may use.
#pragma once

#include <string>

namespace gradus::detail {

/// Those that the calling thread may run on (`taskset`, cpusets), but no more than the processor time that a control
/// group grants the process, rounded up; at least 1.
int available_processors();

/// The quota of the group and the groups around it, in processors: CPU time a period; infinite where there is none.
/// `membership` is the text of /proc/self/cgroup, `root` the folder where control groups are mounted. Both versions:
/// cpu.max, and cpu.cfs_quota_us with cpu.cfs_period_us.
double cpu_quota(const std::string& membership, const std::string& root);

}  // namespace gradus::detail
