// The largest errors of exp, sin and their kin, in units of the last place of the exact value, in float32 and float64:
// one source for gradus and, with GRADUS_BENCH_TORCH, for libtorch. Prints
//
//   function/width <TAB> units of the last place <TAB> where
//
// Takes every N-th float (N is the argument, 4096 at first; 1 takes all) and a million doubles. Numbers whose exact
// result is no normal number are left out: libraries flush them or not. The exact value is had in long double.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#ifdef GRADUS_BENCH_TORCH
#include <torch/torch.h>
using torch::Tensor;
namespace api = torch;
namespace {
template <class T>
Tensor tensor_of(const std::vector<T>& x) {
  return torch::tensor(x, torch::dtype(c10::CppTypeToScalarType<T>::value));
}
template <class T>
const T* data_of(const Tensor& x) {
  return x.data_ptr<T>();
}
}  // namespace
#else
#include <gradus/gradus.hpp>
using gradus::Tensor;
namespace api = gradus;
namespace {
template <class T>
Tensor tensor_of(const std::vector<T>& x) {
  return gradus::from_span(x, {static_cast<std::int64_t>(x.size())});
}
template <class T>
const T* data_of(const Tensor& x) {
  return x.data<T>().data();
}
}  // namespace
#endif

namespace {

using Real = long double;

struct Function {
  const char* name;
  Tensor (*compute)(const Tensor&);
  Real (*exact)(Real);
};
const Function all_functions[] = {
    {"exp", [](const Tensor& x) { return x.exp(); }, [](Real x) { return std::exp(x); }},
    {"expm1", [](const Tensor& x) { return x.expm1(); }, [](Real x) { return std::expm1(x); }},
    {"log", [](const Tensor& x) { return x.log(); }, [](Real x) { return std::log(x); }},
    {"log1p", [](const Tensor& x) { return x.log1p(); }, [](Real x) { return std::log1p(x); }},
    {"tanh", [](const Tensor& x) { return x.tanh(); }, [](Real x) { return std::tanh(x); }},
    {"sigmoid", [](const Tensor& x) { return x.sigmoid(); }, [](Real x) { return 1 / (1 + std::exp(-x)); }},
    {"softplus", [](const Tensor& x) { return softplus(x); },
     [](Real x) { return x > 20 ? x : std::log1p(std::exp(x)); }},
    {"gelu", [](const Tensor& x) { return api::gelu(x); },
     [](Real x) { return x * std::erfc(-x / std::sqrt(Real(2))) / 2; }},
    {"sin", [](const Tensor& x) { return x.sin(); }, [](Real x) { return std::sin(x); }},
    {"cos", [](const Tensor& x) { return x.cos(); }, [](Real x) { return std::cos(x); }},
    {"erf", [](const Tensor& x) { return api::erf(x); }, [](Real x) { return std::erf(x); }},
};

/// A function's largest error so far.
struct Worst {
  double units = 0, at = 0;

  template <class T>
  void look(T x, T y, Real exact) {
    using Limits = std::numeric_limits<T>;
    const Real size = std::fabs(exact);
    if (!(size >= Limits::min() && size <= Limits::max())) return;
    const Real unit = std::ldexp(Real(1), std::ilogb(exact) - (Limits::digits - 1));
    const double error = static_cast<double>(std::fabs(static_cast<Real>(y) - exact) / unit);
    if (!(error <= units)) units = error, at = static_cast<double>(x);
  }
};

/// fill(x) refills a block of numbers and says whether there are more.
template <class T, class Fill>
void measure(const char* width, Fill fill) {
  std::vector<Worst> worst(std::size(all_functions));
  std::vector<T> x(1 << 14);
  for (bool more = true; more;) {
    more = fill(x);
    const Tensor input = tensor_of(x);
    for (std::size_t f = 0; f < worst.size(); ++f) {
      const Tensor y = all_functions[f].compute(input);
      for (std::size_t i = 0; i < x.size(); ++i) worst[f].look(x[i], data_of<T>(y)[i], all_functions[f].exact(x[i]));
    }
  }
  for (std::size_t f = 0; f < worst.size(); ++f) {
    std::printf("%s/%s\t%.3f\t%.17g\n", all_functions[f].name, width, worst[f].units, worst[f].at);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t step = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 4096;
  std::uint64_t next = 0;
  measure<float>("float32", [&](std::vector<float>& x) {
    for (float& v : x) {
      const auto bits = static_cast<std::uint32_t>(next);
      std::memcpy(&v, &bits, sizeof v);
      next += step;
    }
    return next >> 32 == 0;
  });
  std::mt19937_64 engine(1);
  std::size_t count = 0;
  measure<double>("float64", [&](std::vector<double>& x) {
    for (double& v : x) {  // sizes from 2^-30 to 2^10, of both signs
      v = std::ldexp(static_cast<double>(engine() >> 11) * 0x1p-53 + 1, static_cast<int>(count++ % 40) - 30);
      if (engine() & 1) v = -v;
    }
    return count < 1'000'000;
  });
}
