#include "errors.hpp"
#include "golden.hpp"

#include <gradus/core/data.hpp>

#include <gtest/gtest.h>

namespace gradus {
namespace {

using test::expect_error;
using test::json;
using Numbers = std::vector<std::int64_t>;

Numbers numbers(const Tensor& x) {
  const auto elements = x.data<std::int64_t>();
  return {elements.begin(), elements.end()};
}

/// One epoch over the numbers of a dataset, left after `stop_after` batches unless that is null.
json batches(const DataLoader<1>& loader, const json& stop_after) {
  json result = json::array();
  for (auto [batch] : loader) {
    result.push_back(numbers(batch));
    if (stop_after == result.size()) break;
  }
  return result;
}

TEST(DataLoader, DrawsAndOrdersAsPyTorch) {
  const json recorded = test::load_golden("loader.json").at("loaders");
  ASSERT_EQ(recorded.size(), 96U);
  for (const json& run : recorded) {
    SCOPED_TRACE(run.dump());
    manual_seed(21);
    Generator own(34);
    const DataLoader loader(TensorDataset(arange(run.at("examples").get<int>())),
                            {.batch_size = run.at("batch_size"),
                             .shuffle = run.at("shuffle"),
                             .drop_last = run.at("drop_last"),
                             .generator = run.at("own_generator") ? &own : nullptr});
    for (const json& epoch : run.at("epochs")) EXPECT_EQ(batches(loader, run.at("stop_after")), epoch);
    EXPECT_EQ(default_generator().next_uint32() % (1U << 31), run.at("next_uint32"));
    if (run.at("own_generator")) {
      EXPECT_EQ(own.next_uint32() % (1U << 31), run.at("own_next_uint32"));
    }
  }
}

TEST(DataLoader, GivesTheRowsOfEveryTensorTogether) {
  const Tensor x = arange(21).reshape({7, 3});
  const Tensor y = arange(7) * 10;
  DataLoader loader(TensorDataset(x, y), {.batch_size = 3, .shuffle = true});
  std::int64_t seen = 0;
  for (auto [xs, ys] : loader) {
    ASSERT_EQ(xs.shape(), Shape({ys.size(0), 3}));
    for (std::int64_t i = 0; i < ys.numel(); ++i) {
      const auto example = ys[i].item<std::int64_t>() / 10;
      EXPECT_EQ(numbers(xs[i]), numbers(x[example]));
      ++seen;
    }
  }
  EXPECT_EQ(seen, 7);
  for (auto& batch : loader) EXPECT_EQ(batch[0].size(0), batch[1].size(0));
  for (const auto& [xs, ys] : loader) EXPECT_EQ(xs.size(0), ys.size(0));
}

TEST(DataLoader, BatchesAreCopies) {
  const Tensor x = arange(4);
  for (auto [batch] : DataLoader(TensorDataset(x), {.batch_size = 2})) batch.zero_();
  EXPECT_EQ(numbers(x), Numbers({0, 1, 2, 3}));
}

TEST(DataLoader, SizeIsTheNumberOfBatches) {
  for (const int examples : {0, 1, 5, 6, 7}) {
    for (const bool drop_last : {false, true}) {
      const DataLoader loader(TensorDataset(arange(examples)), {.batch_size = 3, .drop_last = drop_last});
      EXPECT_EQ(loader.size(), static_cast<std::int64_t>(batches(loader, nullptr).size()));
    }
  }
}

TEST(DataLoader, TwoLoopsAtOnceDoNotDisturbEachOther) {
  DataLoader loader(TensorDataset(arange(6)), {.batch_size = 2, .shuffle = true});
  for (auto [outer] : loader) {
    const Numbers before = numbers(outer);
    Numbers seen;
    for (auto [inner] : loader) {
      for (const auto number : numbers(inner)) seen.push_back(number);
    }
    std::ranges::sort(seen);
    EXPECT_EQ(seen, Numbers({0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(numbers(outer), before);
  }
}

TEST(DataLoader, RefusesWhatMakesNoBatches) {
  expect_error<ValueError>("batch_size should be a positive integer value, but got batch_size=0",
                           [] { DataLoader(TensorDataset(arange(3)), {.batch_size = 0}); });
  expect_error<ValueError>("batch_size should be a positive integer value, but got batch_size=-2",
                           [] { DataLoader(TensorDataset(arange(3)), {.batch_size = -2}); });
  expect_error<ValueError>("num_samples should be a positive integer value, but got num_samples=0",
                           [] { DataLoader(TensorDataset(arange(0)), {.shuffle = true}); });
}

TEST(TensorDataset, HoldsExamples) {
  const Tensor x = arange(6).reshape({2, 3});
  const Tensor y = tensor({7, 8});
  const TensorDataset data(x, y);
  EXPECT_EQ(data.size(), 2);
  EXPECT_TRUE(data.tensors()[0].is_same(x));
  const auto [row, label] = data[-1];
  EXPECT_EQ(numbers(row), Numbers({3, 4, 5}));
  EXPECT_EQ(label.item<int>(), 8);
  const auto [rows, labels] = data.rows(tensor({1, 0, 1}));
  EXPECT_EQ(numbers(labels), Numbers({8, 7, 8}));
  EXPECT_EQ(rows.shape(), Shape({3, 3}));
  expect_error<IndexError>("index 2 is out of bounds for dimension 0 with size 2", [&] { data[2]; });
}

TEST(TensorDataset, RefusesTensorsThatDisagree) {
  expect_error<ValueError>("Size mismatch between tensors", [] { TensorDataset(arange(3), arange(4)); });
  expect_error<IndexError>("Dimension specified as 0 but tensor has no dimensions", [] { TensorDataset(full({}, 1)); });
}

template <std::size_t Parts>
void expect_split(const json& run, const std::int64_t (&lengths)[Parts]) {
  ASSERT_EQ(run.at("lengths"), json(lengths));
  manual_seed(13);
  std::int64_t total = 0;
  for (const auto length : lengths) total += length;
  const auto parts = random_split(TensorDataset(arange(total), arange(total) * 2), lengths);
  for (std::size_t i = 0; i < Parts; ++i) {
    EXPECT_EQ(json(numbers(parts[i].tensors()[0])), run.at("parts")[i]);
    EXPECT_EQ(parts[i].size(), lengths[i]);
    EXPECT_EQ(numbers(parts[i].tensors()[1]), numbers(parts[i].tensors()[0] * 2));
  }
  EXPECT_EQ(default_generator().next_uint32() % (1U << 31), run.at("next_uint32"));
}

TEST(RandomSplit, CutsAsPyTorch) {
  const json runs = test::load_golden("loader.json").at("splits");
  ASSERT_EQ(runs.size(), 4U);
  expect_split(runs[0], {7, 4});
  expect_split(runs[1], {1, 2, 3});
  expect_split(runs[2], {0, 5});
  expect_split(runs[3], {6});
  const auto [train, test] = random_split(TensorDataset(arange(5)), {3, 2});
  EXPECT_EQ(train.size() + test.size(), 5);
}

TEST(RandomSplit, RefusesLengthsThatDoNotAddUp) {
  const TensorDataset data(arange(5));
  manual_seed(1);
  const char* const text = "Sum of input lengths does not equal the length of the input dataset!";
  expect_error<ValueError>(text, [&] { random_split(data, {2, 2}); });
  expect_error<ValueError>(text, [&] { random_split(data, {6, -1}); });
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  expect_error<ValueError>(text, [&] { random_split(data, {most, most, 7}); });
  EXPECT_EQ(default_generator(), Generator(1));
}

}  // namespace
}  // namespace gradus
