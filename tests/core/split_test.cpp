// Parts of sizes that no sum of 64 bits holds. The usual ones are those of the fixtures.
#include "errors.hpp"
#include "tensors.hpp"

namespace gradus::test {
namespace {

TEST(Split, SizesNearTheLargestNumber) {
  const Tensor x = tensor({1., 2., 3.});
  EXPECT_EQ(x.split(INT64_MAX).size(), 1U);
  EXPECT_EQ(x.chunk(INT64_MAX).size(), 3U);
  expect_tensor(x.chunk(INT64_MAX)[2], tensor({3.}));
  const std::string text = "split_with_sizes expects split_sizes to sum exactly to 3";
  expect_error<RuntimeError>(text, [&] { static_cast<void>(x.split({INT64_MAX, INT64_MAX, 5})); });  // 3, modulo 2^64
  expect_error<RuntimeError>(text, [&] { static_cast<void>(x.split({4, 0})); });
  expect_error<RuntimeError>(text, [&] { static_cast<void>(x.split({1, 1})); });
}

}  // namespace
}  // namespace gradus::test
