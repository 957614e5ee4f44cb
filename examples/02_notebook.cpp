// The notebook that asks what BatchNorm1d keeps in its buffers, cell by cell: each Out of the original is printed under
// the number of its cell, as in [5], character for character what PyTorch shows. Numbers that are left out belong to
// cells that show nothing.
#include <gradus/gradus.hpp>

#include <iostream>

using namespace gradus;

namespace {

/// The output of a cell: its number, the text, a blank line.
template <class T>
void out(int cell, const T& value) {
  std::cout << '[' << cell << "]\n" << value << "\n\n";
}

/// A state_dict as a notebook lays it out.
void out(int cell, const StateDict& state) { out(cell, pretty(state)); }

}  // namespace

int main() {
  auto data = arange(15).reshape({3, 5}).to(float32);
  out(2, data);

  auto bn = nn::BatchNorm1d(5);
  out(4, bn.state_dict());
  out(5, bn(data));

  // 0.1 * 25 + 0.9 * 1 = 3.4: the variance of the sample, 25, enters the buffer
  out(6, bn.state_dict());

  auto var = data.var(0);
  out(7, var);
  auto data_var = data.var(0, false);  // of the population
  out(8, data_var);
  auto data_mean = data.mean(0);
  out(9, data_mean);

  // the variance of the population normalises
  out(10, (data - data_mean) / sqrt(data_var));

  auto bn1 = nn::BatchNorm1d(5, {.momentum = 1});
  out(12, bn1);
  out(13, bn1(data));
  out(14, bn1.state_dict());

  data_var = gradus::var(data, 0, true);
  out(16, data_var);

  auto bn2 = nn::BatchNorm1d(5, {.momentum = 0.5});
  out(17, bn2.state_dict());
  out(18, bn2(data));

  // running_var = 0.5 * 1 + 0.5 * 25 = 13
  out(19, bn2.state_dict());

  manual_seed(742699148);  // the numbers of the original, which was not seeded
  auto a = randn({3, 3});
  out(21, a);
  out(22, a.var(0, false));
  out(23, a.var(0, true));
  auto mean = a.mean(0);
  out(24, mean);

  try {
    (a - mean) / sqrt(var);
  } catch (const Error& error) {
    const std::string text = error.what();
    out(25, std::string(error.kind()) + ": " + text.substr(0, text.find('\n')));
  }

  bn1 = nn::BatchNorm1d(3, {.momentum = 1});
  std::cout << "[26]\n" << bn1(a) << '\n';
}
