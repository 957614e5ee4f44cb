// A picture in SVG: lines, areas and text, in pixels from the upper left corner.
#pragma once

#include <sstream>
#include <string>
#include <vector>

struct Pixel {
  double x, y;
};

struct Pen {
  std::string colour = "#333333";
  double width = 1;
  std::string dashes = {};  // such as "6 3"; empty: solid
};

struct Font {
  double size = 12;
  std::string anchor = "start";  // which end of the text stands at the pixel: start, middle, end
  std::string colour = "#333333";
  bool bold = false;
  double turned = 0;  // degrees, clockwise, around the pixel
};

class Svg {
 public:
  /// The description is read to those who do not see the picture.
  Svg(double width, double height, const std::string& description);

  void line(const std::vector<Pixel>& points, const Pen& pen);
  void area(const std::vector<Pixel>& outline, const std::string& colour, double opacity);
  void text(Pixel at, const std::string& words, const Font& font = {});
  /// From here to end_clip() only what lies between these corners is drawn.
  void begin_clip(Pixel upper_left, Pixel lower_right);
  void end_clip();

  std::string text() const;  ///< the whole file

 private:
  void points(const std::vector<Pixel>& all);

  std::ostringstream out_;
  int clips_ = 0;
};
