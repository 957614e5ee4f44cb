// A call of a plan allocates nothing and makes no system call: it runs where the kernel would kill it for one, and,
// where the compiler has it, under the RealtimeSanitizer.
#include "counted_new.hpp"

#include <gradus/gradus.hpp>

#include <gtest/gtest.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gradus::test {
namespace {

struct Case {
  nn::Plan plan;
  std::vector<float> x, y, scratch;
};

/// Every kind of step, and more rows than one block has.
Case make_case(bool half) {
  nn::Sequential net{nn::Conv1d(3, 6, 3, {.padding = "same", .groups = 3}),
                     nn::SiLU(),
                     nn::MaxPool1d(3, {.stride = 1}),
                     nn::Conv1d(6, 3, 3, {.padding = 2, .dilation = 2}),
                     nn::ELU(),
                     nn::AvgPool1d(2, {.stride = 1, .padding = 1}),
                     nn::AdaptiveAvgPool1d(8),
                     nn::LayerNorm(8),
                     nn::Hardtanh(),
                     nn::BatchNorm1d(3),
                     nn::Tanh(),
                     nn::Linear(8, 40),
                     nn::BatchNorm1d(3),
                     nn::LeakyReLU(),
                     nn::Softmax(1),
                     nn::Flatten(),
                     nn::Linear(120, 100),
                     nn::ReLU(),
                     nn::BatchNorm1d(100),
                     nn::Linear(100, 30),
                     nn::Sigmoid(),
                     nn::GELU(),
                     nn::Softplus(),
                     nn::Linear(30, 10),
                     nn::LogSoftmax(1)};
  net.eval();
  nn::Plan plan(net, {3, 8}, {.half_weights = half});
  return {plan, std::vector<float>(100 * 24, 0.25f), std::vector<float>(1000), std::vector<float>(plan.scratch_size())};
}

void call_often(Case& c) noexcept GRADUS_NONBLOCKING {
  for (int i = 0; i < 100; ++i) {
    c.plan(c.x, c.y);
    c.plan(std::span(c.x).first(24), std::span(c.y).first(10));
    c.plan(c.x, c.y, c.scratch);
  }
}

TEST(RealTime, AllocatesNothing) {
  for (const bool half : {false, true}) {
    Case c = make_case(half);
    const long before = calls_of_new;
    call_often(c);
    EXPECT_EQ(calls_of_new - before, 0);
  }
  static_assert(noexcept(std::declval<const nn::Plan&>()(std::span<const float>(), std::span<float>())));
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true, realtime_sanitized = false;
#elif defined(__has_feature)
constexpr bool realtime_sanitized = __has_feature(realtime_sanitizer);
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || realtime_sanitized;
#else
constexpr bool sanitized = false, realtime_sanitized = false;
#endif

void allocate() noexcept GRADUS_NONBLOCKING {
  void* volatile block = std::malloc(10);
  std::free(block);
}

TEST(RealTime, PassesTheRealtimeSanitizer) {
  if (!realtime_sanitized) GTEST_SKIP() << "built without -fsanitize=realtime";
  for (const bool half : {false, true}) {
    Case c = make_case(half);
    call_often(c);  // the sanitizer ends the process at the first call that may wait
  }
  EXPECT_DEATH(allocate(), "RealtimeSanitizer") << "the test would not notice an allocation";
}

/// Strict seccomp allows read, write, exit and the return from a signal; anything else, a lock that waits among them,
/// ends the process.
int run_without_system_calls(Case& c, bool with_one) {
  const pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(77);
    call_often(c);
    if (with_one) getppid();
    syscall(SYS_exit, 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(RealTime, MakesNoSystemCall) {
  if (sanitized) GTEST_SKIP() << "sanitizers make system calls of their own";
  for (const bool half : {false, true}) {
    Case c = make_case(half);
    const int status = run_without_system_calls(c, false);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "this kernel has no seccomp";
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "ended by signal " << WTERMSIG(status);
    const int killed = run_without_system_calls(c, true);
    EXPECT_TRUE(WIFSIGNALED(killed) && WTERMSIG(killed) == SIGKILL) << "the test would not notice a system call";
  }
}

}  // namespace
}  // namespace gradus::test
