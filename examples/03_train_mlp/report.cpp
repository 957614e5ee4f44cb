#include "gnuplot.hpp"
#include "text.hpp"
#include "text_table.hpp"
#include "train_mlp.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

using namespace gradus;

namespace {

constexpr const char* columns = "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds";
constexpr std::int64_t column_count = 6;

std::int64_t parameter_count(const nn::Module& module) {
  std::int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

void print_image(const Tensor& image) {
  constexpr std::string_view shades = " .:-=+*#%@";
  for (std::int64_t row = 0; row < image.size(0); ++row) {
    std::printf("    ");
    for (const float pixel : image[row].to_vector<float>()) {
      const char shade = shades[static_cast<std::size_t>(std::clamp(pixel, 0.0F, 1.0F) * 9.99F)];
      std::printf("%c%c", shade, shade);
    }
    std::printf("\n");
  }
}

/// "plot …": a line for each run, of this column over the first.
std::string plot(const std::vector<std::pair<std::string, Tensor>>& runs, int column) {
  std::string text;
  for (int i = 0; const auto& [name, curve] : runs) {
    text += formatted("%s $run%d using 1:%d with lines ls %d title ", i > 0 ? "," : "plot", i, column, i + 1) +
            gnuplot_quoted(name);
    ++i;
  }
  return text + "\n";
}

}  // namespace

void print_model(nn::Sequential& model, std::int64_t inputs) {
  const NoGradGuard no_grad;
  const nn::EvalGuard eval(model);
  Tensor x = zeros({1, inputs});
  TextTable table({"layer", "", "outputs", "parameters"}, {.text_columns = 2});
  for (const auto& [name, module] : model.children()) {
    x = (*module)(x);
    table.row(name, module->name(), x.size(1), parameter_count(*module));
  }
  table.row("", "", "", parameter_count(model));
  std::printf("%s\n", table.text().c_str());
}

void print_predictions(const ImageSet& images, const Tensor& predicted, int most) {
  const std::vector<std::string> digits{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
  std::printf("\n%s", confusion_matrix(digits, images.test.y, predicted).c_str());
  for (std::int64_t i = 0; i < predicted.numel() && most > 0; ++i) {
    const int truth = images.test.y[i].item<int>(), guess = predicted[i].item<int>();
    if (truth == guess) continue;
    std::printf("\n%d taken for %d\n", truth, guess);
    print_image(images.test.x[i].reshape({images.height, images.width}));
    --most;
  }
  std::printf("\n");
}

Report::Report(bool quiet, const std::string& csv_path, bool resuming) : line_(stdout, quiet), csv_path_(csv_path) {
  if (csv_path.empty()) return;
  const bool append = resuming && std::filesystem::exists(csv_path);
  csv_.open(csv_path, append ? std::ios::app : std::ios::trunc);
  if (!append) csv_ << columns << std::endl;
  if (!csv_) throw FileError(csv_path + ": cannot be written");
}

void Report::on_step(std::int64_t epoch, std::int64_t step, std::int64_t steps, double loss) {
  if (!line_.due()) return;
  line_.update(formatted("epoch %3d [%s] loss %.4f", static_cast<int>(epoch), bar(step, steps).c_str(), loss));
}

void Report::on_epoch(const EpochResult& r) {
  line_.print(formatted("epoch %3d  loss %.4f  train %6.2f %%  test %6.2f %%  %8.0f samples/s",
                        static_cast<int>(r.epoch), r.train.loss, 100 * r.train.accuracy, 100 * r.test.accuracy,
                        r.samples_per_second));
  rows_.insert(rows_.end(),
               {static_cast<double>(r.epoch), r.train.loss, r.train.accuracy, r.test.loss, r.test.accuracy, r.seconds});
  if (csv_.is_open() && !(csv_ << csv_rows(results().narrow(0, results().size(0) - 1, 1)) << std::flush)) {
    throw FileError(csv_path_ + ": cannot be written");
  }
}

Tensor Report::results() const {
  return from_span(rows_, {static_cast<std::int64_t>(rows_.size()) / column_count, column_count});
}

Tensor read_results(const std::string& csv_path) {
  Tensor table = read_csv(csv_path, {.header = true, .dtype = float64});
  if (table.size(1) == column_count && table.size(0) > 0) return table;
  throw FileError(csv_path + ": expected what --csv writes, got a table of shape " + to_string(table.shape()));
}

void draw_curves(OutputFile& file, const std::vector<std::pair<std::string, Tensor>>& runs) {
  std::string script;
  for (std::size_t i = 0; i < runs.size(); ++i) script += data_block("run" + std::to_string(i), runs[i].second);
  script +=
      "set xlabel 'epoch'\nset multiplot layout 1,2\n"
      "set logscale y\nset title 'mean loss of the epoch, training images'\n" +
      plot(runs, 2) +
      "unset logscale y\nset key bottom right\nset title 'accuracy, test images'\nset format y '%.2f'\n" +
      plot(runs, 5) + "unset multiplot\n";
  draw_picture(file, 860, 330, script);
}
