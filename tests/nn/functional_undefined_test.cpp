// Whatever function of nn is given a tensor that is not there, the error names the function.
#include "errors.hpp"

#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/gradcheck.hpp>
#include <gradus/nn/init.hpp>
#include <gradus/nn/layer_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/loss.hpp>
#include <gradus/nn/pooling.hpp>

namespace gradus::test {
namespace {

namespace F = nn::functional;
namespace init = nn::init;

template <class Function>
void refuses(const std::string& op, Function f) {
  expect_error<RuntimeError>(op + ": ", f);
  expect_error_with<RuntimeError>(f, "is undefined (default-constructed or moved from)");
}

const Tensor u, x = ones({2, 2}), rows = tensor({0, 1});

TEST(Undefined, IsRefusedByFunctions) {
#define REFUSES(op, ...) refuses(#op, [] { F::op(__VA_ARGS__); })
  REFUSES(dropout, u), REFUSES(dropout, u, 0.5, false), REFUSES(elu, u), REFUSES(silu, u), REFUSES(hardtanh, u);
  REFUSES(relu, u), REFUSES(linear, u, x, {}), REFUSES(linear, x, u, {}), REFUSES(layer_norm, u, {2}, {}, {});
  REFUSES(batch_norm, u, {}, {}), REFUSES(batch_norm, u, {}, {.training = true}), REFUSES(embedding, u, x);
  REFUSES(embedding, rows, u), REFUSES(conv1d, u, ones({1, 1, 1})), REFUSES(conv1d, ones({1, 1, 1}), u);
  REFUSES(max_pool1d, u, 1), REFUSES(avg_pool1d, u, 1), REFUSES(adaptive_avg_pool1d, u, 1);
}

TEST(Undefined, IsRefusedByLosses) {
#define LOSS_REFUSES(op) REFUSES(op, u, x), REFUSES(op, x, u), REFUSES(op, u, u)
  LOSS_REFUSES(mse_loss), LOSS_REFUSES(l1_loss), LOSS_REFUSES(huber_loss), LOSS_REFUSES(smooth_l1_loss);
  LOSS_REFUSES(kl_div), LOSS_REFUSES(binary_cross_entropy), LOSS_REFUSES(binary_cross_entropy_with_logits);
  LOSS_REFUSES(cross_entropy), LOSS_REFUSES(nll_loss);
}

TEST(Undefined, IsRefusedByModulesInTheNameOfTheirFunctions) {
  refuses("linear", [] { nn::Linear(2, 2)(u); }), refuses("conv1d", [] { nn::Conv1d(2, 2, 1)(u); }),
      refuses("batch_norm", [] { nn::BatchNorm1d(2)(u); });
  refuses("batch_norm", [] { nn::BatchNorm1d(2).eval()(u); }), refuses("dropout", [] { nn::Dropout()(u); });
  refuses("flatten", [] { nn::Flatten()(u); }), refuses("layer_norm", [] { nn::LayerNorm(2)(u); });
  refuses("unflatten", [] { nn::Unflatten(1, {1, 2})(u); });
  refuses("cross_entropy", [] { nn::CrossEntropyLoss()(u, rows); });
  refuses("gradcheck", [] {
    nn::Linear layer(2, 2);
    gradcheck(layer, u);
  });
}

TEST(Undefined, IsRefusedByInitialisations) {
#define INIT_REFUSES(op, ...) refuses(#op, [] { init::op(__VA_ARGS__); })
  INIT_REFUSES(uniform_, u), INIT_REFUSES(normal_, u), INIT_REFUSES(constant_, u, 1), INIT_REFUSES(zeros_, u);
  INIT_REFUSES(ones_, u), INIT_REFUSES(xavier_uniform_, u), INIT_REFUSES(xavier_normal_, u), INIT_REFUSES(fans, u);
  INIT_REFUSES(kaiming_uniform_, u), INIT_REFUSES(kaiming_normal_, u);
}

}  // namespace
}  // namespace gradus::test
