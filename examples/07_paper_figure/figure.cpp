#include "gnuplot.hpp"
#include "paper_figure.hpp"
#include "text.hpp"

#include <gradus/gradus.hpp>

using namespace gradus;

namespace {

/// "50,000"
std::string grouped(std::int64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::vector<std::string> caption(const Experiment& e) {
  const Settings& s = e.settings;
  return {
      "As in section 4.1 of the paper: three hidden layers of 100 sigmoids, batches of 60 binary images, SGD on "
      "the cross-entropy.",
      formatted("%s steps. (a): evaluation mode. (b), (c): one sigmoid of the last hidden layer, training mode, "
                "all values of the %s batches before a point.",
                grouped(s.steps).c_str(), grouped(s.eval_every).c_str()),
      formatted("Left open by the paper and chosen here: learning rate %g, weights at first normal with deviation "
                "%g, pixels above %g are 1, sigmoid %d, seed ",
                s.lr, s.init_std, s.threshold, static_cast<int>(s.unit)) +
          std::to_string(s.seed) + ".",
      "Data: " + e.data + ", " + grouped(e.training_images) + " images for training, " + grouped(e.test_images) +
          " for testing. Drawn by gradus."};
}

std::string labels(const Experiment& e) {
  std::string text = "set label 1 " + gnuplot_quoted(figure_title(e)) + " at screen 0.5,0.95 center font ',15'\n";
  int line = 0;
  for (const std::string& words : caption(e)) {
    text += formatted("set label %d ", line + 2) + gnuplot_quoted(words);
    text += formatted(" at screen 0.024,%g\n", 0.16 - 0.04 * line++);
  }
  return text;
}

/// The columns of the CSV.
Tensor table_of(const Experiment& e) {
  const auto percentiles = [](const Tensor& curve) { return curve.narrow(1, 2, 3); };
  return cat({e.plain.narrow(1, 0, 2), e.batch_norm.narrow(1, 1, 1), percentiles(e.plain), percentiles(e.batch_norm)},
             1);
}

/// At most 200 rows, the last among them.
Tensor thinned(const Tensor& table) {
  constexpr std::int64_t most = 200;
  const std::int64_t points = table.size(0), stride = (points + most - 1) / most;
  return table(Slice((points - 1) % stride, std::nullopt, stride));
}

/// The paper's axis begins at 0.7, since what matters is the upper end. Here it begins where the slower net is after a
/// twentieth of the training.
double lowest_accuracy(const Tensor& table) { return table[table.size(0) / 20].narrow(0, 1, 2).min().item(); }

/// One panel of percentiles; its columns of the table begin at `first`.
std::string percentiles_panel(const char* title, int first, int style) {
  return formatted("set title '%s'\nplot $data using 1:%d:%d with filledcurves ls %d fs transparent solid 0.2 noborder",
                   title, first, first + 2, style) +
         formatted(
             ", '' using 1:%d with lines ls %d, '' using 1:%d with lines ls %d lw 1, '' using 1:%d with lines ls "
             "%d lw 1\n",
             first + 1, style, first, style, first + 2, style);
}

}  // namespace

std::string figure_title(const Experiment& e) {
  return e.digits
             ? "A small run on 8 x 8 digits, in the manner of Ioffe & Szegedy 2015, Fig. 1; not a reproduction of it"
             : "The experiment of Ioffe & Szegedy 2015, Fig. 1, on " + e.data;
}

std::string figure_csv(const Experiment& e) {
  return "step,plain_accuracy,batch_norm_accuracy,plain_p15,plain_p50,plain_p85,batch_norm_p15,batch_norm_p50,"
         "batch_norm_p85\n" +
         csv_rows(table_of(e));
}

void draw_figure(OutputFile& file, const Experiment& e) {
  const Tensor table = table_of(e), percentiles = table.narrow(1, 3, 6);
  const std::string script =
      data_block("data", thinned(table)) + labels(e) +
      "set format x '%.0s%c'\nset multiplot\nset tmargin at screen 0.8\nset bmargin at screen 0.32\n"
      "set xlabel 'training steps'\nset xtics autofreq\nset lmargin at screen 0.07\nset rmargin at screen 0.32\n" +
      formatted("set xrange [0:%g]\nset yrange [%g:*]\n", static_cast<double>(e.settings.steps),
                lowest_accuracy(table)) +
      "set title '(a) accuracy on test images'\nset ylabel 'fraction correct'\nset key bottom right\n"
      "plot $data using 1:2 with lines ls 2 title 'without BatchNorm',"
      " '' using 1:3 with lines ls 1 title 'with BatchNorm'\n"
      "unset label\nunset key\nset ylabel 'input of one sigmoid, 15, 50, 85 %'\n" +
      formatted("set yrange [%g:%g]\n", percentiles.min().item(), percentiles.max().item()) +
      "set lmargin at screen 0.42\nset rmargin at screen 0.67\n" + percentiles_panel("(b) without BatchNorm", 4, 2) +
      "set ylabel ''\nset lmargin at screen 0.74\nset rmargin at screen 0.99\n" +
      percentiles_panel("(c) with BatchNorm", 7, 1) + "unset multiplot\n";
  draw_picture(file, 1000, 480, script);
}
