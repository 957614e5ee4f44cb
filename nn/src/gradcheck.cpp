#include "tensor/tensor_impl.hpp"

#include <gradus/nn/gradcheck.hpp>

#include <algorithm>

namespace gradus::nn {

namespace {

/// While alive, the parameters have other elements. Backward does not see the write: it is taken back.
class Exchanged {
 public:
  Exchanged(std::vector<Tensor>& parameters, const std::vector<Tensor>& elements)
      : parameters_(parameters), elements_(elements) {
    swap();
  }
  ~Exchanged() { swap(); }
  Exchanged(const Exchanged&) = delete;
  Exchanged& operator=(const Exchanged&) = delete;

 private:
  void swap() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      Tensor& p = parameters_[i];
      if (p.is_same(elements_[i]) || p.dtype() != float64) continue;
      Tensor other = elements_[i];
      std::ranges::swap_ranges(p.data<double>(), other.data<double>());
    }
  }

  std::vector<Tensor>& parameters_;
  const std::vector<Tensor> elements_;
};

}  // namespace

bool gradcheck(Module& module, const Tensor& x, const GradcheckOptions& options) {
  detail::check_defined(x);
  std::vector<Tensor> parameters = module.parameters(), inputs{x};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  const auto f = [&](const std::vector<Tensor>& in) {
    const Exchanged exchanged(parameters, {in.begin() + 1, in.end()});
    return module(in[0]);
  };
  return gradus::gradcheck(f, inputs, options);
}

}  // namespace gradus::nn
