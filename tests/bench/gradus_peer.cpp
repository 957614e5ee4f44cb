// gradus in the protocol of comparisons between frameworks: what a user of it would write for each workload.
#include "training_step.hpp"

#include <sys/resource.h>

using namespace gradus;
using bench::Step;

namespace {

void batch_norm(const bench::Bench& bench) {
  for (const bench::BatchSpec& spec : bench::batches) {
    const std::string workload = std::string("W1/bn/") + spec.name;
    if (!bench.wants(workload)) continue;
    const Shape shape = spec.l ? Shape{spec.n, spec.c, spec.l} : Shape{spec.n, spec.c};
    nn::BatchNorm1d bn(spec.c);
    Tensor x = randn(shape).requires_grad_(), dy = randn(shape);
    bench.measure(workload, [&] {
      bn.zero_grad();
      x.set_grad({});
      bn(x).backward({.gradient = dy});
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
  Tensor x = ones({1}).requires_grad_();
  const Tensor a = full({1}, 1.0001F), b = full({1}, 1e-4F);
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
        x.set_grad({});
        chain().backward();
      },
      2 * pairs);
  bench.measure(
      "W3/overhead/op-fwd-nograd",
      [&] {
        const NoGradGuard no_grad;
        chain();
      },
      2 * pairs);
}

void inference(const bench::Bench& bench) {
  for (const std::string name : {"digits", "mnist"}) {
    const std::string workload = "W4/infer/" + name;
    if (!bench.wants(workload)) continue;
    const bench::NetSpec& spec = bench::net(name);
    nn::Sequential net = bench::make_net(spec);
    net.eval();
    nn::Sequential fused = fuse(net);
    const Tensor x = randn({1, spec.sizes.front()});
    const NoGradGuard no_grad;
    bench.measure(workload, [&] { net(x); });
    bench.measure(workload + "-fused", [&] { fused(x); });

    const nn::Plan plan(net, {spec.sizes.front()}), half(net, {spec.sizes.front()}, {.half_weights = true});
    std::vector<float> y(plan.outputs());
    bench.measure(workload + "-plan", [&] { plan(x.data<float>(), y); });
    bench.measure(workload + "-plan-half", [&] { half(x.data<float>(), y); });
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
  const bench::Bench bench(argc, argv, "gradus");
  set_num_threads(bench.threads());
  manual_seed(1);
  if (argc == 2 && std::string(argv[1]) == "W6") {
    resident_memory(bench);
    return 0;
  }
  batch_norm(bench);
  training_steps(bench);
  overhead(bench);
  inference(bench);
}
