#include "images.hpp"

#include <gradus/gradus.hpp>

#include <filesystem>

using namespace gradus;

namespace {

Images rows(const Images& from, const Tensor& numbers) {
  return {from.x.index_select(0, numbers), from.y.index_select(0, numbers)};
}

std::string find_file(const std::string& folder, const std::string& name) {
  for (const char* suffix : {"", ".gz"}) {
    std::string path = folder + "/" + name + suffix;
    if (std::filesystem::exists(path)) return path;
  }
  throw FileError(folder + ": no file " + name + " or " + name + ".gz");
}

Images read_part(const std::string& folder, const std::string& part) {
  const Tensor pixels = read_idx(find_file(folder, part + "-images-idx3-ubyte"), float32);
  const Tensor labels = read_idx(find_file(folder, part + "-labels-idx1-ubyte"));
  if (pixels.dim() != 3 || labels.dim() != 1 || pixels.size(0) != labels.size(0)) {
    throw FileError(folder + ": images of shape " + to_string(pixels.shape()) + " with labels of shape " +
                    to_string(labels.shape()));
  }
  if (labels.numel() > 0 && (labels.min().item<int>() < 0 || labels.max().item<int>() > 9)) {
    throw FileError(folder + ": labels outside 0 to 9");
  }
  return {pixels.flatten(1) / 255, labels};
}

}  // namespace

ImageSet load_digits(const std::string& csv_path) {
  constexpr std::int64_t pixels = 64, for_training = 1437;
  const Tensor table = read_csv(csv_path);
  if (table.size(1) != pixels + 1 || table.size(0) <= for_training) {
    throw FileError(csv_path + ": expected the digits, got a table of shape " + to_string(table.shape()));
  }
  const Images all = {table.narrow(1, 0, pixels) / 16, table.select(1, pixels).to(int64)};
  const Tensor order = randperm(table.size(0));
  return {.train = rows(all, order.narrow(0, 0, for_training)),
          .test = rows(all, order.narrow(0, for_training, table.size(0) - for_training)),
          .height = 8,
          .width = 8};
}

ImageSet load_mnist(const std::string& folder) {
  return {.train = read_part(folder, "train"), .test = read_part(folder, "t10k"), .height = 28, .width = 28};
}
