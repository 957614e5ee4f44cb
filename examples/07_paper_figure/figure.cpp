#include "figure.hpp"

#include "panel.hpp"

#include <cmath>

namespace {

constexpr const char* plain_colour = "#d55e00";  // these two differ for the colour-blind, too
constexpr const char* batch_norm_colour = "#0072b2";

/// A curve as the lines that are drawn, thinned to some hundred points.
struct Lines {
  Panel::Line accuracy, p15, p50, p85;

  explicit Lines(const Curve& curve) {
    constexpr std::size_t most = 400;
    const std::size_t stride = (curve.size() + most - 1) / most;
    for (std::size_t i = (curve.size() - 1) % stride; i < curve.size(); i += stride) add(curve[i]);
  }

 private:
  void add(const Point& point) {
    const auto step = static_cast<double>(point.step);
    for (Panel::Line* line : {&accuracy, &p15, &p50, &p85}) line->x.push_back(step);
    accuracy.y.push_back(point.test_accuracy);
    p15.y.push_back(point.sigmoid_input.p15);
    p50.y.push_back(point.sigmoid_input.p50);
    p85.y.push_back(point.sigmoid_input.p85);
  }
};

Range values(std::initializer_list<const std::vector<double>*> lines) {
  Range range{INFINITY, -INFINITY};
  for (const std::vector<double>* line : lines) {
    for (const double value : *line) range = {std::min(range.low, value), std::max(range.high, value)};
  }
  return range;
}

/// The paper's axis begins at 0.7, since what matters is the upper end. Here it begins where the slower net is after a
/// twentieth of the training.
Scale accuracy_scale(const Lines& plain, const Lines& batch_norm) {
  const std::size_t early = plain.accuracy.y.size() / 20;
  const Range all = values({&plain.accuracy.y, &batch_norm.accuracy.y});
  return Scale::rounded({std::min(plain.accuracy.y[early], batch_norm.accuracy.y[early]), all.high});
}

void draw_legend(Svg& svg, double y) {
  const auto entry = [&](double x, const std::string& words, const char* colour) {
    svg.line({{x, y - 4}, {x + 28, y - 4}}, {.colour = colour, .width = 3});
    svg.text({x + 36, y}, words, {.size = 13});
  };
  entry(345, "without BatchNorm", plain_colour);
  entry(530, "with BatchNorm", batch_norm_colour);
}

void draw_accuracy(Panel panel, const Lines& plain, const Lines& batch_norm) {
  panel.axes("(a) accuracy on test images", "training steps", "fraction correct");
  panel.line(plain.accuracy, {.colour = plain_colour, .width = 1.6});
  panel.line(batch_norm.accuracy, {.colour = batch_norm_colour, .width = 1.6});
}

void draw_percentiles(Panel panel, const std::string& title, const std::string& y_label, const Lines& lines,
                      const char* colour) {
  panel.axes(title, "training steps", y_label);
  panel.between(lines.p85, lines.p15, colour);
  panel.line(lines.p15, {.colour = colour});
  panel.line(lines.p85, {.colour = colour});
  panel.line(lines.p50, {.colour = colour, .width = 2});
  panel.notes({{lines.p85.y.back(), "85 %"}, {lines.p50.y.back(), "50 %"}, {lines.p15.y.back(), "15 %"}}, colour);
}

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
  const Lines plain(e.plain), batch_norm(e.batch_norm);
  const Scale steps({0, static_cast<double>(e.settings.steps)});
  const Scale inputs = Scale::rounded(values({&plain.p15.y, &plain.p85.y, &batch_norm.p15.y, &batch_norm.p85.y}));

  constexpr double top = 102, width = 240, height = 230;
  Svg svg(1000, 466, figure_title(e));
  svg.text({500, 30}, figure_title(e), {.size = 16, .anchor = "middle", .bold = true});
  draw_legend(svg, 58);
  draw_accuracy(Panel(svg, {62, top, 264, height}, steps, accuracy_scale(plain, batch_norm)), plain, batch_norm);
  draw_percentiles(Panel(svg, {402, top, width, height}, steps, inputs), "(b) without BatchNorm",
                   "input of one sigmoid", plain, plain_colour);
  draw_percentiles(Panel(svg, {722, top, width, height}, steps, inputs), "(c) with BatchNorm", "", batch_norm,
                   batch_norm_colour);
  double y = 396;
  for (const std::string& line : caption(e)) {
    svg.text({24, y}, line, {.colour = "#555555"});
    y += 18;
  }
  return svg.text();
}
