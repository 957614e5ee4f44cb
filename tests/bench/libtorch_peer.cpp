// libtorch in the protocol of comparisons between frameworks: line for line what gradus_peer does.
#include "protocol.hpp"

#include <sys/resource.h>
#include <torch/torch.h>

namespace {

using torch::Tensor;
namespace nn = torch::nn;

nn::Sequential make_net(const bench::NetSpec& spec) {
  nn::Sequential net;
  for (std::size_t i = 0; i + 2 < spec.sizes.size(); ++i) {
    net->push_back(nn::Linear(spec.sizes[i], spec.sizes[i + 1]));
    net->push_back(nn::BatchNorm1d(spec.sizes[i + 1]));
    net->push_back(nn::ReLU());
  }
  net->push_back(nn::Linear(spec.sizes[spec.sizes.size() - 2], spec.sizes.back()));
  return net;
}

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const std::string& name,
                                                        const std::vector<Tensor>& parameters) {
  if (name == "adam") return std::make_unique<torch::optim::Adam>(parameters, torch::optim::AdamOptions(1e-3));
  return std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(0.01).momentum(0.9));
}

struct Step {
  Step(const bench::NetSpec& spec, const std::string& optimizer_name)
      : net(make_net(spec)), optimizer(make_optimizer(optimizer_name, net->parameters())) {
    for (std::size_t i = 0; i < bench::batches_in_rotation; ++i) {
      xs.push_back(torch::randn({spec.batch, spec.sizes.front()}));
      ys.push_back(torch::randint(spec.sizes.back(), {spec.batch}, torch::kLong));
    }
  }
  void operator()() {
    const Tensor &x = xs[at], &y = ys[at];
    at = (at + 1) % xs.size();
    optimizer->zero_grad();
    nn::functional::cross_entropy(net->forward(x), y).backward();
    optimizer->step();
  }
  nn::Sequential net;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  std::vector<Tensor> xs, ys;
  std::size_t at = 0;
};

void batch_norm(const bench::Bench& bench) {
  for (const bench::BatchSpec& spec : bench::batches) {
    const std::string workload = std::string("W1/bn/") + spec.name;
    if (!bench.wants(workload)) continue;
    const std::vector<std::int64_t> shape = spec.l ? std::vector{spec.n, spec.c, spec.l} : std::vector{spec.n, spec.c};
    nn::BatchNorm1d bn(spec.c);
    Tensor x = torch::randn(shape, torch::requires_grad()), dy = torch::randn(shape);
    bench.measure(workload, [&] {
      bn->zero_grad(true);
      x.mutable_grad() = Tensor();
      bn->forward(x).backward(dy);
    });
  }
}

void training_steps(const bench::Bench& bench) {
  for (const bench::NetSpec& spec : bench::nets()) {
    for (const std::string optimizer : {"sgd", "adam"}) {
      const std::string workload = "W2/step/" + spec.name + "-" + optimizer;
      if (!bench.wants(workload)) continue;
      Step step(spec, optimizer);
      bench.measure(workload, [&] { step(); });
    }
  }
}

void overhead(const bench::Bench& bench) {
  constexpr int pairs = 500;
  Tensor x = torch::ones({1}, torch::requires_grad());
  const Tensor a = torch::full({1}, 1.0001F), b = torch::full({1}, 1e-4F);
  const auto chain = [&] {
    Tensor y = x;
    for (int i = 0; i < pairs; ++i) {
      y = y * a;
      y = y + b;
    }
    return y;
  };
  bench.measure(
      "W3/overhead/op",
      [&] {
        x.mutable_grad() = Tensor();
        chain().backward();
      },
      2 * pairs);
  bench.measure(
      "W3/overhead/op-fwd-nograd",
      [&] {
        const torch::NoGradGuard no_grad;
        chain();
      },
      2 * pairs);
}

void inference(const bench::Bench& bench) {
  for (const std::string name : {"digits", "mnist"}) {
    const std::string workload = "W4/infer/" + name;
    if (!bench.wants(workload)) continue;
    const bench::NetSpec& spec = bench::net(name);
    nn::Sequential net = make_net(spec);
    net->eval();
    const Tensor x = torch::randn({1, spec.sizes.front()});
    const torch::NoGradGuard no_grad;
    bench.measure(workload, [&] { net->forward(x); });
  }
}

void resident_memory(const bench::Bench& bench) {
  Step step(bench::net("mnist"), "sgd");
  for (int i = 0; i < 50; ++i) step();
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  bench.report("W6/rss_kib/mnist50", static_cast<double>(usage.ru_maxrss), 1);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Bench bench(argc, argv, "libtorch");
  torch::set_num_threads(bench.threads());
  torch::manual_seed(1);
  if (argc == 2 && std::string(argv[1]) == "W6") {
    resident_memory(bench);
    return 0;
  }
  batch_norm(bench);
  training_steps(bench);
  overhead(bench);
  inference(bench);
}
