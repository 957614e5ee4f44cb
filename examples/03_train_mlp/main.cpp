// Trains a perceptron with BatchNorm on handwritten digits: the main job of the examples.
#include "command_line.hpp"
#include "train_mlp.hpp"

#include <CLI/CLI.hpp>

#include <climits>
#include <cstdio>
#include <filesystem>

using namespace gradus;

namespace {

volatile std::sig_atomic_t interrupted = 0;

struct Options : Settings {
  int threads = 0;
  bool batch_norm = true, quiet = false;
  std::string dataset = "digits", data = GRADUS_DATA_DIR, resume_path, eval_path, csv_path, plot_path, beside_path;
};

Options parse(int argc, char** argv) {
  Options o;
  CLI::App app("Train a multilayer perceptron with BatchNorm on images of digits.");
  app.add_option("--epochs", o.epochs, "passes over the training images")
      ->check(whole_number(1))
      ->capture_default_str();
  auto* batch_size = app.add_option("--batch-size", o.batch_size, "images a step (digits: 60, mnist: 128)");
  auto* lr = app.add_option("--lr", o.lr, "learning rate at the start of the cosine (sgd: 0.1, adam and adamw: 0.001)");
  app.add_option("--optimizer", o.optimizer)->check(CLI::IsMember({"sgd", "adam", "adamw"}))->capture_default_str();
  app.add_option("--seed", o.seed, "of every random draw")->check(whole_number(INT64_MIN))->capture_default_str();
  app.add_option("--threads", o.threads, "0: as many as the machine has")->check(whole_number(0, INT_MAX));
  app.add_flag("!--no-batchnorm", o.batch_norm, "leave BatchNorm out");
  app.add_option("--dataset", o.dataset)->check(CLI::IsMember({"digits", "mnist"}))->capture_default_str();
  auto* data = app.add_option("--data", o.data, "folder of digits.csv, or of MNIST's four IDX files (plain or .gz)");
  auto* save = app.add_option("--save", o.save_path, "write a checkpoint here after every epoch (.safetensors or .pt)");
  app.add_option("--save-every", o.save_every, "and after so many steps")->needs(save)->check(whole_number(0));
  auto* resume = app.add_option("--resume", o.resume_path, "go on from a checkpoint");
  auto* csv = app.add_option("--csv", o.csv_path, "write the results of every epoch here");
  auto* plot = app.add_option("--plot", o.plot_path, "draw loss and accuracy over the epochs into this .svg");
  auto* beside = app.add_option("--beside", o.beside_path, "and with them those of another run's --csv")->needs(plot);
  auto* eval = app.add_option("--eval", o.eval_path, "train nothing: test the weights of this file");
  batch_size->check(whole_number(1));
  lr->check(number(0));
  for (auto* path : {data, save, resume, csv, plot, beside, eval}) path->check(not_empty);
  for (auto* of_training : {save, resume, csv, plot}) eval->excludes(of_training);
  app.add_flag("--quiet", o.quiet, "print the last line only");
  parse_command_line(app, argc, argv);

  if (lr->count() == 0 && o.optimizer != "sgd") o.lr = 0.001;
  if (batch_size->count() == 0 && o.dataset == "mnist") o.batch_size = 128;
  if (data->count() == 0 && o.dataset == "mnist") {
    throw ValueError("--dataset mnist: name the folder of its files with --data");
  }
  if (o.batch_norm && o.batch_size < 2) {
    throw ValueError("--batch-size: BatchNorm needs at least 2 images a step to have a variance");
  }
  if (!o.csv_path.empty() && (o.csv_path == o.save_path || o.csv_path == o.resume_path)) {
    throw ValueError("--csv: " + o.csv_path + " is the checkpoint");
  }
  return o;
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

void test(nn::Module& model, const ImageSet& images, bool quiet, double seconds) {
  if (!quiet) print_predictions(images, outputs_of(model, images.test.x).argmax(1), 3);
  const auto [loss, accuracy] = evaluate(model, images.test.x, images.test.y);
  std::printf("test_accuracy=%.4f test_loss=%.4f seconds=%.2f\n", accuracy, loss, seconds);
}

/// Trains to the end, tests, and draws; the exit status.
int train(nn::Sequential& model, const ImageSet& images, const Options& o) {
  std::optional<OutputFile> picture;
  if (!o.plot_path.empty()) picture.emplace(o.plot_path);
  std::vector<std::pair<std::string, Tensor>> runs;
  if (!o.beside_path.empty()) {
    runs.emplace_back(std::filesystem::path(o.beside_path).stem().string(), read_results(o.beside_path));
  }
  Trainer trainer(model, images.train, o);
  if (!o.resume_path.empty()) trainer.resume(o.resume_path);
  Report report(o.quiet, o.csv_path, !o.resume_path.empty());
  std::signal(SIGINT, [](int) { interrupted = 1; });
  if (!trainer.run(images.test, report, &interrupted)) {
    std::printf("\ninterrupted%s\n", o.save_path.empty() ? "" : (", saved " + o.save_path).c_str());
    return 130;
  }
  const Tensor results = report.results();
  const bool trained = results.size(0) > 0;
  if (picture && trained) {
    runs.emplace(runs.begin(), o.batch_norm ? "with BatchNorm" : "without BatchNorm", results);
    draw_curves(*picture, runs);
  }
  test(model, images, o.quiet, trained ? results[-1][-1].item() : 0);
  return 0;
}

int run(const Options& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  manual_seed(o.seed);
  const bool digits = o.dataset == "digits";
  const ImageSet images = digits ? load_digits(o.data + "/digits.csv") : load_mnist(o.data);
  std::vector<std::int64_t> sizes{images.train.x.size(1), 256, 128, 10};
  if (digits) sizes = {images.train.x.size(1), 100, 100, 100, 10};
  nn::Sequential model = make_mlp(sizes, o.batch_norm);
  if (!o.quiet) print_model(model, sizes[0]);
  if (o.eval_path.empty()) return train(model, images, o);
  const Value file = load_value(o.eval_path);
  if (digits) check_seed(file, o);
  model.load_state_dict(weights_in(file, model));
  test(model, images, o.quiet, 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("train_mlp", [&] { return run(parse(argc, argv)); });
}
