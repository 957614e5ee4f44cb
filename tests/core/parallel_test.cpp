#include "runtime/parallel_for.hpp"

#include <gradus/core/error.hpp>
#include <gradus/core/parallel.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <thread>
#include <vector>

#ifdef __unix__
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace gradus {
namespace {

using detail::parallel_for;

/// Gives back the number of threads that a test has changed.
struct ParallelTest : testing::Test {
  int before = get_num_threads();
  ~ParallelTest() override { set_num_threads(before); }
};

TEST_F(ParallelTest, NumberOfThreadsIsWhatWasSet) {
  EXPECT_GE(get_num_threads(), 1);
  set_num_threads(3);
  EXPECT_EQ(get_num_threads(), 3);
}

TEST_F(ParallelTest, RefusesFewerThanOneThread) {
  set_num_threads(3);
  EXPECT_THROW(set_num_threads(0), ValueError);
  EXPECT_THROW(set_num_threads(-2), ValueError);
  EXPECT_EQ(get_num_threads(), 3);
}

TEST_F(ParallelTest, VisitsEveryItemOnceInPiecesOfWholeUnits) {
  for (const int threads : {1, 2, 3, 7}) {
    set_num_threads(threads);
    for (const std::int64_t items : {0, 1, 15, 16, 17, 33, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(items));
      std::atomic<int> ragged{0};
      parallel_for(
          5, 5 + items, 10,
          [&](std::int64_t lo, std::int64_t hi) {
            EXPECT_LT(lo, hi);
            if ((lo - 5) % 16 != 0) ++ragged;
            for (std::int64_t i = lo; i < hi; ++i) ++visits[static_cast<std::size_t>(i - 5)];
          },
          16);
      for (const auto& count : visits) EXPECT_EQ(count, 1) << items << " items, " << threads << " threads";
      EXPECT_EQ(ragged, 0);
    }
  }
}

TEST_F(ParallelTest, SmallWorkStaysOnThisThread) {
  set_num_threads(4);
  parallel_for(0, 199, 100, [](std::int64_t lo, std::int64_t hi) {
    EXPECT_EQ(lo, 0);
    EXPECT_EQ(hi, 199);
  });
}

TEST_F(ParallelTest, NestedWorkStaysOnItsThread) {
  set_num_threads(2);
  std::atomic<int> pieces{0}, items{0};
  parallel_for(0, 2, 1, [&](std::int64_t, std::int64_t) {
    const auto outer = std::this_thread::get_id();
    parallel_for(0, 1000, 1, [&](std::int64_t lo, std::int64_t hi) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++pieces;
      items += static_cast<int>(hi - lo);
    });
  });
  EXPECT_EQ(pieces, 2);
  EXPECT_EQ(items, 2000);
}

TEST_F(ParallelTest, ExceptionsReachTheCallerAfterAllPiecesEnded) {
  set_num_threads(4);
  for (const std::int64_t culprit : {0, 399, 799}) {
    std::atomic<int> ended{0};
    const auto work = [&](std::int64_t lo, std::int64_t hi) {
      ++ended;
      if (lo <= culprit && culprit < hi) throw std::runtime_error("no");
    };
    EXPECT_THROW(parallel_for(0, 800, 1, work), std::runtime_error);
    EXPECT_EQ(ended, 4);
  }
  int sum = 0;
  parallel_for(0, 1, 1, [&](std::int64_t, std::int64_t) { ++sum; });
  EXPECT_EQ(sum, 1);
}

TEST_F(ParallelTest, ManyCallersDoNotWaitForEachOther) {
  set_num_threads(2);
  std::atomic<std::int64_t> total{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        parallel_for(0, 100, 1, [&](std::int64_t lo, std::int64_t hi) { total += hi - lo; });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(total, 4 * 200 * 100);
}

TEST_F(ParallelTest, WorksAgainAfterThreadsWentToSleep) {
  set_num_threads(2);
  for (int i = 0; i < 3; ++i) {
    std::atomic<std::int64_t> total{0};
    parallel_for(0, 100, 1, [&](std::int64_t lo, std::int64_t hi) { total += hi - lo; });
    EXPECT_EQ(total, 100);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

#if defined(__unix__) && !defined(__SANITIZE_THREAD__)
TEST_F(ParallelTest, ForkedChildHasThreadsOfItsOwn) {
  set_num_threads(2);
  const auto count = [] {
    std::atomic<std::int64_t> total{0};
    parallel_for(0, 100, 1, [&](std::int64_t lo, std::int64_t hi) { total += hi - lo; });
    return total.load();
  };
  EXPECT_EQ(count(), 100);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);
    _exit(count() == 100 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
#endif

}  // namespace
}  // namespace gradus
