// BatchNorm's backward pass, shown, checked, and broken on purpose: a lesson in fourteen sections. Every number is
// computed while it runs, every claim is checked, and one false claim makes the program end with status 1.
#include "command_line.hpp"
#include "sections.hpp"

#include <gradus/core/error.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <iterator>
#include <optional>

using namespace lesson;

namespace {

struct Entry {
  const char* title;
  Section* run;
};

constexpr Entry kSections[] = {
    {"Forward, node by node", forward_node_by_node},
    {"Backward, node by node", backward_node_by_node},
    {"Three paths to x", three_paths},
    {"The term that vanishes", vanishing_term},
    {"Ten steps become one line", collapse},
    {"What the gradient cannot contain", geometry},
    {"Why a gradient check can lie", lying_checks},
    {"Break it yourself", break_it},
    {"Batches of 1, 2, 4, 60 and all", batch_sizes},
    {"Training and evaluation", train_and_eval},
    {"Running statistics by hand", running_statistics},
    {"Numbers far from zero", numerics},
    {"The derivative of the derivative", second_order},
    {"Why it helps: what is known", why_it_helps},
};
constexpr int kCount = std::size(kSections);

struct Options {
  int section = 0;  // 0: all
  bool list = false;
  Mistakes mistakes;
};

/// The command line in `o`; the exit status when there is nothing more to do.
std::optional<int> parse(int argc, char** argv, Options& o) {
  CLI::App app(
      "BatchNorm's backward pass by hand: fourteen sections, every claim checked.\n"
      "Status 0: all claims are true. Status 1: one is false, as with each of the three switches.");
  app.add_option("--section", o.section, "print this one only")->check(CLI::Range(1, kCount));
  app.add_flag("--list", o.list, "print the titles");
  app.add_flag("--drop-mean-path", o.mistakes.drop_mean_path, "break the backward pass: the mean is a constant");
  app.add_flag("--drop-var-path", o.mistakes.drop_var_path, "break the backward pass: the variance is a constant");
  app.add_flag("--biased-mix", o.mistakes.biased_mix, "break their match: forward / (N - 1), backward for / N");
  return parse_command_line(app, argc, argv);
}

void introduce(Page& page) {
  page.show("BatchNorm by hand\n*****************\n");
  page.say(
      "BatchNorm's gradient on four numbers, derived, checked, and taken apart. Every number is computed while this "
      "page is printed, by the code in examples/06_batch_norm_by_hand, where by_hand.cpp holds the backward pass in "
      "thirty lines. A line that begins with \"true\" is a claim that was checked in this run. Names and "
      "equation numbers are those of nn/README.md.");
}

void announce(Page& page, const Mistakes& mistakes) {
  if (mistakes.drop_mean_path) {
    page.say("--drop-mean-path: the backward pass by hand leaves out the path through the mean.");
  }
  if (mistakes.drop_var_path) {
    page.say("--drop-var-path: the backward pass by hand leaves out the path through the variance.");
  }
  if (mistakes.biased_mix) {
    page.say(
        "--biased-mix: the forward pass by hand divides the variance by N - 1, while the backward pass by hand is "
        "that of a division by N.");
  }
  if (mistakes != Mistakes{}) {
    page.say(
        "What is computed by hand is now wrong, the rest is right. Watch which claims notice: they are "
        "marked FALSE and listed in the end.");
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Options options;
    if (const auto status = parse(argc, argv, options)) return *status;
    if (options.list) {
      for (int i = 0; i < kCount; ++i) std::printf("%2d  %s\n", i + 1, kSections[i].title);
      finish_output();
      return 0;
    }
    Page page;
    if (options.section == 0) introduce(page);
    announce(page, options.mistakes);
    for (int i = 1; i <= kCount; ++i) {
      if (options.section != 0 && options.section != i) continue;
      page.heading(i, kSections[i - 1].title);
      kSections[i - 1].run(page, options.mistakes);
    }
    const int status = page.conclude();
    finish_output();
    return status;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "batch_norm_by_hand: %s\n", e.what());
    return 1;
  }
}
