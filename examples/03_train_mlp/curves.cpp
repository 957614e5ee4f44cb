#include "curves.hpp"

#include "gnuplot.hpp"

#include <filesystem>
#include <sstream>

using namespace gradus;

namespace {

constexpr std::int64_t column_count = 6;

std::string data_block(std::size_t number, const Tensor& table) {
  std::ostringstream block;
  block.imbue(std::locale::classic());
  block << "$run" << number << " << END\n";
  for (std::int64_t row = 0; row < table.size(0); ++row) {
    for (const double value : table[row].to_vector<double>()) block << value << ' ';
    block << '\n';
  }
  block << "END\n";
  return block.str();
}

/// "plot …": a line for each run, of this column over the first.
std::string plot(const std::vector<Curves>& runs, int column) {
  std::string text = "plot ";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    text += (i > 0 ? ", $run" : "$run") + std::to_string(i) + " using 1:" + std::to_string(column) + " with lines ls " +
            std::to_string(i + 1) + " title " + gnuplot_quoted(std::filesystem::path(runs[i].name).stem().string());
  }
  return text + "\n";
}

}  // namespace

Tensor to_table(const std::vector<EpochResult>& results) {
  std::vector<double> rows;
  for (const EpochResult& r : results) {
    for (const double value :
         {static_cast<double>(r.epoch), r.train.loss, r.train.accuracy, r.test.loss, r.test.accuracy, r.seconds}) {
      rows.push_back(value);
    }
  }
  return from_span(rows, {static_cast<std::int64_t>(results.size()), column_count});
}

Tensor read_results(const std::string& csv_path) {
  Tensor table = read_csv(csv_path, {.header = true}).to(float64);
  if (table.size(1) != column_count || table.size(0) == 0) {
    throw FileError(csv_path + ": expected what --csv writes, got a table of shape " + to_string(table.shape()));
  }
  return table;
}

std::string curves_svg(const std::vector<Curves>& runs) {
  std::string script =
      "set terminal svg size 860,330 noenhanced font 'Helvetica,12' background '#ffffff'\n"
      "set style line 1 lc rgb '#0072b2' lw 2\nset style line 2 lc rgb '#d55e00' lw 2\n"
      "set grid lc rgb '#e4e4e4' lt 1\nset border 3\nset tics nomirror\nset xlabel 'epoch'\n";
  for (std::size_t i = 0; i < runs.size(); ++i) script += data_block(i, runs[i].table);
  script += "set multiplot layout 1,2\nset logscale y\nset title 'mean loss of the epoch, training images'\n" +
            plot(runs, 2) +
            "unset logscale y\nset key bottom right\nset title 'accuracy, test images'\nset format y '%.2f'\n" +
            plot(runs, 5) + "unset multiplot\n";
  return gnuplot(script);
}
