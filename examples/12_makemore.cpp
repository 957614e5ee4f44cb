// Names letter by letter: the last three predict the next (Bengio et al. 2003, after A. Karpathy's lessons). Then his
// exercise: the gradient through BatchNorm by hand, beside autograd's.
#include "command_line.hpp"
#include "training.hpp"

#include <gradus/gradus.hpp>

#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>

using namespace gradus;

namespace {

constexpr std::int64_t context_length = 3, letter_count = 27;  // "." ends a name and stands before it

std::int64_t number_of(char letter) { return letter == '.' ? 0 : letter - 'a' + 1; }

/// For every letter of every name the three before it, (N, 3), and the letter, (N).
TensorDataset<2> read_names(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw FileError(path + ": cannot be read");
  std::vector<std::int64_t> before, next;
  for (std::string name; std::getline(file, name);) {
    const std::string letters = std::string(context_length, '.') + name + ".";
    for (std::size_t i = context_length; i < letters.size(); ++i) {
      for (std::size_t k = i - context_length; k < i; ++k) before.push_back(number_of(letters[k]));
      next.push_back(number_of(letters[i]));
    }
  }
  const auto n = static_cast<std::int64_t>(next.size());
  return TensorDataset(from_span(before, {n, context_length}), from_span(next, {n}));
}

nn::Sequential make_net() {
  return nn::Sequential{nn::Embedding(letter_count, 10),
                        nn::Flatten(),
                        nn::Linear(10 * context_length, 64, {.bias = false}),
                        nn::BatchNorm1d(64),
                        nn::Tanh(),
                        nn::Linear(64, letter_count)};
}

void train(nn::Sequential& net, const TensorDataset<2>& data, int epochs) {
  const auto [decay, no_decay] = nn::decay_groups(net);
  optim::AdamW optimizer({{decay, {.lr = 0.01, .weight_decay = 0.05}}, {no_decay, {.lr = 0.01, .weight_decay = 0}}});
  optim::CosineAnnealingLR schedule(optimizer, epochs);
  DataLoader loader(data, {.batch_size = 64, .shuffle = true, .drop_last = true});
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double loss = train_epoch(net, optimizer, loader);
    schedule.step();
    if (epoch % 5 == 0) std::printf("epoch %2d  loss %.4f\n", epoch, loss);
  }
}

std::string make_name(const nn::Sequential& net) {
  const NoGradGuard no_grad;
  std::string name(context_length, '.');
  while (name.size() < 20) {
    std::vector<std::int64_t> before;
    for (std::size_t k = name.size() - context_length; k < name.size(); ++k) before.push_back(number_of(name[k]));
    const Tensor probabilities = net(from_span(before, {1, context_length})).softmax(1);
    const auto next = multinomial(probabilities, 1).item<std::int64_t>();
    if (next == 0) break;
    name += static_cast<char>('a' + next - 1);
  }
  return name.substr(context_length);
}

/// The exercise: dx of BatchNorm from dy, equation (15) of nn/README.md.
void by_hand() {
  const Tensor x = randn({32, 8}, float64).requires_grad_(), dy = randn({32, 8}, float64);
  nn::BatchNorm1d bn(8, {.dtype = float64});
  nn::init::normal_(bn.weight, 1, 0.1);
  bn(x).backward({.gradient = dy});

  const NoGradGuard no_grad;
  const Tensor rstd = (x.var(0, false) + 1e-5).rsqrt(), xhat = (x - x.mean(0)) * rstd;
  const Tensor dbias = dy.sum(0), dweight = (dy * xhat).sum(0);
  const Tensor dx = bn.weight * rstd * (dy - dbias / 32 - xhat * dweight / 32);
  const auto largest = [](const Tensor& difference) { return difference.abs().max().item(); };
  std::printf("\nby hand against autograd, largest difference\ndx %.0e\ndweight %.0e\ndbias %.0e\n",
              largest(dx - x.grad()), largest(dweight - bn.weight.grad()), largest(dbias - bn.bias.grad()));
}

}  // namespace

int main(int argc, char** argv) {
  return run_program("12_makemore", [&] {
    std::string path = GRADUS_DATA_DIR "/names.txt";
    int epochs = 20, count = 10;
    CLI::App app("Learns names letter by letter, and makes new ones.");
    app.add_option("--names", path, "file with one name a line, letters a to z");
    app.add_option("--epochs", epochs)->check(CLI::Range(1, 1000));
    app.add_option("--count", count, "names to make")->check(CLI::Range(0, 1000));
    parse_command_line(app, argc, argv);

    manual_seed(42);
    nn::Sequential net = make_net();
    std::printf("%s\n", to_string(net).c_str());
    train(net, read_names(path), epochs);
    net.eval();
    std::printf("\n");
    for (int i = 0; i < count; ++i) std::printf("%s\n", make_name(net).c_str());
    by_hand();
    return 0;
  });
}
