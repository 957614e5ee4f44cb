// BatchNorm's backward pass, shown, checked, and broken on purpose: a lesson in sixteen sections. Every number is
// computed while it runs, every claim is checked, and one false claim makes the program end with status 1.
#include "command_line.hpp"
#include "lesson.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <iterator>

using namespace lesson;

namespace {

struct Entry {
  const char* title;
  Section* run;
};

constexpr Entry all_sections[] = {
    {"Forward, node by node", forward_node_by_node},
    {"Backward, node by node", backward_node_by_node},
    {"Three paths to x", three_paths},
    {"The term that vanishes", vanishing_term},
    {"Nine steps become one line", collapse},
    {"What the gradient cannot contain", geometry},
    {"Where eps matters", where_eps_matters},
    {"Why a gradient check can lie", lying_checks},
    {"Break it yourself", break_it},
    {"Batches of 1, 2, 4, 60 and all", batch_sizes},
    {"Training and evaluation", train_and_eval},
    {"Running statistics by hand", running_statistics},
    {"Numbers far from zero", numerics},
    {"The derivative of the derivative", second_order},
    {"Why it helps: what is known", why_it_helps},
    {"One batch on two machines", two_machines},
};
constexpr int section_count = std::size(all_sections);

/// A mistake that can be switched on, and the line of code that it breaks.
struct Switch {
  bool Mistakes::*made;
  const char* name;
  const char* meaning;
  int section;  // the one that it is about
  const char* file;
  const char* line;
};

constexpr Switch all_switches[] = {
    {&Mistakes::drop_mean_path, "--drop-mean-path",
     "the backward pass by hand leaves out the path through the mean, as if the mean were a constant", 3, "by_hand.cpp",
     "d.through_mean = (d.mean / n).expand(dy.shape());"},
    {&Mistakes::drop_var_path, "--drop-var-path",
     "the backward pass by hand leaves out the path through the variance, as if var were a constant", 3, "by_hand.cpp",
     "d.through_var = d.square * 2 * node.centered;"},
    {&Mistakes::biased_mix, "--biased-mix",
     "the forward pass by hand divides the variance by N - 1, while the backward pass by hand is that of a division by "
     "N",
     1, "by_hand.hpp", "node.var = keep(\"var\", node.square.sum(over_batch, true) / divisor);"},
};

struct Options {
  int section = 0;  // 0: all
  bool list = false;
  Example example;
  Mistakes mistakes;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app(
      "BatchNorm's backward pass by hand: sixteen sections, every claim checked.\n"
      "Status 0: all claims are true. Status 1: one is false, as with each of the three switches.\n"
      "Your own numbers: --x 1,2,4,8 --dy=-1,0,2,0.5 --weight 3");
  app.add_option("--section", o.section, "print this one only")->check(CLI::Range(1, section_count));
  app.add_flag("--list", o.list, "print the titles");
  app.option_defaults()->always_capture_default();
  app.add_option("--x", o.example.x, "the batch, 2 to 8 numbers")->delimiter(',');
  app.add_option("--dy", o.example.dy, "the derivative of the loss by y, as many")->delimiter(',');
  app.add_option("--weight", o.example.weight, "weight of the layer");
  app.add_option("--bias", o.example.bias, "bias of the layer");
  app.add_option("--eps", o.example.eps, "what is added to the variance");
  for (const Switch& s : all_switches) app.add_flag(s.name, o.mistakes.*s.made, "break it: " + std::string(s.meaning));
  parse_command_line(app, argc, argv);
  check(o.example);
  return o;
}

void introduce(Page& page) {
  page.show("BatchNorm by hand\n*****************\n");
  page.say(R"(BatchNorm's gradient on a few numbers, derived, checked, and taken apart. Every number is computed while
      this page is printed, by the code in examples/06_batch_norm_by_hand, where by_hand.cpp holds the backward pass in
      thirty lines. A line that begins with "true" is a claim that was checked in this run. Names and equation numbers
      are those of nn/README.md.)");
}

void announce(Page& page, const Mistakes& mistakes) {
  for (const Switch& s : all_switches) {
    if (mistakes.*s.made) page.say(std::string(s.name) + ": " + s.meaning + ".");
  }
  page.say(R"(What is computed by hand is now wrong, the rest is right. Only the sections that it changes follow; claims
      that notice are marked FALSE and listed in the end.)");
}

Page section(int number, const Lesson& lesson) {
  Page page(lesson.precision);
  page.heading(number, all_sections[number - 1].title);
  for (const Switch& s : all_switches) {
    if (lesson.mistakes.*s.made && s.section == number) {
      page.say(std::string(s.name) + " breaks this line of " + s.file + ":");
      page.show("    " + std::string(s.line) + "\n");
    }
  }
  all_sections[number - 1].run(page, lesson);
  return page;
}

int run(const Options& options) {
  if (options.list) {
    for (int i = 0; i < section_count; ++i) std::printf("%2d  %s\n", i + 1, all_sections[i].title);
    return 0;
  }
  const bool broken = options.mistakes != Mistakes{};
  const Lesson lesson(options.example, options.mistakes), right(options.example);
  Page page(lesson.precision);
  if (options.section == 0 && !broken) introduce(page);
  if (broken) announce(page, options.mistakes);
  std::fputs(page.text().c_str(), stdout);
  for (int i = 1; i <= section_count; ++i) {
    if (options.section != 0 && options.section != i) continue;
    const Page next = section(i, lesson);
    if (broken && options.section == 0 && next.text() == section(i, right).text()) continue;
    std::fputs(next.text().c_str(), stdout);
    page.append(next);
  }
  std::fputs(page.conclusion().c_str(), stdout);
  return page.failures().empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("batch_norm_by_hand", [&] { return run(parse(argc, argv)); });
}
