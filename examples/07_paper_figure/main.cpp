// Draws Fig. 1 of Ioffe & Szegedy 2015: what BatchNorm does to the speed of learning and to the input of a sigmoid.
#include "command_line.hpp"
#include "figure.hpp"
#include "output_file.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>

using namespace gradus;

namespace {

struct Options : Settings {
  std::string data, prefix = "figure";
  int threads = 0;
  bool quiet = false;
};

/// The command line in `o`, checked; the exit status when there is nothing more to do.
std::optional<int> parse(int argc, char** argv, Options& o) {
  CLI::App app("Train a network of sigmoids without and with BatchNorm, and draw Fig. 1 of Ioffe & Szegedy 2015.");
  auto* data =
      app.add_option("--data", o.data, "folder of MNIST's four IDX files, plain or .gz; without it, 8 x 8 digits");
  auto* steps = app.add_option("--steps", o.steps, "training steps; 50000 in the paper")->capture_default_str();
  app.add_option("--lr", o.lr, "learning rate of SGD")->capture_default_str();
  app.add_option("--init-std", o.init_std, "standard deviation of the first weights")->capture_default_str();
  app.add_option("--threshold", o.threshold, "brighter pixels, of 0 to 1, become 1, others 0")->capture_default_str();
  auto* unit = app.add_option("--unit", o.unit, "the sigmoid of the last hidden layer to watch")->capture_default_str();
  auto* seed = app.add_option("--seed", o.seed, "of every random draw")->capture_default_str();
  auto* eval_every =
      app.add_option("--eval-every", o.eval_every, "steps from point to point of the curves (0: a 200th of all)");
  auto* out = app.add_option("--out", o.prefix, "write OUT.csv and OUT.svg")->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has")->capture_default_str();
  app.add_flag("--quiet", o.quiet, "print the last line only");
  for (auto* number : {steps, unit, seed, eval_every}) number->check(fits_64_bits);
  for (auto* name : {data, out}) name->check(not_empty);
  if (const auto status = parse_command_line(app, argc, argv)) return status;
  if (o.steps < 1 || o.steps > 1'000'000'000) throw ValueError("--steps: expected 1 to a billion");
  if (!std::isfinite(o.lr) || o.lr < 0) throw ValueError("--lr: expected a number from 0 up");
  if (!std::isfinite(o.init_std) || o.init_std < 0) throw ValueError("--init-std: expected a number from 0 up");
  if (!(o.threshold >= 0 && o.threshold < 1)) throw ValueError("--threshold: expected a number from 0 to below 1");
  if (o.unit < 0 || o.unit >= hidden_units) throw ValueError("--unit: expected 0 to 99");
  if (o.threads < 0) throw ValueError("--threads: expected a number from 0 up");
  if (o.eval_every < 0 || o.eval_every > o.steps) throw ValueError("--eval-every: expected 0 to the number of steps");
  if (o.eval_every == 0) o.eval_every = std::max<std::int64_t>(1, o.steps / 200);
  return std::nullopt;
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
  svg.write(figure_svg(experiment));
  if (!o.quiet) {
    std::printf("%s\nwrote %s and %s\n", figure_title(experiment).c_str(), csv.path().c_str(), svg.path().c_str());
  }
  std::printf("plain_accuracy=%.4f batch_norm_accuracy=%.4f seconds=%.2f\n", experiment.plain.back().test_accuracy,
              experiment.batch_norm.back().test_accuracy, seconds);
  return 0;
} catch (const Interrupted&) {
  std::fprintf(stderr, "interrupted, nothing written\n");
  return 130;
}

}  // namespace

int main(int argc, char** argv) { return run_program("paper_figure", argc, argv, parse, run); }
