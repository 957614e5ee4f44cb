// The loops of Conv1d beside their definition in long double, on every instruction set and with several threads.
#include "convolution.hpp"

#include "kernel_support.hpp"
#include "kernels/nn_table.hpp"
#include "kernels/split.hpp"

#include <cfenv>

namespace gradus::test {
namespace {

using nn::Geometry;

class ConvolutionKernels : public testing::TestWithParam<Isa> {};
INSTANTIATE_TEST_SUITE_P(EveryIsa, ConvolutionKernels, testing::ValuesIn(isas()));

/// Rows of x that begin at awkward places and overlap.
std::vector<std::int64_t> begins(std::int64_t count, std::int64_t length) {
  std::vector<std::int64_t> begin;
  for (std::int64_t p = 0; p < count; ++p) begin.push_back((7 * p) % 5 + p / 3 * length);
  return begin;
}

template <class T>
constexpr double unit = sizeof(T) == 4 ? 6e-7 : 1e-15;

TEST_P(ConvolutionKernels, WeightedSumsAreTheirDefinition) {
  for_both_widths([]<class T>(T*) {
    const auto& kernels = kernels::table_for<nn::kernels::Table>(GetParam())->of<T>();
    for (const std::int64_t rows : {1, 3, 4, 13}) {
      for (const std::int64_t length : {1, 7, 16, 31, 64, 97, 200}) {
        const std::int64_t count = 10, stride = length + 3;
        const std::vector<std::int64_t> begin = begins(count, length);
        const std::vector<T> x = normal<T>(4 * length + 5 + nn::kernels::read_beyond, 1);
        const std::vector<T> weight = normal<T>(rows * count, 2), bias = normal<T>(rows, 3);
        Guarded<T> y((rows - 1) * stride + length, 1);
        y.fill(std::vector<T>(static_cast<std::size_t>((rows - 1) * stride + length), T(5)));
        kernels.weighted_sums(
            {y.data(), stride, rows, length, weight.data(), bias.data(), {x.data(), begin.data(), count}});
        for (std::int64_t i = 0; i < rows; ++i) {
          for (std::int64_t l = 0; l < (i + 1 < rows ? stride : length); ++l) {
            if (l >= length) {
              EXPECT_EQ(y[i * stride + l], 5);  // between the rows
              continue;
            }
            long double sum = bias[i], size = std::fabs(bias[i]);
            for (std::int64_t p = 0; p < count; ++p) {
              const long double product = static_cast<long double>(weight[i * count + p]) * x[begin[p] + l];
              sum += product, size += std::fabs(product);
            }
            EXPECT_NEAR(y[i * stride + l], static_cast<double>(sum), static_cast<double>(size) * unit<T>);
          }
        }
      }
    }
  });
}

TEST_P(ConvolutionKernels, RowProductsAreTheirDefinition) {
  for_both_widths([]<class T>(T*) {
    const auto& kernels = kernels::table_for<nn::kernels::Table>(GetParam())->of<T>();
    for (const std::int64_t rows : {1, 4, 6}) {
      for (const std::int64_t length : {1, 7, 16, 31, 65}) {
        const std::int64_t count = 8, runs = 3, dy_row = length + 1, dy_run = rows * dy_row + 2, x_run = 4 * length + 9;
        const std::vector<std::int64_t> begin = begins(count, length);
        const std::vector<T> x = normal<T>(runs * x_run, 1), dy = normal<T>(runs * dy_run, 2);
        Guarded<T> dw(rows * count, 1);
        dw.fill(std::vector<T>(static_cast<std::size_t>(rows * count), T(0.5)));
        kernels.row_products(
            {dw.data(), rows, dy.data(), dy_row, dy_run, {x.data(), begin.data(), count}, x_run, runs, length});
        for (std::int64_t i = 0; i < rows; ++i) {
          for (std::int64_t p = 0; p < count; ++p) {
            long double sum = 0.5, size = 0.5;
            for (std::int64_t r = 0; r < runs; ++r) {
              for (std::int64_t l = 0; l < length; ++l) {
                const long double product =
                    static_cast<long double>(dy[i * dy_row + r * dy_run + l]) * x[begin[p] + r * x_run + l];
                sum += product, size += std::fabs(product);
              }
            }
            EXPECT_NEAR(dw[i * count + p], static_cast<double>(sum), static_cast<double>(size) * unit<T>);
          }
        }
      }
    }
  });
}

// clang-format off
// samples, channels, length; filters, kernel, places; stride, before, dilation, groups. Long sequences and short ones,
// strides below and above the kernel, padding of one side more, kernels longer than what they slide over.
constexpr Geometry geometries[] = {
    {3, 2, 100, 5, 9, 92, 1, 0, 1, 1},   {2, 3, 70, 4, 4, 70, 1, 1, 1, 1},    {5, 4, 9, 6, 3, 9, 1, 1, 1, 2},
    {2, 2, 201, 3, 5, 67, 3, 2, 1, 1},   {2, 4, 300, 6, 7, 73, 4, 3, 2, 2},   {3, 2, 140, 2, 2, 70, 2, 0, 3, 1},
    {2, 3, 330, 3, 3, 66, 5, 1, 1, 3},   {2, 2, 90, 3, 5, 82, 1, 4, 4, 1},    {4, 2, 40, 3, 40, 1, 1, 0, 1, 1},
    {3, 1, 30, 2, 50, 71, 1, 45, 1, 1},  {2, 2, 12, 3, 3, 4, 3, 1, 2, 1},     {9, 3, 1, 4, 1, 1, 1, 0, 1, 1},
    {1, 1, 65, 1, 1, 65, 1, 0, 1, 1},    {2, 1, 80, 2, 3, 98, 1, 10, 1, 1}};
// clang-format on

/// f(n, o, l, c within the group, k, place in x or -1 for padding)
template <class F>
void for_each_product(const Geometry& g, F f) {
  for (std::int64_t n = 0; n < g.samples; ++n) {
    for (std::int64_t o = 0; o < g.filters; ++o) {
      for (std::int64_t l = 0; l < g.places; ++l) {
        for (std::int64_t c = 0; c < g.channels_of_group(); ++c) {
          for (std::int64_t k = 0; k < g.kernel; ++k) {
            const std::int64_t at = l * g.stride + k * g.dilation - g.before;
            const std::int64_t channel = o / g.filters_of_group() * g.channels_of_group() + c;
            if (at < 0 || at >= g.length) continue;
            f((n * g.channels + channel) * g.length + at, (o * g.channels_of_group() + c) * g.kernel + k,
              (n * g.filters + o) * g.places + l);
          }
        }
      }
    }
  }
}

template <class T>
void expect_near(const std::vector<T>& got, const std::vector<long double>& expected) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], static_cast<double>(expected[i]), 60 * unit<T>) << "element " << i;
  }
}

TEST(Convolution, AndItsGradientsAreTheirDefinition) {
  for_both_widths([]<class T>(T*) {
    for (const Geometry& g : geometries) {
      SCOPED_TRACE(testing::Message() << g.length << " elements, " << g.places << " places, stride " << g.stride);
      const std::vector<T> x = normal<T>(numel(g.x_shape()), 1), w = normal<T>(numel(g.weight_shape()), 2);
      const std::vector<T> dy = normal<T>(numel(g.y_shape()), 3), bias = normal<T>(g.filters, 4);
      std::vector<long double> y(dy.size()), dx(x.size()), dw(w.size());
      for (std::size_t i = 0; i < y.size(); ++i) y[i] = bias[static_cast<std::int64_t>(i) / g.places % g.filters];
      for_each_product(g, [&](std::int64_t at_x, std::int64_t at_w, std::int64_t at_y) {
        y[at_y] += static_cast<long double>(x[at_x]) * w[at_w];
        dx[at_x] += static_cast<long double>(dy[at_y]) * w[at_w];
        dw[at_w] += static_cast<long double>(dy[at_y]) * x[at_x];
      });
      std::vector<T> got_y(y.size()), got_dx(x.size()), got_dw(w.size());
      nn::convolve(got_y.data(), x.data(), w.data(), bias.data(), g);
      nn::convolve_input_gradient(got_dx.data(), dy.data(), w.data(), g);
      nn::convolve_weight_gradient(got_dw.data(), dy.data(), x.data(), g);
      expect_near(got_y, y), expect_near(got_dx, dx), expect_near(got_dw, dw);
    }
  });
}

/// Leaves signalling NaN in memory that the next allocations get.
template <class T>
void spoil_free_memory() {
  std::vector<std::unique_ptr<kernels::Scratch<T>>> blocks;
  for (std::int64_t count = 16; count <= 1 << 14; count += count / 8) {
    for (int i = 0; i < 4; ++i) {
      blocks.push_back(std::make_unique<kernels::Scratch<T>>(count));
      std::fill_n(blocks.back()->data(), count, std::numeric_limits<T>::signaling_NaN());
    }
  }
}

TEST(Convolution, ComputesNothingWithWhatMemoryHappenedToHold) {
  for_both_widths([]<class T>(T*) {
    for (const Geometry& g : geometries) {
      const std::vector<T> x = normal<T>(numel(g.x_shape()), 1), w = normal<T>(numel(g.weight_shape()), 2),
                           dy = normal<T>(numel(g.y_shape()), 3);
      std::vector<T> y(dy.size()), dx(x.size()), dw(w.size());
      spoil_free_memory<T>();
      std::feclearexcept(FE_INVALID);
      nn::convolve<T>(y.data(), x.data(), w.data(), nullptr, g);
      nn::convolve_input_gradient(dx.data(), dy.data(), w.data(), g);
      nn::convolve_weight_gradient(dw.data(), dy.data(), x.data(), g);
      EXPECT_FALSE(std::fetestexcept(FE_INVALID)) << g.length << " elements, " << g.places << " places";
    }
  });
}

using ConvolutionThreads = Threaded;

TEST_F(ConvolutionThreads, ChangeNoBit) {
  for (const Geometry& g :
       {Geometry{40, 8, 128, 19, 9, 120, 1, 0, 1, 1}, Geometry{300, 6, 20, 16, 5, 10, 2, 2, 1, 2}}) {
    const auto x = normal(numel(g.x_shape()), 1), w = normal(numel(g.weight_shape()), 2),
               dy = normal(numel(g.y_shape()), 3);
    expect_equal("convolution", [&] {
      std::vector<float> all(x.size() + w.size() + dy.size());
      nn::convolve<float>(all.data(), x.data(), w.data(), nullptr, g);
      nn::convolve_input_gradient(all.data() + dy.size(), dy.data(), w.data(), g);
      nn::convolve_weight_gradient(all.data() + dy.size() + x.size(), dy.data(), x.data(), g);
      return all;
    });
  }
}

}  // namespace
}  // namespace gradus::test
