// What moves elements on several threads: the same bits, whatever their number. Small cases of each operation are
// tested with the operation.
#include "ops/pairs.hpp"

#include "errors.hpp"
#include "tensors.hpp"

#include <gradus/core/parallel.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <vector>

namespace gradus::test {
namespace {

using detail::share_matrix;

/// Gives back the number of threads that a test has changed.
struct Pairs : testing::Test {
  int before = get_num_threads();
  ~Pairs() override { set_num_threads(before); }

  /// Expects of f with two, three and five threads what it gives with one.
  void expect_same(const char* what, const std::function<Tensor()>& f) {
    set_num_threads(1);
    const Tensor expected = f();
    for (const int threads : {2, 3, 5}) {
      SCOPED_TRACE(testing::Message() << what << ", " << threads << " threads");
      set_num_threads(threads);
      expect_tensor(f(), expected);
    }
  }
};

TEST_F(Pairs, AMatrixIsSharedOutInWholeUnits) {
  set_num_threads(3);
  constexpr std::pair<int, int> sizes[] = {{1, 1 << 20}, {7, 100'000}, {700, 1000}, {1 << 20, 1}, {300'000, 4}};
  for (const auto& [rows, columns] : sizes) {
    std::vector<std::atomic<int>> visits(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
    std::atomic<int> parts{0}, ragged{0};
    share_matrix({rows, 1}, {columns, 16}, [&, width = columns](auto row, auto end, auto left, auto right) {
      ++parts;
      ragged += left % 16 != 0;
      for (; row < end; ++row) {
        for (auto i = left; i < right; ++i) ++visits[static_cast<std::size_t>(row * width + i)];
      }
    });
    EXPECT_EQ(parts, 3) << rows << " x " << columns;
    EXPECT_EQ(ragged, 0);
    EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](int count) { return count == 1; }));
  }
  int parts = 0;
  share_matrix({1000, 1000}, {1000, 1000}, [&](auto...) { ++parts; });
  EXPECT_EQ(parts, 1);
}

// (large, wide, deep): along each dimension the rows, the columns or the blocks are cut.
const Shape shapes[] = {{300'000}, {600, 500}, {5, 60'000}, {150'000, 2}, {3, 400, 250}, {100, 700, 4}};

TEST_F(Pairs, IndexingReadsAndAddsTheSame) {
  Generator generator(3);
  const auto positions = [&](std::int64_t below, const Shape& of) { return randint(0, below, of, int64, generator); };
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(testing::Message() << "shape of " << shape.rank() << " dimensions, the first " << shape[0]);
    const Tensor x = randn(shape, float32, generator);
    for (int dim = 0; dim < shape.rank(); ++dim) {
      const Tensor some = positions(shape[dim], {shape[dim]}), all = positions(shape[dim], shape);
      expect_same("index_select", [&] { return x.index_select(dim, some); });
      expect_same("index_add", [&] { return x.index_add(dim, some, x, 0.3); });
      Shape along = shape;
      for (int d = 0; d < shape.rank(); ++d) along[d] = 1;
      along[dim] = shape[dim];
      expect_tensor(x.index_add(dim, some, x), x.scatter_add(dim, some.reshape(along).expand(shape), x));
      expect_same("gather", [&] { return x.gather(dim, all); });
      expect_same("scatter_add", [&] { return x.scatter_add(dim, all, x); });
      expect_same("scatter", [&] { return x.scatter(dim, all, x); });
      expect_same("gradients", [&] {
        return gradient([&](const Tensor& v) { return x * v.index_select(dim, some) + x * v.gather(dim, all); }, x);
      });
      expect_same("slice", [&] {
        return gradient([&](const Tensor& v) { return v.narrow(dim, 1, shape[dim] - 2).square(); }, x);
      });
      expect_same("cat", [&] { return cat({x, x * 2, x.narrow(dim, 0, 1)}, dim); });
      expect_same("flip", [&] { return x.flip({dim}); });
    }
    const Tensor rows = positions(2 * shape[0], {shape[0]}) - shape[0], mask = x > 0.5;
    const Tensor places = where(rows < 0, rows + shape[0], rows);
    expect_tensor(x.clone().index_put_({rows}, x, true), x.index_add(0, places, x));
    expect_same("x[index]", [&] { return x[rows]; });
    expect_same("x[mask]", [&] { return x[mask]; });
    expect_same("gradients of x[…]", [&] {
      return gradient([&](const Tensor& v) { return cat({(x * v[rows]).reshape(-1), v[mask].square()}, 0); }, x);
    });
    expect_same("index_put_", [&] { return x.clone().index_put_({rows}, x, true).index_put_({mask}, tensor(3.F)); });
    expect_same("norm", [&] { return norm(x); });
    expect_same("prod", [&] { return (x * 1e-4 + 1).prod(); });
    expect_same("where", [&] { return where(x > 0, x, full(shape, 2)) + zeros(shape); });
  }
}

TEST_F(Pairs, AMaskOfAnyDensity) {
  set_num_threads(3);
  for (const std::int64_t n : {0, 1, 4095, 4096, 4097, 300'000}) {
    const Tensor x = arange(n);
    expect_tensor(x[x >= 0], x);
    EXPECT_EQ(x[x < 0].shape(), Shape({0}));
    Tensor last_of_blocks = zeros({n}, boolean);
    for (std::int64_t i = 4095; i < n; i += 4096) last_of_blocks[i].fill_(true);
    expect_tensor(x[last_of_blocks], arange(4095, std::max<std::int64_t>(n, 4095), 4096));
  }
}

TEST_F(Pairs, TheFirstIndexOutsideIsNamedWhateverThreadFindsOne) {
  set_num_threads(4);
  const Tensor x = zeros({1000, 300});
  Tensor index = zeros({1000, 300}, int64);
  for (const std::int64_t row : {999, 500, 2}) index[row].fill_(300 + row);
  expect_error<RuntimeError>("index 302 is out of bounds for dimension 1 with size 300", [&] { x.gather(1, index); });
  expect_error<RuntimeError>("index 302 is out of bounds for dimension 1 with size 300",
                             [&] { x.scatter_add(1, index, x); });
  index = zeros({1000, 300}, int64);
  const Tensor v = x.clone().requires_grad_();
  const Tensor y = v.gather(1, index).sum();
  *index.data<std::int64_t>().begin() = -1;
  expect_error<RuntimeError>("the index of index_select or gather was changed after the forward pass",
                             [&] { y.backward(); });
}

}  // namespace
}  // namespace gradus::test
