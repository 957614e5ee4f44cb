// Windows of Conv1d and of pooling whose lengths int64 can hardly count, and those where it cannot.
#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/pooling.hpp>

namespace gradus::test {
namespace {

using namespace nn;

constexpr std::int64_t largest = INT64_MAX;

TEST(Windows, BeyondInt64AreRefused) {
  const Tensor x = ones({2, 4, 7});
  const char *window = "conv1d: a window of 3 with dilation ", *padding = "conv1d: a padding of ";
  expect_error<RuntimeError>(window, [&] { Conv1d(4, 6, 3, {.dilation = largest})(x); });
  expect_error<RuntimeError>(window, [&] { Conv1d(4, 6, 3, {.padding = "same", .dilation = largest / 2 + 1})(x); });
  expect_error<RuntimeError>(padding, [&] { Conv1d(4, 6, 3, {.padding = "same", .dilation = largest / 2})(x); });
  expect_error<RuntimeError>(padding, [&] { Conv1d(4, 6, 3, {.padding = largest})(x); });
  expect_error<RuntimeError>(padding, [&] { Conv1d(4, 6, 3, {.padding = largest / 2})(x); });
  expect_error<RuntimeError>("max_pool1d: a window of 3 with dilation ",
                             [&] { MaxPool1d(3, {.dilation = largest})(x); });
  expect_error<RuntimeError>("max_pool1d: a padding of ", [&] { MaxPool1d(largest, {.padding = largest / 2})(x); });
  expect_error<RuntimeError>("avg_pool1d: a padding of ", [&] { AvgPool1d(largest, {.padding = largest / 2})(x); });
}

TEST(Windows, LongerThanTheirTensorAreRefused) {
  const Tensor x = ones({2, 4, 7});
  expect_error<RuntimeError>("Calculated padded input size per channel: (7)",
                             [&] { Conv1d(4, 6, 3, {.dilation = largest / 2})(x); });
  expect_error<RuntimeError>("max_pool1d() Invalid computed output size: 0",
                             [&] { MaxPool1d(3, {.dilation = largest / 2})(x); });
  expect_error<RuntimeError>("max_pool1d() Invalid computed output size: 0", [&] { MaxPool1d(largest, {})(x); });
  expect_error<RuntimeError>("Given input size: (4x1x7). Calculated output size: (4x1x0)",
                             [&] { AvgPool1d(largest, {})(x); });
}

TEST(Windows, AsLongAsInt64AllowsAreTheirDefinition) {
  const Tensor x = tensor({{1.F, 5.F, 2.F, 4.F}});
  for (const bool ceil : {false, true}) {
    expect_tensor(MaxPool1d(3, {.stride = largest, .ceil_mode = ceil})(x), tensor({{5.F}}));
    expect_tensor(MaxPool1d(largest / 2, {.padding = largest / 4, .ceil_mode = ceil})(x), tensor({{5.F}}));
    expect_tensor(AvgPool1d(2, {.stride = largest, .ceil_mode = ceil})(x), tensor({{3.F}}));
  }
  expect_tensor(MaxPool1d(1, {.stride = 1, .dilation = largest})(x), x);
  expect_tensor(AvgPool1d(largest - 2, {.stride = largest / 2 + 1, .padding = largest / 2 - 2, .ceil_mode = true})(x),
                tensor({{12 / 0x1p63F, 4 / 0x1p62F}}));
}

TEST(Windows, FarFromTheirTensorSeeZeros) {
  const Tensor x = tensor({{1.F, 5.F, 2.F, 4.F}}).requires_grad_(), weights = tensor({{{7.F, 0.5F, 7.F}}});
  Conv1d near(1, 1, 3, {.padding = "same", .dilation = largest / 4, .bias = false});
  Conv1d far(1, 1, 3, {.stride = largest / 8, .padding = largest / 8 * 2, .bias = false});
  {
    const NoGradGuard no_grad;
    near.weight.copy_(weights);
    far.weight.copy_(weights);
    expect_tensor(near(x), x * 0.5F);
  }
  const Tensor y = far(x);
  expect_tensor(y.detach(), tensor({{0.F, 0.F, 23.5F, 0.F, 0.F}}));
  (y.sum() + near(x).sum()).backward();
  expect_tensor(x.grad(), tensor({{7.5F, 1.F, 7.5F, 0.5F}}));
}

}  // namespace
}  // namespace gradus::test
