// A diagram: axes with ticks, and what is drawn between them.
#pragma once

#include "svg.hpp"

struct Range {
  double low, high;
};

/// A range with the distance of its ticks: 1, 2 or 5 times a power of ten, so that there are about six.
struct Scale : Range {
  explicit Scale(Range range);
  /// Widened so that it begins and ends with a tick.
  static Scale rounded(Range range);

  std::vector<double> ticks() const;

 private:
  double distance_;
};

class Panel {
 public:
  struct Place {
    double left, top, width, height;
  };
  Panel(Svg& svg, Place place, Scale x, Scale y);

  /// The grid with its numbers: steps as "10K" below, decimals at the left.
  void axes(const std::string& title, const std::string& x_label, const std::string& y_label);

  struct Line {
    std::vector<double> x, y;
  };
  void line(const Line& line, const Pen& pen);
  void between(const Line& upper, const Line& lower, const std::string& colour);
  struct Note {
    double y;
    std::string words;
  };
  /// Words at the right border at the height of values, from the highest to the lowest, moved down where they would
  /// meet.
  void notes(const std::vector<Note>& notes, const std::string& colour);

 private:
  Pixel at(double x, double y) const;
  std::vector<Pixel> at(const Line& line) const;
  template <class Draw>
  void clipped(Draw draw);

  Svg& svg_;
  const Place place_;
  const Scale x_, y_;
};
