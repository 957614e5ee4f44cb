#include "report.hpp"

#include "terminal.hpp"

#include <unistd.h>

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
  std::printf("%-6s %-14s %10s %12s\n", "layer", "", "outputs", "parameters");
  for (const auto& [name, module] : model.children()) {
    x = (*module)(x);
    std::printf("%-6s %-14s %10lld %12lld\n", name.c_str(), module->name().c_str(), static_cast<long long>(x.size(1)),
                static_cast<long long>(parameter_count(*module)));
  }
  std::printf("%-6s %-14s %10s %12lld\n\n", "", "", "", static_cast<long long>(parameter_count(model)));
}

void print_confusion(const Tensor& truth, const Tensor& predicted) {
  constexpr int classes = 10;
  int counts[classes][classes] = {};
  for (std::int64_t i = 0; i < truth.numel(); ++i) ++counts[truth[i].item<int>()][predicted[i].item<int>()];
  std::printf("\ntrue \\ predicted\n    ");
  for (int c = 0; c < classes; ++c) std::printf("%6d", c);
  for (int t = 0; t < classes; ++t) {
    std::printf("\n%4d", t);
    for (int p = 0; p < classes; ++p) counts[t][p] ? std::printf("%6d", counts[t][p]) : std::printf("%6s", ".");
  }
  std::printf("\n");
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

Report::Report(bool quiet, const std::string& csv_path, bool resuming)
    : quiet_(quiet), live_(!quiet && isatty(STDOUT_FILENO)), csv_path_(csv_path) {
  if (csv_path.empty()) return;
  const bool append = resuming && std::filesystem::exists(csv_path);
  csv_.open(csv_path, append ? std::ios::app : std::ios::trunc);
  if (!append) csv_ << "epoch,train_loss,train_accuracy,test_loss,test_accuracy,seconds" << std::endl;
  if (!csv_) throw FileError(csv_path + ": cannot be written");
}

void Report::on_step(std::int64_t epoch, std::int64_t step, std::int64_t steps, double loss) {
  if (!live_ || now() < next_update_) return;
  next_update_ = now() + 0.05;
  std::printf("\repoch %3lld [%s] loss %.4f", static_cast<long long>(epoch), bar(step, steps).c_str(), loss);
  std::fflush(stdout);
}

void Report::on_epoch(const EpochResult& r) {
  results_.push_back(r);
  if (!quiet_) {
    std::printf("%sepoch %3lld  loss %.4f  train %6.2f %%  test %6.2f %%  %8.0f samples/s%s\n", live_ ? "\r" : "",
                static_cast<long long>(r.epoch), r.train.loss, 100 * r.train.accuracy, 100 * r.test.accuracy,
                r.samples_per_second, live_ ? "          " : "");
    std::fflush(stdout);
  }
  if (!csv_.is_open()) return;
  csv_.precision(9);
  csv_ << r.epoch << ',' << r.train.loss << ',' << r.train.accuracy << ',' << r.test.loss << ',' << r.test.accuracy
       << ',' << r.seconds << std::endl;
  if (!csv_) throw FileError(csv_path_ + ": cannot be written");
}
