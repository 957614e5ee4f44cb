// A training that is killed or interrupted at any moment, again and again: its checkpoint is always one that was
// written completely, and in the end the training has come, to the bit, to where one comes that is left alone.
#include "files.hpp"
#include "full_disk.hpp"
#include "paths.hpp"
#include "run.hpp"

#include <gradus/gradus.hpp>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <sstream>

extern char** environ;

namespace gradus::test {
namespace {

constexpr int epochs = 20, steps = 23;  // steps an epoch: 1437 digits, 60 at a time

std::vector<std::string> arguments(const std::string& checkpoint) {
  return {example_path("03_train_mlp"), "--quiet", "--threads", "1", "--optimizer", "adam", "--epochs",
          std::to_string(epochs),       "--save",  checkpoint};
}

pid_t start(std::vector<std::string> command) {
  std::vector<char*> pointers;
  for (std::string& word : command) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  const int error = posix_spawn(&child, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + command[0]);
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

/// The number of the file under this name, which changes whenever another takes its place; 0 when there is none.
ino_t identity(const std::string& path) {
  struct stat status;
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// Steps that the checkpoint stands for, once all its parts have agreed on them.
std::int64_t steps_in(const std::string& path) {
  const Value checkpoint = load_value(path);
  const std::int64_t epoch = checkpoint["progress"]["epoch"].as_int();
  const std::int64_t count = epoch * steps + checkpoint["progress"]["step"].as_int();
  const StateDict model = checkpoint["model"].as_state_dict();
  for (const char* norm : {"1", "4", "7"}) {
    EXPECT_EQ(model.at(norm + std::string(".num_batches_tracked")).item<std::int64_t>(), count) << "layer " << norm;
  }
  for (const auto& [parameter, state] : checkpoint["optimizer"]["state"].as_dict()) {
    EXPECT_EQ(state["step"].as_tensor().item<std::int64_t>(), count) << "parameter " << parameter.as_int();
  }
  EXPECT_EQ(checkpoint["scheduler"]["last_epoch"].as_int(), epoch);
  return count;
}

class Crash : public ::testing::TestWithParam<const char*> {
 protected:
  std::vector<std::string> command_for(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> command = arguments(checkpoint);
    if (identity(checkpoint) != 0) command.insert(command.end(), {"--resume", checkpoint});
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  enum class After { start, save, begin_of_save };

  /// Trains on from the checkpoint, if there is one, until the signal: so many microseconds after the start, or after
  /// the first save, or after one has begun. Returns how the trainer ended.
  int train_until(int signal, After event, unsigned microseconds, const std::vector<std::string>& more) const {
    const ino_t saved_before = identity(checkpoint);
    const auto written_before = last_write(partial);
    const pid_t child = start(command_for(more));
    const auto waits = [&] {
      if (event == After::save) return identity(checkpoint) == saved_before;
      if (event == After::start) return false;
      const auto written = last_write(partial);
      return !written || written == written_before;
    };
    while (waits() && !has_ended(child)) {
      if (event == After::save) ::usleep(50);
    }
    ::usleep(microseconds);
    ::kill(child, signal);
    return wait_for(child);
  }

  static std::optional<std::filesystem::file_time_type> last_write(const std::string& path) {
    std::error_code error;
    const auto time = std::filesystem::last_write_time(path, error);
    return error ? std::nullopt : std::optional(time);
  }

  static bool has_ended(pid_t child) {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child;
  }

  /// Trains to the end, and expects what a training that was left alone has come to.
  void expect_same_end(const std::vector<std::string>& more = {}) const {
    ASSERT_EQ(wait_for(start(command_for(more))), 0);
    const std::string alone = folder / "alone" + std::filesystem::path(checkpoint).extension().string();
    ASSERT_EQ(wait_for(start(arguments(alone))), 0);
    EXPECT_TRUE(read_text(checkpoint) == read_text(alone)) << "not the training that was left alone";
  }

  TemporaryFolder folder;
  const std::string checkpoint = folder / GetParam(), partial = checkpoint + ".partial";
  std::mt19937 random{7};
};

TEST_P(Crash, KilledTrainingLeavesACompleteCheckpoint) {
  constexpr int kills = 200;
  int killed = 0, while_writing = 0;
  std::int64_t done = 0;
  for (int round = 0; killed < kills; ++round) {
    ASSERT_LT(round, 2 * kills) << "most trainings came to their end";
    struct Moment {
      After event;
      unsigned longest_delay;
    };
    constexpr Moment moments[] = {{After::save, 4'000}, {After::start, 30'000}, {After::begin_of_save, 50}};
    const auto [event, longest_delay] = moments[round % 3];
    const auto delay = static_cast<unsigned>(random() % longest_delay);
    const int status = train_until(SIGKILL, event, delay, {"--save-every", "1"});
    ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "the trainer refused the checkpoint";
    killed += WIFSIGNALED(status);
    while_writing += std::filesystem::exists(partial);
    const auto files = std::distance(std::filesystem::directory_iterator(folder.path()), {});
    ASSERT_LE(files, 2) << "what killed writers leave must not pile up";
    if (identity(checkpoint) == 0) continue;
    const std::int64_t now = steps_in(checkpoint);
    ASSERT_GE(now, done) << "the training went back";
    done = WIFSIGNALED(status) ? now : 0;
    if (!WIFSIGNALED(status)) std::filesystem::remove(checkpoint);
  }
  std::printf("%d kills, %d of them while a checkpoint was written\n", killed, while_writing);
  EXPECT_GT(while_writing, 0);
  expect_same_end();
}

/// A CSV file without its last column, the seconds.
std::string without_seconds(const std::string& path) {
  std::istringstream csv(read_text(path));
  std::string text;
  for (std::string line; std::getline(csv, line);) text += line.substr(0, line.rfind(',')) + '\n';
  return text;
}

TEST_P(Crash, InterruptedTrainingGoesOnToTheBit) {
  const std::vector<std::string> csv{"--csv", folder / "log.csv"};
  constexpr int interrupts = 5;  // within an epoch; some trainings come to their end first, and another begins
  int within_an_epoch = 0;
  for (int round = 0; within_an_epoch < interrupts; ++round) {
    ASSERT_LT(round, 20 * interrupts) << "most trainings came to their end";
    const int status = train_until(SIGINT, After::save, static_cast<unsigned>(random() % 5'000), csv);
    ASSERT_TRUE(WIFEXITED(status) && (WEXITSTATUS(status) == 130 || WEXITSTATUS(status) == 0)) << status;
    within_an_epoch += steps_in(checkpoint) % steps != 0;
    if (WEXITSTATUS(status) == 0) std::filesystem::remove(checkpoint);
  }
  expect_same_end(csv);
  std::filesystem::remove(checkpoint);
  ASSERT_EQ(wait_for(start(command_for({"--csv", folder / "alone.csv"}))), 0);
  EXPECT_EQ(without_seconds(folder / "log.csv"), without_seconds(folder / "alone.csv"));
}

TEST_P(Crash, FullDiskLeavesTheOldCheckpoint) {
  ASSERT_EQ(wait_for(start(command_for())), 0);
  const std::string old = read_text(checkpoint);
  const auto start_on_full_disk = [&] {
    const FullDisk full(old.size() / 10);
    return start(arguments(checkpoint));
  };
  const pid_t child = start_on_full_disk();
  const int status = wait_for(child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1) << status;
  EXPECT_TRUE(read_text(checkpoint) == old);
  EXPECT_FALSE(std::filesystem::exists(partial));
}

INSTANTIATE_TEST_SUITE_P(Formats, Crash, ::testing::Values("net.safetensors", "net.pt"),
                         [](const auto& format) { return std::string(format.param).substr(4); });

}  // namespace
}  // namespace gradus::test
