// Draws Fig. 1 of Ioffe & Szegedy 2015: what BatchNorm does to the speed of learning and to the input of a sigmoid.
#include "command_line.hpp"
#include "paper_figure.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <climits>
#include <cstdio>
#include <filesystem>

using namespace gradus;

namespace {

struct Options : Settings {
  std::string data, prefix = "figure";
  int threads = 0;
  bool quiet = false;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("Train a network of sigmoids without and with BatchNorm, and draw Fig. 1 of Ioffe & Szegedy 2015.");
  app.option_defaults()->always_capture_default();
  app.add_option("--data", o.data, "folder of MNIST's four IDX files, plain or .gz; without it, 8 x 8 digits")
      ->check(not_empty);
  app.add_option("--steps", o.steps, "training steps; 50000 in the paper")->check(whole_number(1, 1'000'000'000));
  app.add_option("--lr", o.lr, "learning rate of SGD")->check(number(0));
  app.add_option("--init-std", o.init_std, "standard deviation of the first weights")->check(number(0));
  app.add_option("--threshold", o.threshold, "brighter pixels, of 0 to 1, become 1, others 0")->check(number(0, 1));
  auto* unit = app.add_option("--unit", o.unit, "the sigmoid of the last hidden layer to watch");
  unit->check(whole_number(0, hidden_units - 1));
  app.add_option("--seed", o.seed, "of every random draw")->check(whole_number(INT64_MIN));
  auto* eval_every =
      app.add_option("--eval-every", o.eval_every, "steps from point to point of the curves (0: a 200th of all)");
  eval_every->check(whole_number(0))->default_str("");
  app.add_option("--out", o.prefix, "write OUT.csv and OUT.svg")->check(not_empty);
  auto* threads = app.add_option("--threads", o.threads, "0: as many as the machine has");
  threads->check(whole_number(0, INT_MAX))->default_str("");
  app.add_flag("--quiet", o.quiet, "print the last line only");
  parse_command_line(app, argc, argv);
  if (o.eval_every > o.steps) throw ValueError("--eval-every: expected 0 to the number of steps");
  if (o.eval_every == 0) o.eval_every = std::max<std::int64_t>(1, o.steps / 200);
  return o;
}

ImageSet load_images(const Options& o) {
  manual_seed(o.seed);
  ImageSet images = o.data.empty() ? load_digits(GRADUS_DATA_DIR "/digits.csv") : load_mnist(o.data);
  if (images.train.y.numel() < batch_size || images.test.y.numel() == 0) {
    throw ValueError(o.data + ": expected at least " + std::to_string(batch_size) +
                     " images for training, and some for testing");
  }
  return binarised(images, o.threshold);
}

/// The folder's own name: the files do not tell what they show.
std::string data_name(const std::string& folder) {
  if (folder.empty()) return "8 x 8 digits of the UCI repository";
  const auto path = (std::filesystem::absolute(folder) / "").lexically_normal();  // ends with a slash
  return path.parent_path().filename().string();
}

int run(const Options& o) try {
  if (o.threads > 0) set_num_threads(o.threads);
  Progress progress(2 * o.steps, o.quiet);
  OutputFile csv(o.prefix + ".csv"), svg(o.prefix + ".svg");
  const ImageSet images = load_images(o);
  Experiment experiment{.data = data_name(o.data),
                        .training_images = images.train.y.numel(),
                        .test_images = images.test.y.numel(),
                        .digits = o.data.empty(),
                        .settings = o};
  progress.start("without BatchNorm");
  experiment.plain = train(images, false, o, progress);
  progress.start("with BatchNorm");
  experiment.batch_norm = train(images, true, o, progress);
  const double seconds = progress.seconds();

  csv.write(figure_csv(experiment));
  draw_figure(svg, experiment);
  if (!o.quiet) {
    std::printf("%s\nwrote %s and %s\n", figure_title(experiment).c_str(), csv.path().c_str(), svg.path().c_str());
  }
  std::printf("plain_accuracy=%.4f batch_norm_accuracy=%.4f seconds=%.2f\n", experiment.plain[-1][1].item(),
              experiment.batch_norm[-1][1].item(), seconds);
  return 0;
} catch (const Interrupted&) {
  std::fprintf(stderr, "interrupted, nothing written\n");
  return 130;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("paper_figure", [&] { return run(parse(argc, argv)); });
}
