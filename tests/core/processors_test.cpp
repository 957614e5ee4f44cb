#include "files.hpp"
#include "runtime/parallel_for.hpp"

#include <gradus/core/parallel.hpp>

#include <thread>

#ifdef __linux__
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace gradus::test {
namespace {

using detail::available_processors;
using detail::cpu_quota;

/// A folder of control groups.
class Groups {
 public:
  void add(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((folder_.path() / file).parent_path());
    write_text(folder_ / file, text);
  }
  double quota(const std::string& membership) const { return cpu_quota(membership, folder_.path()); }

 private:
  TemporaryFolder folder_;
};

TEST(Processors, QuotaOfVersion2) {
  Groups groups;
  groups.add("a/cpu.max", "150000 100000\n");
  groups.add("a/b/cpu.max", "max 100000\n");
  groups.add("c/cpu.max", "50000 100000\n");
  EXPECT_EQ(groups.quota("0::/a\n"), 1.5);
  EXPECT_EQ(groups.quota("0::/a/b\n"), 1.5) << "the group around it has a quota";
  EXPECT_EQ(groups.quota("0::/c/d\n"), 0.5);
  EXPECT_EQ(groups.quota("0::/e\n"), INFINITY);
  EXPECT_EQ(groups.quota("0::/\n"), INFINITY);
}

TEST(Processors, QuotaOfAContainerIsInTheRoot) {
  Groups groups;
  groups.add("cpu.max", "200000 100000\n");
  EXPECT_EQ(groups.quota("0::/\n"), 2);
  EXPECT_EQ(groups.quota("0::/../outside\n"), 2);
}

TEST(Processors, QuotaOfVersion1) {
  Groups groups;
  groups.add("cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n");
  groups.add("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
  groups.add("cpu,cpuacct/b/cpu.cfs_quota_us", "-1\n");
  groups.add("cpu,cpuacct/b/cpu.cfs_period_us", "100000\n");
  groups.add("memory/a/cpu.cfs_quota_us", "1\n");
  EXPECT_EQ(groups.quota("5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n"), 3);
  EXPECT_EQ(groups.quota("4:cpu,cpuacct:/b\n"), INFINITY);
  groups.add("cpu/x/cpu.cfs_quota_us", "100000\n");
  groups.add("cpu/x/cpu.cfs_period_us", "50000\n");
  EXPECT_EQ(groups.quota("4:cpu,cpuacct:/x\n"), 2) << "mounted under its short name";
}

TEST(Processors, WhatIsNoMembershipIsNoQuota) {
  const Groups groups;
  for (const char* text : {"", "\n", "0:", "::", "0::", "nonsense", "4:cpu:", "0::relative"}) {
    EXPECT_EQ(groups.quota(text), INFINITY) << text;
  }
}

#ifdef __linux__
TEST(Processors, ThoseThatTheThreadMayRunOn) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  EXPECT_LE(available_processors(), CPU_COUNT(&allowed));
  EXPECT_GE(available_processors(), 1);
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  std::thread([first] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    EXPECT_EQ(available_processors(), 1);
  }).join();
}

TEST(Processors, DISABLED_OneThreadByDefault) { EXPECT_EQ(get_num_threads(), 1); }

TEST(Processors, AreTheDefaultOfThreads) {  // as `taskset` does it: the program starts with the narrower mask
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    cpu_set_t allowed;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0, kept = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (CPU_ISSET(cpu, &allowed) && ++kept > 1) CPU_CLR(cpu, &allowed);
    }
    sched_setaffinity(0, sizeof allowed, &allowed);
    execl("/proc/self/exe", "processors_test", "--gtest_also_run_disabled_tests",
          "--gtest_filter=Processors.DISABLED_OneThreadByDefault", nullptr);
    _exit(127);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

}  // namespace
}  // namespace gradus::test
