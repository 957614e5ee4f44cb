// Trains a perceptron with BatchNorm on handwritten digits: the main job of the examples.
#include "command_line.hpp"
#include "curves.hpp"
#include "output_file.hpp"
#include "report.hpp"

#include <CLI/CLI.hpp>

#include <cmath>
#include <csignal>
#include <cstdio>

using namespace gradus;

namespace {

volatile std::sig_atomic_t interrupted = 0;

struct Options : Settings {
  int threads = 0;
  bool batch_norm = true, quiet = false;
  std::string dataset = "digits", data = GRADUS_DATA_DIR, resume_path, eval_path, csv_path, plot_path, beside_path;
};

/// The command line in `o`, checked; the exit status when there is nothing more to do.
std::optional<int> parse(int argc, char** argv, Options& o) {
  CLI::App app("Train a multilayer perceptron with BatchNorm on images of digits.");
  auto* epochs = app.add_option("--epochs", o.epochs, "passes over the training images")->capture_default_str();
  auto* batch_size = app.add_option("--batch-size", o.batch_size, "images a step (digits: 60, mnist: 128)");
  auto* lr = app.add_option("--lr", o.lr, "learning rate at the start of the cosine (sgd: 0.1, adam and adamw: 0.001)");
  app.add_option("--optimizer", o.optimizer)->check(CLI::IsMember({"sgd", "adam", "adamw"}))->capture_default_str();
  auto* seed = app.add_option("--seed", o.seed, "of every random draw")->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has")->capture_default_str();
  const auto without_batch_norm = [&o] { o.batch_norm = false; };
  app.add_flag_callback("--no-batchnorm", without_batch_norm, "leave BatchNorm out");
  app.add_option("--dataset", o.dataset)->check(CLI::IsMember({"digits", "mnist"}))->capture_default_str();
  auto* data = app.add_option("--data", o.data, "folder of digits.csv, or of MNIST's four IDX files (plain or .gz)");
  auto* save = app.add_option("--save", o.save_path, "write a checkpoint here after every epoch (.safetensors or .pt)");
  auto* save_every = app.add_option("--save-every", o.save_every, "and after so many steps")->needs(save);
  auto* resume = app.add_option("--resume", o.resume_path, "go on from a checkpoint");
  auto* csv = app.add_option("--csv", o.csv_path, "write the results of every epoch here");
  auto* plot = app.add_option("--plot", o.plot_path, "draw loss and accuracy over the epochs into this .svg");
  auto* beside = app.add_option("--beside", o.beside_path, "and with them those of another run's --csv")->needs(plot);
  auto* eval = app.add_option("--eval", o.eval_path, "train nothing: test the weights of this file");
  for (auto* number : {epochs, batch_size, seed, save_every}) number->check(fits_64_bits);
  for (auto* path : {data, save, resume, csv, plot, beside, eval}) path->check(not_empty);
  for (auto* of_training : {save, resume, csv, plot}) eval->excludes(of_training);
  app.add_flag("--quiet", o.quiet, "print the last line only");
  if (const auto status = parse_command_line(app, argc, argv)) return status;
  if (lr->count() == 0 && o.optimizer != "sgd") o.lr = 0.001;
  if (o.dataset == "mnist") {
    if (data->count() == 0) throw ValueError("--dataset mnist: name the folder of its files with --data");
    if (batch_size->count() == 0) o.batch_size = 128;
  }
  if (o.epochs < 1) throw ValueError("--epochs: expected at least 1");
  if (o.batch_size < (o.batch_norm ? 2 : 1)) {
    throw ValueError("--batch-size: BatchNorm needs at least 2 images a step to have a variance");
  }
  if (!std::isfinite(o.lr) || o.lr < 0) throw ValueError("--lr: expected a number from 0 up");
  if (o.threads < 0) throw ValueError("--threads: expected a number from 0 up");
  if (o.save_every < 0) throw ValueError("--save-every: expected a number from 0 up");
  if (!o.csv_path.empty() && (o.csv_path == o.save_path || o.csv_path == o.resume_path)) {
    throw ValueError("--csv: " + o.csv_path + " is the checkpoint");
  }
  return std::nullopt;
}

/// The weights in a file: a checkpoint's model, or a state_dict, its names perhaps behind a common prefix.
StateDict weights_in(const Value& content, const nn::Module& model) {
  StateDict file = content.tensors();
  const std::string first = model.named_parameters().front().first;
  for (const auto& [name, value] : file) {
    if (!name.ends_with(first)) continue;
    const std::string prefix = name.substr(0, name.size() - first.size());
    if (prefix.empty() || prefix.ends_with('.')) return prefix.empty() ? file : file.part(prefix);
  }
  return file;
}

/// The seed divides the digits: with another one the net would be tested on images that it was trained on.
void check_seed(const Value& file, const Options& o) {
  const std::optional<Value> settings = settings_in(file);
  if (!settings || settings->at("seed").as_int() == o.seed) return;
  throw ValueError(o.eval_path + ": these weights were trained with --seed " +
                   std::to_string(settings->at("seed").as_int()) + ", which tells the test images from the others");
}

void print_last_line(const Score& test, double seconds) {
  std::printf("test_accuracy=%.4f test_loss=%.4f seconds=%.2f\n", test.accuracy, test.loss, seconds);
}

void show_predictions(nn::Module& model, const ImageSet& images) {
  const Tensor predicted = predict(model, images.test.x);
  print_confusion(images.test.y, predicted);
  print_mistakes(images, predicted, 3);
  std::printf("\n");
}

int run(const Options& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  manual_seed(o.seed);
  const bool digits = o.dataset == "digits";
  const ImageSet images = digits ? load_digits(o.data + "/digits.csv") : load_mnist(o.data);
  const std::int64_t pixels = images.train.x.size(1);
  nn::Sequential model = make_mlp(
      digits ? std::vector<std::int64_t>{pixels, 100, 100, 100, 10} : std::vector<std::int64_t>{pixels, 256, 128, 10},
      o.batch_norm);
  if (!o.quiet) print_model(model, pixels);
  if (!o.eval_path.empty()) {
    const Value file = load_value(o.eval_path);
    if (digits) check_seed(file, o);
    model.load_state_dict(weights_in(file, model));
    if (!o.quiet) show_predictions(model, images);
    print_last_line(evaluate(model, images.test), 0);
    return 0;
  }

  std::optional<OutputFile> plot;
  if (!o.plot_path.empty()) plot.emplace(o.plot_path);
  std::optional<Tensor> beside;
  if (!o.beside_path.empty()) beside = read_results(o.beside_path);
  Training training(model, images, o);
  if (!o.resume_path.empty()) training.resume(o.resume_path);
  Report report(o.quiet, o.csv_path, !o.resume_path.empty());
  std::signal(SIGINT, [](int) { interrupted = 1; });
  if (!training.run(report, &interrupted)) {
    std::printf("\ninterrupted%s\n", o.save_path.empty() ? "" : (", saved " + o.save_path).c_str());
    return 130;
  }
  const double seconds = report.results().empty() ? 0 : report.results().back().seconds;
  if (plot && !report.results().empty()) {
    std::vector<Curves> runs = {{o.batch_norm ? "with BatchNorm" : "without BatchNorm", to_table(report.results())}};
    if (beside) runs.push_back({o.beside_path, *beside});
    plot->write(curves_svg(runs));
  }
  if (!o.quiet) show_predictions(model, images);
  print_last_line(evaluate(model, images.test), seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return run_program("train_mlp", argc, argv, parse, run); }
