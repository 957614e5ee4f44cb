// Long sequences are convolved where they lie: the places l that element k of the kernel sees are a row of x, begun at
// k. A stride cuts x into as many rows, of every stride-th element. Of short sequences, or with a kernel that is longer
// than what it slides over, each element of the kernel gets a row of its own, in which the samples follow each other.
#include "convolution.hpp"

#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

#include <algorithm>
#include <vector>

namespace gradus::nn {

using namespace kernels;
using gradus::kernels::Scratch;

namespace {

constexpr std::int64_t worth_a_thread = 500'000;  // multiplications

class Layout {
 public:
  /// Blocks of at most `most` samples, whose rows fit a cache of so many elements.
  Layout(const Geometry& geometry, std::int64_t most, std::int64_t cache) : g(geometry) {
    const std::int64_t largest_shift = (g.kernel - 1) * g.dilation / g.stride;
    shared = g.places >= 64 && largest_shift <= g.places;
    reach = shared ? largest_shift : 0;
    pitch = g.places + reach;
    for (std::int64_t k = 0; k < g.kernel; ++k) {
      const std::int64_t at = k * g.dilation, first = shared ? at % g.stride : at;
      auto row = std::find(starts.begin(), starts.end(), first);
      if (row == starts.end()) row = starts.insert(row, first);
      seen.push_back({row - starts.begin(), shared ? at / g.stride : 0});
    }
    at_once = std::min({most, g.samples, cache / std::max<std::int64_t>(rows() * pitch, 1)});
    at_once = std::max<std::int64_t>(at_once, 1);
    blocks = (g.samples + at_once - 1) / at_once;
  }

  std::int64_t rows() const { return g.channels_of_group() * static_cast<std::int64_t>(starts.size()); }
  /// Elements from one row of a buffer to the next: an odd number of cache lines, so that rows do not compete for a
  /// few places of the cache.
  std::int64_t row_length(std::int64_t pitch_) const { return ((at_once * pitch_ + 15) / 16 | 1) * 16; }

  struct Seen {
    std::int64_t row, shift;
  };
  const Geometry g;
  bool shared;                       // rows of x, by several elements of the kernel
  std::vector<std::int64_t> starts;  // row r has x[starts[r] + j stride - before] as its element j
  std::vector<Seen> seen;            // the row of element k, and its element that place 0 sees
  std::int64_t reach, pitch;         // the largest shift; elements that a row has of each sample
  std::int64_t at_once, blocks;      // samples of a block
};

/// Samples [first, first + count) and a group of channels.
struct Block {
  Block(const Layout& layout, std::int64_t i)
      : first(i / layout.g.groups * layout.at_once),
        count(std::min(layout.at_once, layout.g.samples - first)),
        group(i % layout.g.groups) {}
  std::int64_t first, count, group;
};

/// Samples of a block where blocks are shared out to threads.
std::int64_t samples_of_a_thread(const Geometry& g) {
  const std::int64_t parts = g.samples * g.filters * g.patch() * g.places / worth_a_thread;
  return g.samples / std::max<std::int64_t>(parts, 1) + 1;
}

template <class F>
void for_each_block(const Layout& layout, F f) {
  detail::parallel_for(0, layout.blocks * layout.g.groups, layout.g.groups, [&](std::int64_t i, std::int64_t end) {
    for (; i < end; ++i) f(Block(layout, i));
  });
}

/// The rows of channels of a block: sample n, channel c at data + n * sample + c * length.
template <class T>
struct Channels {
  T* data;
  std::int64_t sample, length, count;
  T* row(std::int64_t n, std::int64_t c) const { return data + n * sample + c * length; }
};
template <class T>
Channels<T> inputs(T* x, const Geometry& g, const Block& b) {
  const std::int64_t own = g.channels_of_group(), sample = g.channels * g.length;
  return {x + b.first * sample + b.group * own * g.length, sample, g.length, own};
}
template <class T>
Channels<T> outputs(T* y, const Geometry& g, const Block& b) {
  const std::int64_t own = g.filters_of_group(), sample = g.filters * g.places;
  return {y + b.first * sample + b.group * own * g.places, sample, g.places, own};
}

/// Which of the elements first + j step, j below n, lie inside [0, length): those from begin to end, excluded.
struct Inside {
  Inside(std::int64_t first, std::int64_t step, std::int64_t n, std::int64_t length) {
    end = first >= length ? 0 : std::min(n, (length - 1 - first) / step + 1);
    begin = std::min(first >= 0 ? 0 : (-first - 1) / step + 1, end);
  }
  std::int64_t begin, end;
};

/// Row c of them, from element `start` in steps, for every sample `pitch` elements, zeros where x has none.
template <class T>
void take(T* to, const Channels<const T>& x, std::int64_t c, std::int64_t samples, std::int64_t pitch,
          std::int64_t start, std::int64_t step) {
  const Inside inside(start, step, pitch, x.length);
  for (std::int64_t n = 0; n < samples; ++n, to += pitch) {
    const T* const from = x.row(n, c);  // start may lie far outside
    std::fill(to, to + inside.begin, T(0));
    if (step == 1 && inside.end - inside.begin >= 64) {  // below, a call costs more than the loop
      std::copy(from + (start + inside.begin), from + (start + inside.end), to + inside.begin);
    } else {
      for (std::int64_t j = inside.begin; j < inside.end; ++j) to[j] = from[start + j * step];
    }
    std::fill(to + inside.end, to + pitch, T(0));
  }
}
/// Its adjoint: adds the elements to where they came from.
template <class T>
void give(const T* from, const Channels<T>& x, std::int64_t c, std::int64_t samples, std::int64_t pitch,
          std::int64_t start, std::int64_t step) {
  const Inside inside(start, step, pitch, x.length);
  for (std::int64_t n = 0; n < samples; ++n, from += pitch) {
    T* const to = x.row(n, c);
    for (std::int64_t j = inside.begin; j < inside.end; ++j) to[start + j * step] += from[j];
  }
}

/// Rows, of which kernels read more than is `used`: zeros, since what memory happens to hold may be denormal, and slow.
template <class T>
struct Rows : Scratch<T> {
  Rows(std::int64_t count, std::int64_t length, std::int64_t used) : Scratch<T>(count * length + read_beyond) {
    T* const end = this->data() + count * length;
    for (T* row = this->data(); row < end; row += length) std::fill(row + used, row + length, T(0));
    std::fill_n(end, read_beyond, T(0));
  }
};

/// The elements of x that a block sees, in rows.
template <class T>
class Patches {
 public:
  Patches(const Layout& layout, const T* x, const Block& b)
      : length_(layout.row_length(layout.pitch)), rows_(layout.rows(), length_, b.count * layout.pitch) {
    const Channels<const T> channels = inputs(x, layout.g, b);
    T* row = rows_.data();
    for (std::int64_t c = 0; c < channels.count; ++c) {
      for (const std::int64_t start : layout.starts) {
        take(row, channels, c, b.count, layout.pitch, start - layout.g.before, layout.g.stride);
        row += length_;
      }
    }
    const auto starts = static_cast<std::int64_t>(layout.starts.size());
    for (std::int64_t c = 0; c < channels.count; ++c) {
      for (const auto& [r, shift] : layout.seen) begin_.push_back((c * starts + r) * length_ + shift);
    }
  }
  ShiftedRows<T> from(std::int64_t column) const {
    return {rows_.data() + column, begin_.data(), static_cast<std::int64_t>(begin_.size())};
  }

 private:
  std::int64_t length_;
  Rows<T> rows_;
  std::vector<std::int64_t> begin_;
};

/// What gives the elements of row r of x their gradient: sums over filters and the elements k that see the row.
template <class T>
struct Transposed {
  Transposed(const Layout& layout, const T* weight, std::int64_t r, std::int64_t row_length) {
    const Geometry& g = layout.g;
    std::vector<std::int64_t> elements;
    for (std::int64_t k = 0; k < g.kernel; ++k) {
      if (layout.seen[static_cast<std::size_t>(k)].row == r) elements.push_back(k);
    }
    const std::int64_t own = g.filters_of_group();
    for (std::int64_t o = 0; o < own; ++o) {
      for (const std::int64_t k : elements) {
        begin.push_back(o * row_length + layout.reach - layout.seen[static_cast<std::size_t>(k)].shift);
      }
    }
    weights.resize(static_cast<std::size_t>(g.channels) * begin.size());
    T* to = weights.data();
    for (std::int64_t c = 0; c < g.channels; ++c) {
      const std::int64_t group = c / g.channels_of_group();
      const T* row = weight + group * own * g.patch() + c % g.channels_of_group() * g.kernel;
      for (std::int64_t o = 0; o < own; ++o, row += g.patch()) {
        for (const std::int64_t k : elements) *to++ = row[k];
      }
    }
  }
  std::vector<std::int64_t> begin;
  std::vector<T> weights;  // (channels, filters of a group, elements)
};

}  // namespace

template <class T>
void convolve(T* y, const T* x, const T* weight, const T* bias, const Geometry& g) {
  const Layout layout(g, samples_of_a_thread(g), 1 << 16);
  const std::vector<T> none(bias ? 0 : static_cast<std::size_t>(g.filters));
  if (!bias) bias = none.data();
  for_each_block(layout, [&](const Block& b) {
    const Patches<T> patches(layout, x, b);
    const Channels<T> to = outputs(y, g, b);
    WeightedSums<T> sums{.y = to.data,
                         .y_stride = g.places,
                         .rows = to.count,
                         .length = g.places,
                         .weight = weight + b.group * to.count * g.patch(),
                         .bias = bias + b.group * to.count,
                         .x = patches.from(0)};
    if (layout.shared || b.count == 1) {
      for (std::int64_t n = 0; n < b.count; ++n) {
        sums.y = to.row(n, 0), sums.x = patches.from(n * layout.pitch);
        chosen<&Kernels<T>::weighted_sums>()(sums);
      }
      return;
    }
    const Scratch<T> joined(to.count * b.count * g.places);  // (filters, samples, places)
    sums.y = joined.data(), sums.y_stride = sums.length = b.count * g.places;
    chosen<&Kernels<T>::weighted_sums>()(sums);
    for (std::int64_t o = 0; o < to.count; ++o) {
      for (std::int64_t n = 0; n < b.count; ++n) {
        std::copy_n(joined.data() + (o * b.count + n) * g.places, g.places, to.row(n, o));
      }
    }
  });
}

template <class T>
void convolve_input_gradient(T* dx, const T* dy, const T* weight, const Geometry& g) {
  const Layout layout(g, samples_of_a_thread(g), 1 << 16);
  const std::int64_t pitch = layout.pitch + layout.reach, length = layout.row_length(pitch);
  const bool in_place = layout.shared && g.stride == 1;  // then x is one row
  std::vector<Transposed<T>> transposed;
  for (std::size_t r = 0; r < layout.starts.size(); ++r) {
    transposed.emplace_back(layout, weight, static_cast<std::int64_t>(r), length);
  }
  const std::vector<T> none(static_cast<std::size_t>(g.channels));
  if (!in_place) std::fill_n(dx, g.samples * g.channels * g.length, T(0));
  for_each_block(layout, [&](const Block& b) {
    const Channels<const T> from = outputs(dy, g, b);
    const Channels<T> to = inputs(dx, g, b);
    const Rows<T> rows(from.count, length, b.count * pitch);
    for (std::int64_t o = 0; o < from.count; ++o) {
      take(rows.data() + o * length, from, o, b.count, pitch, -layout.reach, std::int64_t{1});
    }
    const std::int64_t joined = b.count * layout.pitch;
    const Scratch<T> drows(in_place ? 0 : to.count * joined);
    for (std::size_t r = 0; r < transposed.size(); ++r) {
      const Transposed<T>& t = transposed[r];
      const auto patch = static_cast<std::int64_t>(t.begin.size());
      WeightedSums<T> sums{.y = drows.data(),
                           .y_stride = joined,
                           .rows = to.count,
                           .length = joined,
                           .weight = t.weights.data() + b.group * to.count * patch,
                           .bias = none.data(),
                           .x = {rows.data(), t.begin.data(), patch}};
      if (!layout.shared) {
        chosen<&Kernels<T>::weighted_sums>()(sums);
      } else {
        sums.length = layout.pitch;
        if (in_place) sums.y_stride = sums.length = g.length;
        for (std::int64_t n = 0; n < b.count; ++n) {
          sums.y = in_place ? to.row(n, 0) : drows.data() + n * layout.pitch;
          sums.x.data = rows.data() + n * pitch + (in_place ? g.before : 0);
          chosen<&Kernels<T>::weighted_sums>()(sums);
        }
      }
      if (in_place) continue;
      for (std::int64_t c = 0; c < to.count; ++c) {
        give(drows.data() + c * joined, to, c, b.count, layout.pitch, layout.starts[r] - g.before, g.stride);
      }
    }
  });
}

/// Threads share the filters, so that their number cannot show in the sums.
template <class T>
void convolve_weight_gradient(T* dw, const T* dy, const T* x, const Geometry& g) {
  constexpr std::int64_t in_cache = 2048;  // places, of which four filters are read again and again
  const Layout layout(g, in_cache / g.places, 1 << 18);
  const std::int64_t own = g.filters_of_group(), weights = own * g.patch();
  std::fill_n(dw, g.groups * weights, T(0));
  const auto add_block = [&](const Block& b) {
    const Patches<T> patches(layout, x, b);
    const Channels<const T> from = outputs(dy, g, b);
    RowProducts<T> all{.dw = dw + b.group * weights,
                       .rows = own,
                       .dy = from.data,
                       .dy_row = g.places,
                       .dy_run = from.sample,
                       .x = patches.from(0),
                       .x_run = layout.pitch,
                       .runs = b.count,
                       .length = g.places};
    const bool joins = !layout.shared && b.count > 1;
    const Scratch<T> joined(joins ? own * b.count * g.places : 0);  // (filters, samples, places)
    if (joins) {
      for (std::int64_t o = 0; o < own; ++o) {
        take(joined.data() + o * b.count * g.places, from, o, b.count, g.places, std::int64_t{0}, std::int64_t{1});
      }
      all.dy = joined.data(), all.dy_row = all.length = b.count * g.places, all.runs = 1;
    }
    detail::parallel_for(
        0, own, worth_a_thread / (g.patch() * b.count * g.places) + 1,
        [&](std::int64_t first, std::int64_t last) {
          RowProducts<T> part = all;
          part.dw += first * g.patch(), part.dy += first * all.dy_row, part.rows = last - first;
          chosen<&Kernels<T>::row_products>()(part);
        },
        4);
  };
  const std::int64_t grain = worth_a_thread / std::max<std::int64_t>(weights * g.samples * g.places, 1) + 1;
  detail::parallel_for(0, g.groups, grain, [&](std::int64_t group, std::int64_t last) {
    for (; group < last; ++group) {
      for (std::int64_t block = 0; block < layout.blocks; ++block) add_block(Block(layout, block * g.groups + group));
    }
  });
}

template void convolve(float*, const float*, const float*, const float*, const Geometry&);
template void convolve(double*, const double*, const double*, const double*, const Geometry&);
template void convolve_input_gradient(float*, const float*, const float*, const Geometry&);
template void convolve_input_gradient(double*, const double*, const double*, const Geometry&);
template void convolve_weight_gradient(float*, const float*, const float*, const Geometry&);
template void convolve_weight_gradient(double*, const double*, const double*, const Geometry&);

}  // namespace gradus::nn
