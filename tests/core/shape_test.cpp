#include "errors.hpp"

#include <gradus/core/tensor.hpp>

namespace gradus::test {
namespace {

TEST(Shape, IsMadeOfExtents) {
  const Shape shape{2, 0, 3};
  EXPECT_EQ(shape.rank(), 3);
  EXPECT_EQ(shape[2], 3);
  EXPECT_EQ(std::vector<std::int64_t>(shape.begin(), shape.end()), (std::vector<std::int64_t>{2, 0, 3}));
  EXPECT_EQ(Shape(std::vector<std::int64_t>{2, 0, 3}), shape);
  EXPECT_EQ(Shape(5), Shape{5});
  EXPECT_TRUE(Shape().empty());
  EXPECT_FALSE(Shape(0).empty());
}

template <class T>
concept MakesAShape = requires(T extent) {
  Shape{extent, 2};
};

TEST(Shape, IsMadeOfAnyIntegersButNotOfBools) {
  const std::vector<int> v(4);
  const short n = 2;
  EXPECT_EQ((Shape{v.size(), n, 3, std::int64_t{5}}), (Shape{4, 2, 3, 5}));
  static_assert(std::is_convertible_v<std::size_t, Shape> && std::is_convertible_v<short, Integer>);
  static_assert(!std::is_constructible_v<Shape, bool> && !std::is_convertible_v<bool, Integer>);
  static_assert(!std::is_constructible_v<Shape, double> && !std::is_convertible_v<float, Integer>);
  static_assert(MakesAShape<int> && !MakesAShape<bool> && !MakesAShape<double>);
}

TEST(Shape, RefusesAnUnsignedNumberBelowZero) {
  const std::uint64_t none = 0;
  const Tensor x = zeros({3});
  const std::string text = "Overflow when unpacking long";
  expect_error<RuntimeError>(text, [&] { Shape(none - 1); });
  expect_error<RuntimeError>(text, [&] { Shape{2, none - 1}; });
  expect_error<RuntimeError>(text, [&] { x[none - 1]; });
  expect_error<RuntimeError>(text, [&] { x(none - 1); });
  expect_error<RuntimeError>(text, [&] { x.narrow(0, 0, none - 1); });
  EXPECT_EQ(x[std::size_t{2}].dim(), 0);
}

TEST(Shape, IsEqualInRankAndExtents) {
  EXPECT_EQ((Shape{2, 3}), (Shape{2, 3}));
  EXPECT_NE((Shape{2, 3}), (Shape{3, 2}));
  EXPECT_NE((Shape{2, 1}), Shape{2});
  EXPECT_NE(Shape{0}, Shape());
}

TEST(Shape, GrowsAndShrinks) {
  Shape shape{2, 4};
  shape.insert(1, 3);
  shape.push_back(5);
  shape.insert(0, 1);
  EXPECT_EQ(shape, (Shape{1, 2, 3, 4, 5}));
  shape.erase(0);
  shape.erase(3);
  shape.erase(1);
  EXPECT_EQ(shape, (Shape{2, 4}));
}

TEST(Shape, HasAtMostEightDimensions) {
  Shape shape(std::vector<std::int64_t>(8, 1));
  expect_error<RuntimeError>("a shape has at most 8 dimensions", [&] { shape.push_back(2); });
  EXPECT_EQ(shape.rank(), 8);
  expect_error<RuntimeError>("a shape has at most 8 dimensions, got 9", [] { Shape({1, 1, 1, 1, 1, 1, 1, 1, 1}); });
}

TEST(Shape, IsWrittenAsAList) {
  EXPECT_EQ(to_string(Shape()), "[]");
  EXPECT_EQ(to_string(Shape{7}), "[7]");
  EXPECT_EQ(to_string(Shape{2, -1}), "[2, -1]");
}

TEST(Numel, IsTheProduct) {
  EXPECT_EQ(numel({}), 1);
  EXPECT_EQ(numel({2, 3, 4}), 24);
  EXPECT_EQ(numel({2, 0, 4}), 0);
  EXPECT_EQ(numel({INT64_MAX}), INT64_MAX);
}

TEST(Numel, RefusesWhatCannotBeCounted) {
  constexpr std::int64_t large = std::int64_t{1} << 40;
  expect_error<RuntimeError>("Trying to create tensor with negative dimension -3: [2, -3]", [] { numel({2, -3}); });
  expect_error<RuntimeError>(
      "a tensor of shape [1099511627776, 1099511627776] has more elements than 63 bits can count", [] {
        numel({large, large});
      });
  EXPECT_EQ(numel({large, large, 0}), 0);
}

TEST(BroadcastShapes, AlignsAtTheEnd) {
  EXPECT_EQ(broadcast_shapes({2, 3}, {2, 3}), (Shape{2, 3}));
  EXPECT_EQ(broadcast_shapes({5, 1, 3}, {4, 1}), (Shape{5, 4, 3}));
  EXPECT_EQ(broadcast_shapes({4, 1}, {5, 1, 3}), (Shape{5, 4, 3}));
  EXPECT_EQ(broadcast_shapes({}, {2}), Shape{2});
  EXPECT_EQ(broadcast_shapes({0}, {1}), Shape{0});
}

TEST(BroadcastShapes, NamesTheLastDimensionThatDoesNotFit) {
  expect_error<RuntimeError>(
      "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1", [] {
        broadcast_shapes({2, 3}, {5, 4});
      });
  expect_error<RuntimeError>(
      "The size of tensor a (3) must match the size of tensor b (0) at non-singleton dimension 0",
      [] { broadcast_shapes({3}, {0}); });
}

TEST(NormalizeDim, CountsFromEitherEnd) {
  EXPECT_EQ(normalize_dim(0, 3), 0);
  EXPECT_EQ(normalize_dim(2, 3), 2);
  EXPECT_EQ(normalize_dim(-1, 3), 2);
  EXPECT_EQ(normalize_dim(-3, 3), 0);
  EXPECT_EQ(normalize_dim(0, 0), 0);
  EXPECT_EQ(normalize_dim(-1, 0), 0);
}

TEST(NormalizeDim, RefusesWhatIsOutOfRange) {
  const std::string of_matrix = "Dimension out of range (expected to be in range of [-2, 1], but got ";
  expect_error<IndexError>(of_matrix + "2)", [] { normalize_dim(2, 2); });
  expect_error<IndexError>(of_matrix + "-3)", [] { normalize_dim(-3, 2); });
  expect_error<IndexError>("Dimension out of range (expected to be in range of [-1, 0], but got 1)",
                           [] { normalize_dim(1, 0); });
}

}  // namespace
}  // namespace gradus::test
