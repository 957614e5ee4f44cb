// Averages of weights over a training.
#pragma once

#include <gradus/core/autograd.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::optim {

/// A copy of a model whose parameters are averages of those that the model had in each `update_parameters`:
///
///   optim::AveragedModel averaged(net);
///   for (…) {
///     train_one_epoch(net, optimizer);
///     averaged.update_parameters(net);
///   }
///   nn::recalibrate(averaged, batches);  // the running buffers of BatchNorm belong to other weights: estimate them
///   anew
///
/// All count alike, a = a + (p - a) / (n + 1), unless another average is given; the first update copies. It is a module
/// of its own: saved and loaded under PyTorch's names, "n_averaged" and "module.…". As
/// `torch.optim.swa_utils.AveragedModel`. Source: Izmailov et al. (2018), "Averaging weights leads to wider optima and
/// better generalization".
template <class M>
class AveragedModel : public nn::Module {
 public:
  /// With `use_buffers`, running buffers are averaged as parameters are.
  explicit AveragedModel(const M& model, bool use_buffers = false)
      : module(nn::clone(model)), n_averaged(zeros({}, int64)), use_buffers_(use_buffers) {}

  std::string name() const override { return "AveragedModel"; }
  void state(nn::StateList& list) override { list("n_averaged", n_averaged)("module", module); }
  Tensor forward(const Tensor& x) const override { return module(x); }

  void update_parameters(const M& model) {
    update_parameters(model, [](const Tensor& average, const Tensor& p, std::int64_t n) {
      return average + (p - average) / (n + 1);
    });
  }
  /// With an average of your own of what is there, the present value, and the number of updates before, e.g.
  /// `[](const Tensor& average, const Tensor& p, std::int64_t) { return 0.99 * average + 0.01 * p; }`. It is not saved.
  /// Throws ValueError for a model that has other tensors.
  template <class F>
  void update_parameters(const M& model, F average) {
    const NoGradGuard no_grad;
    std::vector<Tensor> averages = tensors(module);
    const std::vector<Tensor> present = tensors(model);
    if (averages.size() != present.size()) {
      throw ValueError("AveragedModel: expected a model with " + std::to_string(averages.size()) + " tensors, got " +
                       std::to_string(present.size()));
    }
    const auto n = n_averaged.template item<std::int64_t>();
    for (std::size_t i = 0; i < present.size(); ++i) {
      const Tensor p = present[i].detach();
      averages[i].detach().copy_(n == 0 ? p : average(averages[i].detach(), p, n));
    }
    n_averaged.add_(1);
  }

  M module;
  nn::Buffer n_averaged;  ///< int64, 0-d

 private:
  std::vector<Tensor> tensors(const M& model) const {
    std::vector<Tensor> all = model.parameters();
    if (use_buffers_) {
      for (Tensor& buffer : model.buffers()) all.push_back(std::move(buffer));
    }
    return all;
  }

  bool use_buffers_;
};

}  // namespace gradus::optim
