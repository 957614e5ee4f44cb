// Does a piece of work a given number of times, for whoever counts its instructions: counted_work WORK TIMES.
#include "training_step.hpp"

using namespace gradus;

namespace {

template <class F>
void repeat(int times, F work) {
  for (int i = 0; i < times; ++i) work();
}

void batch_norm(int times) {
  nn::BatchNorm1d layer(64);
  Tensor x = randn({32, 64}).requires_grad_();
  const Tensor dy = randn({32, 64});
  repeat(times, [&] {
    layer.zero_grad();
    x.set_grad({});
    layer(x).backward({.gradient = dy});
  });
}

void inference(int times) {
  nn::Sequential net = bench::make_net(bench::net("digits"));
  net.eval();
  const Tensor x = randn({1, 64});
  const NoGradGuard no_grad;
  repeat(times, [&] { net(x); });
}

/// The operations whose kernels tests/checks/instructions.sh guards; null for another name.
void (*operation(const std::string& name))(int times) {
  if (name == "softmax") return [](int times) { repeat(times, [x = randn({64, 64})] { softmax(x, 1); }); };
  if (name == "gelu") return [](int times) { repeat(times, [x = randn({64, 64})] { gelu(x); }); };
  if (name == "transpose") return [](int times) { repeat(times, [x = randn({64, 64})] { x.t(); }); };
  if (name == "sum-f64") return [](int times) { repeat(times, [x = randn({64, 64}, float64)] { x.sum(); }); };
  if (name == "index_select") {
    return [](int times) {
      repeat(times, [x = randn({64, 64}), index = randint(0, 64, {64})] { x.index_select(0, index); });
    };
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 1;
  const std::string work = argv[1];
  const int times = std::atoi(argv[2]);
  set_num_threads(1);
  manual_seed(1);
  if (work == "batch_norm") return batch_norm(times), 0;
  if (work == "inference") return inference(times), 0;
  if (const auto repeated = operation(work)) {
    const NoGradGuard no_grad;
    return repeated(times), 0;
  }
  for (const std::string net : {"tiny", "digits"}) {
    for (const std::string optimizer : {"sgd", "adam"}) {
      if (work != net + "-" + optimizer) continue;
      bench::Step step(bench::net(net), optimizer);
      repeat(times, [&] { step(); });
      return 0;
    }
  }
  return 1;
}
