// The C++ column of README's table "PyTorch and gradus side by side", compiled and run. The test below holds every line
// of the table to this file.
#include "paths.hpp"
#include "run.hpp"

#include <gradus/gradus.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <sstream>

namespace gradus::test {
namespace {

template <class... T>
void use(const T&...) {}

// Lines stand here as they stand in the table.
// clang-format off
TEST(SideBySide, Tensors) {
  Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}});
  use(arange(15).reshape({3, 5}).to(float32));
  manual_seed(0); randn({2, 3});
  use(x.shape(), x.dtype(), x.numel());
  use(x[0], x.t(), x.view({4}));
  x[0].fill_(7);
  const Tensor rows = tensor({1, 0}), columns = tensor({0, 1});
  use(x(Slice(), 1), x(Slice(1), Slice(0, 2)), x[x > 2], x(rows, columns));
  x.index_put_({Slice(), 1}, 7);
  use(x.mean(0), x.var(0, false));
  use(x.matmul(x), x * 2 + 1, x > 2);
  use(cat({x, x}, 1));
  use(x.sum().item());
  use((x > 1) & (x < 3), where(x > 2, x, 0));
  const auto [values, indices] = x.sort(1);
  use(values, indices);
  use(multinomial(x.softmax(1), 1));
  Tensor w = ones({2}).requires_grad_();
  x.matmul(w).sum().backward(); w.grad();
  NoGradGuard no_grad;
}

TEST(SideBySide, Networks) {
  manual_seed(0);
  nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm1d(3), nn::ReLU()};
  use(nn::BatchNorm1d(5, {.momentum = std::nullopt, .affine = false}));
  std::cout << net;
  std::cout << std::endl;
  net.train(); net.eval();
  {
    nn::EvalGuard eval(net);
    EXPECT_FALSE(net.training());
  }
  net.train();
  optim::SGD opt(net.parameters(), {.lr = 0.1, .momentum = 0.9});
  const Tensor x = randn({40, 2}), target = randint(3, {40});
  const Tensor logits = net(x);
  const Tensor loss = nn::functional::cross_entropy(logits, target, {.label_smoothing = 0.1});
  opt.zero_grad(); loss.backward(); opt.step();
  const Tensor y = target;
  DataLoader loader(TensorDataset(x, y), {.batch_size = 32, .shuffle = true});
  EXPECT_EQ(loader.size(), 2);
}

TEST(SideBySide, GroupsOfParameters) {
  nn::Sequential net{nn::Linear(2, 3), nn::BatchNorm1d(3)};
  auto [decay, rest] = nn::decay_groups(net); optim::AdamW opt({{decay, {}}, {rest, {.weight_decay = 0}}});
  EXPECT_EQ(opt.param_groups().size(), 2u);
}

TEST(SideBySide, Files) {
  const std::string folder = std::filesystem::temp_directory_path() / ("gradus_side_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder);
  nn::Linear net(2, 3);
  save(net.state_dict(), "net.pt");
  net.load_state_dict(load("net.pt"));
  std::filesystem::current_path(before);
  std::filesystem::remove_all(folder);
}
// clang-format on

TEST(SideBySide, ReadmeShowsTheseLines) {
  const std::string source = read_file(source_path("tests/examples/side_by_side_test.cpp"));
  const std::string readme = read_file(source_path("README.md"));
  std::istringstream table(readme.substr(readme.find("| PyTorch | gradus |")));
  int lines = 0;
  for (std::string line; std::getline(table, line) && line.starts_with('|');) {
    const auto begin = line.rfind("| `");
    if (begin == std::string::npos) continue;
    const std::string code = line.substr(begin + 3, line.rfind('`') - begin - 3);
    EXPECT_NE(source.find(code), std::string::npos) << code;
    ++lines;
  }
  EXPECT_GE(lines, 20);
}

}  // namespace
}  // namespace gradus::test
