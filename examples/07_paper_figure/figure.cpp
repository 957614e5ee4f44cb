#include "figure.hpp"

#include "gnuplot.hpp"

#include <cstdio>
#include <sstream>
#include <vector>

namespace {

/// "50,000"
std::string grouped(std::int64_t count) {
  std::string text = std::to_string(count);
  for (auto at = static_cast<std::ptrdiff_t>(text.size()) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

std::vector<std::string> caption(const Experiment& e) {
  const Settings& s = e.settings;
  return {
      "As in section 4.1 of the paper: three hidden layers of 100 sigmoids, batches of 60 binary images, SGD on the "
      "cross-entropy.",
      grouped(s.steps) +
          " steps. (a): evaluation mode. (b), (c): one sigmoid of the last hidden layer, training "
          "mode, all values of the " +
          grouped(s.eval_every) + " batches before a point.",
      "Left open by the paper and chosen here: learning rate " + number(s.lr) +
          ", weights at first normal with "
          "deviation " +
          number(s.init_std) + ", pixels above " + number(s.threshold) + " are 1, sigmoid " + std::to_string(s.unit) +
          ", seed " + std::to_string(s.seed) + ".",
      "Data: " + e.data + ", " + grouped(e.training_images) + " images for training, " + grouped(e.test_images) +
          " for testing. Drawn by gradus."};
}

/// The table as a data block of gnuplot, thinned to 200 points.
std::string data_block(const std::string& csv, std::size_t points) {
  constexpr std::size_t most = 200;
  const std::size_t stride = (points + most - 1) / most;
  std::istringstream lines(csv);
  std::string block = "$data << END\n", line;
  std::getline(lines, line);  // the names of the columns
  for (std::size_t i = 0; std::getline(lines, line); ++i) {
    if ((points - 1 - i) % stride == 0) block += line + "\n";
  }
  return block + "END\n";
}

/// The paper's axis begins at 0.7, since what matters is the upper end. Here it begins where the slower net is after a
/// twentieth of the training.
double lowest_accuracy(const Experiment& e) {
  const std::size_t early = e.plain.size() / 20;
  return std::min(e.plain[early].test_accuracy, e.batch_norm[early].test_accuracy);
}

/// Both panels of percentiles; the columns of the table begin at `first`.
std::string percentiles_panel(const std::string& title, int first, const char* style) {
  const auto column = [](int c) { return std::to_string(c); };
  const std::string lower = column(first), middle = column(first + 1), upper = column(first + 2);
  return "set title '" + title + "'\nplot $data using 1:" + lower + ":" + upper + " with filledcurves ls " + style +
         " fs transparent solid 0.2 noborder notitle, '' using 1:" + middle + " with lines ls " + style +
         " lw 2 notitle, '' using 1:" + lower + " with lines ls " + style + " notitle, '' using 1:" + upper +
         " with lines ls " + style + " notitle\n";
}

}  // namespace

std::string figure_title(const Experiment& e) {
  return e.digits
             ? "A small run on 8 x 8 digits, in the manner of Ioffe & Szegedy 2015, Fig. 1; not a reproduction of it"
             : "The experiment of Ioffe & Szegedy 2015, Fig. 1, on " + e.data;
}

std::string figure_csv(const Experiment& e) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out.precision(7);
  out << "step,plain_accuracy,batch_norm_accuracy,plain_p15,plain_p50,plain_p85,batch_norm_p15,batch_norm_p50,"
         "batch_norm_p85\n";
  for (std::size_t i = 0; i < e.plain.size(); ++i) {
    const Percentiles &plain = e.plain[i].sigmoid_input, &batch_norm = e.batch_norm[i].sigmoid_input;
    out << e.plain[i].step << ',' << e.plain[i].test_accuracy << ',' << e.batch_norm[i].test_accuracy;
    for (const Percentiles* p : {&plain, &batch_norm}) out << ',' << p->p15 << ',' << p->p50 << ',' << p->p85;
    out << '\n';
  }
  return out.str();
}

std::string figure_svg(const Experiment& e) {
  std::ostringstream script;
  script.imbue(std::locale::classic());
  script << data_block(figure_csv(e), e.plain.size())
         << "set terminal svg size 1000,480 noenhanced font 'Helvetica,12' background '#ffffff'\n"
            "set datafile separator ','\n"
            "set style line 1 lc rgb '#d55e00'\nset style line 2 lc rgb '#0072b2'\n"  // for the colour-blind, too
            "set grid lc rgb '#e4e4e4' lt 1\nset border 3\nset tics nomirror\nset format x '%.0s%c'\n"
            "stats $data using 4 nooutput name 'a'\nstats $data using 6 nooutput name 'b'\n"
            "stats $data using 7 nooutput name 'c'\nstats $data using 9 nooutput name 'd'\n"
            "low = a_min < c_min ? a_min : c_min\nhigh = b_max > d_max ? b_max : d_max\n"
            "set multiplot\nset tmargin at screen 0.8\nset bmargin at screen 0.32\n";
  script << "set label 1 " << gnuplot_quoted(figure_title(e)) << " at screen 0.5,0.95 center font ',15'\n";
  double y = 0.16;
  int label = 2;
  for (const std::string& line : caption(e)) {
    script << "set label " << label++ << ' ' << gnuplot_quoted(line) << " at screen 0.024," << y << "\n";
    y -= 0.04;
  }
  script << "set xlabel 'training steps'\nset xrange [0:" << e.settings.steps << "]\nset xtics autofreq\n"
         << "set lmargin at screen 0.07\nset rmargin at screen 0.32\nset yrange [" << lowest_accuracy(e) << ":*]\n"
         << "set title '(a) accuracy on test images'\nset ylabel 'fraction correct'\nset key bottom right\n"
         << "plot $data using 1:2 with lines ls 1 lw 2 title 'without BatchNorm',"
            " '' using 1:3 with lines ls 2 lw 2 title 'with BatchNorm'\n"
         << "unset label\nunset key\nset ylabel 'input of one sigmoid, 15, 50, 85 %'\n"
         << "set yrange [low:high]\n"
         << "set lmargin at screen 0.42\nset rmargin at screen 0.67\n"
         << percentiles_panel("(b) without BatchNorm", 4, "1")
         << "set ylabel ''\nset lmargin at screen 0.74\nset rmargin at screen 0.99\n"
         << percentiles_panel("(c) with BatchNorm", 7, "2") << "unset multiplot\n";
  return gnuplot(script.str());
}
