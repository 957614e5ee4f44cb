// sort, argsort, topk: in the order of PyTorch, for which NaN is the largest number. Equal elements keep their order.
#include "autograd/record.hpp"
#include "ops/strided.hpp"
#include "ops/views.hpp"
#include "runtime/parallel_for.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <bit>

namespace gradus {

using namespace detail;

namespace {

/// An unsigned number that is ordered as x is: NaN above all, -0 as 0.
template <std::floating_point T>
auto rank_of(T x) {
  using Bits = std::conditional_t<std::is_same_v<T, float>, std::uint32_t, std::uint64_t>;
  constexpr Bits all = ~Bits{0}, sign = all ^ all >> 1;
  if (x != x) return all;
  const auto bits = std::bit_cast<Bits>(x + T{0});
  return bits & sign ? ~bits : bits | sign;
}
std::uint64_t rank_of(std::int64_t x) { return static_cast<std::uint64_t>(x) ^ std::uint64_t{1} << 63; }
std::uint32_t rank_of(bool x) { return x; }

/// Rank and place of an element in one comparable value; for 32 bits of rank in one word, which sorts fastest.
struct ShortKey {
  ShortKey(std::uint32_t rank, std::int64_t place)
      : bits(std::uint64_t{rank} << 32 | static_cast<std::uint32_t>(place)) {}
  std::int64_t place() const { return static_cast<std::uint32_t>(bits); }
  friend bool operator<(ShortKey a, ShortKey b) { return a.bits < b.bits; }
  std::uint64_t bits;
};
struct LongKey {
  std::int64_t place() const { return at; }
  friend bool operator<(const LongKey& a, const LongKey& b) { return a.rank != b.rank ? a.rank < b.rank : a.at < b.at; }
  std::uint64_t rank;
  std::int64_t at;
};

/// The first k elements of every line in order, with their places.
template <class Key, class T>
void order_lines(const T* x, T* values, std::int64_t* indices, const Lines& lines, std::int64_t k, bool descending) {
  const std::int64_t n = lines.size, inner = lines.inner, grain = (1 << 12) / (n + 1) + 1;
  parallel_for(0, lines.outer * inner, grain, [=](std::int64_t first, std::int64_t last) {
    std::vector<Key> keys;
    keys.reserve(static_cast<std::size_t>(n));
    for (std::int64_t line = first; line < last; ++line) {
      const T* from = x + line / inner * n * inner + line % inner;
      const auto key = [=](std::int64_t i) {
        const auto rank = rank_of(from[i * inner]);
        return Key{descending ? static_cast<decltype(rank)>(~rank) : rank, i};
      };
      const bool few = k > 0 && k <= std::min<std::int64_t>(n / 16, 64);
      keys.clear();
      for (std::int64_t i = 0; i < (few ? k : n); ++i) keys.push_back(key(i));
      const auto end = keys.begin() + static_cast<std::ptrdiff_t>(k);
      if (!few && k < n) std::nth_element(keys.begin(), end, keys.end());
      std::sort(keys.begin(), end);
      if (few) {  // the first so far stay in order
        T worst = from[keys.back().place() * inner];
        for (std::int64_t i = k; i < n; ++i) {
          const T value = from[i * inner];
          if (descending ? value <= worst : value >= worst) continue;  // NaN, for which neither is true, is looked at
          const Key next = key(i);
          if (!(next < keys.back())) continue;
          auto at = end - 1;
          for (; at != keys.begin() && next < at[-1]; --at) *at = at[-1];
          *at = next;
          worst = from[keys.back().place() * inner];
        }
      }
      const std::int64_t to = line / inner * k * inner + line % inner;
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t place = keys[static_cast<std::size_t>(i)].place();
        values[to + i * inner] = from[place * inner];
        indices[to + i * inner] = place;
      }
    }
  });
}

ValuesIndices ordered(const Tensor& x, int dim, std::int64_t k, bool descending, const char* name) {
  Shape shape = x.shape();
  if (x.dim() > 0) shape[dim] = k;
  const Lines lines(x.shape(), dim);
  ValuesIndices y{make_tensor(shape, x.dtype()), make_tensor(shape, int64)};
  visit(x.dtype(), [&]<class T>(T*) {
    auto* indices = elements<std::int64_t>(y.indices);
    constexpr bool short_rank = sizeof(rank_of(T{})) == 4;
    if constexpr (short_rank) {
      if (lines.size <= UINT32_MAX) {
        return order_lines<ShortKey>(elements<T>(x), elements<T>(y.values), indices, lines, k, descending);
      }
    }
    order_lines<LongKey>(elements<T>(x), elements<T>(y.values), indices, lines, k, descending);
  });
  if (tracks(x)) {
    record(y.values, name, {x}, keep(Kept(y.indices, "indices")),
           [shape = x.shape(), dim](const Tensor& dy, const Tensor& indices) {
             return scatter_add(dy, shape, dim, indices);
           });
  }
  return y;
}

std::int64_t size_along(const Tensor& x, int dim) { return x.dim() == 0 ? 1 : x.shape()[dim]; }

}  // namespace

ValuesIndices sort(const Tensor& x, Integer dim_, bool descending) {
  check_defined(x);
  const int dim = normalize_dim(dim_, x.dim());
  return ordered(x, dim, size_along(x, dim), descending, "SortBackward0");
}

Tensor argsort(const Tensor& x, Integer dim, bool descending) {
  check_defined(x);
  return sort(x.detach(), dim, descending).indices;
}

ValuesIndices topk(const Tensor& x, Integer k, Integer dim_, bool largest) {
  check_defined(x);
  const int dim = normalize_dim(dim_, x.dim());
  throw_if<RuntimeError>(x.dtype() == boolean, "\"topk_cpu\" not implemented for 'Bool'\nconvert first: x.to(int64)");
  throw_if<RuntimeError>(k < 0 || k > size_along(x, dim), "selected index k out of range\ntopk: k = ", k, " of the ",
                         size_along(x, dim), " elements of dimension ", dim);
  throw_if<RuntimeError>(x.dim() == 0 && k == 0, "selected index k out of range\ntopk: k = 0 of a 0-dim tensor");
  return ordered(x, dim, k, largest, "TopkBackward0");
}

}  // namespace gradus
