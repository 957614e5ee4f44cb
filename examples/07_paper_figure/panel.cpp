#include "panel.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace {

constexpr const char* grid_colour = "#e4e4e4";

std::string decimal(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", std::abs(value) < 1e-9 ? 0 : value);
  return text;
}

std::string thousands(double steps) { return steps >= 1000 ? decimal(steps / 1000) + "K" : decimal(steps); }

}  // namespace

Scale::Scale(Range range) : Range(range) {
  const double least = std::max(high - low, 1e-6) / 5;
  const double power = std::pow(10, std::floor(std::log10(least)));
  const auto enough = [=](double factor) { return factor * power >= least * (1 - 1e-9); };
  distance_ = (enough(1) ? 1 : enough(2) ? 2 : enough(5) ? 5 : 10) * power;
}

Scale Scale::rounded(Range range) {
  Scale scale(range);
  const double distance = scale.distance_;
  scale.low = std::floor(range.low / distance + 1e-6) * distance;
  scale.high = std::max(std::ceil(range.high / distance - 1e-6) * distance, scale.low + distance);
  return scale;
}

std::vector<double> Scale::ticks() const {
  std::vector<double> result;
  const auto last = std::llround(std::floor(high / distance_ + 1e-6));
  for (auto i = std::llround(std::ceil(low / distance_ - 1e-6)); i <= last; ++i) {
    result.push_back(static_cast<double>(i) * distance_);
  }
  return result;
}

Panel::Panel(Svg& svg, Place place, Scale x, Scale y) : svg_(svg), place_(place), x_(x), y_(y) {}

Pixel Panel::at(double x, double y) const {
  return {place_.left + (x - x_.low) / (x_.high - x_.low) * place_.width,
          place_.top + (y_.high - y) / (y_.high - y_.low) * place_.height};
}

std::vector<Pixel> Panel::at(const Line& line) const {
  std::vector<Pixel> pixels;
  for (std::size_t i = 0; i < line.x.size(); ++i) pixels.push_back(at(line.x[i], line.y[i]));
  return pixels;
}

void Panel::axes(const std::string& title, const std::string& x_label, const std::string& y_label) {
  const double right = place_.left + place_.width, bottom = place_.top + place_.height;
  for (const double y : y_.ticks()) {
    svg_.line({at(x_.low, y), at(x_.high, y)}, {.colour = grid_colour});
    svg_.text({place_.left - 6, at(x_.low, y).y + 4}, decimal(y), {.anchor = "end"});
  }
  for (const double x : x_.ticks()) {
    svg_.line({at(x, y_.low), at(x, y_.high)}, {.colour = grid_colour});
    svg_.text({at(x, y_.low).x, bottom + 17}, thousands(x), {.anchor = "middle"});
  }
  svg_.line({{place_.left, place_.top}, {place_.left, bottom}, {right, bottom}}, {.width = 1.2});
  svg_.text({place_.left, place_.top - 12}, title, {.size = 13, .bold = true});
  svg_.text({place_.left + place_.width / 2, bottom + 36}, x_label, {.anchor = "middle"});
  svg_.text({place_.left - 40, place_.top + place_.height / 2}, y_label, {.anchor = "middle", .turned = -90});
}

template <class Draw>
void Panel::clipped(Draw draw) {
  svg_.begin_clip({place_.left, place_.top}, {place_.left + place_.width, place_.top + place_.height});
  draw();
  svg_.end_clip();
}

void Panel::line(const Line& line, const Pen& pen) {
  clipped([&] { svg_.line(at(line), pen); });
}

void Panel::between(const Line& upper, const Line& lower, const std::string& colour) {
  std::vector<Pixel> outline = at(upper);
  const std::vector<Pixel> back = at(lower);
  outline.insert(outline.end(), back.rbegin(), back.rend());
  clipped([&] { svg_.area(outline, colour, 0.2); });
}

void Panel::notes(const std::vector<Note>& notes, const std::string& colour) {
  constexpr double line_height = 12;
  double next = place_.top;
  for (const Note& note : notes) {
    const double y = std::max(at(x_.high, note.y).y + 4, next);
    svg_.text({place_.left + place_.width + 5, y}, note.words, {.size = 11, .colour = colour});
    next = y + line_height;
  }
}
