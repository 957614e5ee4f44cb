#include "report.hpp"

#include "text_table.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

using namespace gradus;

namespace {

std::int64_t parameter_count(const nn::Module& module) {
  std::int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

void print_image(const Tensor& image) {
  constexpr std::string_view shades = " .:-=+*#%@";
  for (std::int64_t row = 0; row < image.size(0); ++row) {
    const Tensor pixels = image[row];
    std::printf("    ");
    for (const float pixel : pixels.data<float>()) {
      const char shade = shades[static_cast<std::size_t>(std::clamp(pixel, 0.0F, 1.0F) * 9.99F)];
      std::printf("%c%c", shade, shade);
    }
    std::printf("\n");
  }
}

}  // namespace

void print_model(nn::Sequential& model, std::int64_t inputs) {
  const NoGradGuard no_grad;
  const nn::EvalGuard eval(model);
  Tensor x = zeros({1, inputs});
  TextTable table({"layer", "", "outputs", "parameters"}, {.text_columns = 2, .plain = true});
  for (const auto& [name, module] : model.children()) {
    x = (*module)(x);
    table.row(name, module->name(), x.size(1), parameter_count(*module));
  }
  table.row("", "", "", parameter_count(model));
  std::printf("%s\n", table.text().c_str());
}

void print_confusion(const Tensor& truth, const Tensor& predicted) {
  constexpr int classes = 10;
  int counts[classes][classes] = {};
  for (std::int64_t i = 0; i < truth.numel(); ++i) ++counts[truth[i].item<int>()][predicted[i].item<int>()];
  std::vector<std::string> headings{"true \\ predicted"};
  for (int c = 0; c < classes; ++c) headings.push_back(std::to_string(c));
  TextTable table(headings, {.text_columns = 1, .plain = true});
  for (int t = 0; t < classes; ++t) {
    std::vector<std::string> row;
    for (const int count : counts[t]) row.push_back(count > 0 ? std::to_string(count) : ".");
    table.row(std::to_string(t), row);
  }
  std::printf("\n%s", table.text().c_str());
}

void print_mistakes(const ImageSet& images, const Tensor& predicted, int most) {
  for (std::int64_t i = 0; i < predicted.numel() && most > 0; ++i) {
    const int truth = images.test.y[i].item<int>(), guess = predicted[i].item<int>();
    if (truth == guess) continue;
    std::printf("\n%d taken for %d\n", truth, guess);
    print_image(images.test.x[i].reshape({images.height, images.width}));
    --most;
  }
}

Report::Report(bool quiet, const std::string& csv_path, bool resuming) : line_(stdout, quiet), csv_path_(csv_path) {
  if (csv_path.empty()) return;
  const bool append = resuming && std::filesystem::exists(csv_path);
  csv_.open(csv_path, append ? std::ios::app : std::ios::trunc);
  if (!append) csv_ << "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds" << std::endl;
  if (!csv_) throw FileError(csv_path + ": cannot be written");
}

void Report::on_step(std::int64_t epoch, std::int64_t step, std::int64_t steps, double loss) {
  if (!line_.due()) return;
  char text[100];
  std::snprintf(text, sizeof text, "epoch %3lld [%s] loss %.4f", static_cast<long long>(epoch),
                bar(step, steps).c_str(), loss);
  line_.update(text);
}

void Report::on_epoch(const EpochResult& r) {
  results_.push_back(r);
  char text[120];
  std::snprintf(text, sizeof text, "epoch %3lld  loss %.4f  train %6.2f %%  test %6.2f %%  %8.0f samples/s",
                static_cast<long long>(r.epoch), r.train.loss, 100 * r.train.accuracy, 100 * r.test.accuracy,
                r.samples_per_second);
  line_.print(text);
  if (!csv_.is_open()) return;
  csv_.precision(9);
  csv_ << r.epoch << ',' << r.train.loss << ',' << r.train.accuracy << ',' << r.test.loss << ',' << r.test.accuracy
       << ',' << r.seconds << std::endl;
  if (!csv_) throw FileError(csv_path_ + ": cannot be written");
}
