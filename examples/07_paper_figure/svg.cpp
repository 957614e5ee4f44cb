#include "svg.hpp"

namespace {

std::string escaped(const std::string& words) {
  std::string text;
  for (const char c : words) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      default:
        text += static_cast<unsigned char>(c) < ' ' ? '?' : c;  // XML knows no control characters
    }
  }
  return text;
}

}  // namespace

Svg::Svg(double width, double height, const std::string& description) {
  out_.imbue(std::locale::classic());
  out_.precision(1);
  out_ << std::fixed << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
       << "\" width=\"" << width << "\" height=\"" << height
       << "\" role=\"img\" font-family=\"Helvetica, Arial, sans-serif\">\n<title>" << escaped(description)
       << "</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
}

void Svg::points(const std::vector<Pixel>& all) {
  out_ << " points=\"";
  for (const Pixel& p : all) out_ << p.x << ',' << p.y << (&p == &all.back() ? "\"" : " ");
}

void Svg::line(const std::vector<Pixel>& all, const Pen& pen) {
  out_ << "<polyline fill=\"none\" stroke=\"" << pen.colour << "\" stroke-width=\"" << pen.width << '"';
  if (!pen.dashes.empty()) out_ << " stroke-dasharray=\"" << pen.dashes << '"';
  points(all);
  out_ << "/>\n";
}

void Svg::area(const std::vector<Pixel>& outline, const std::string& colour, double opacity) {
  out_ << "<polygon fill=\"" << colour << "\" fill-opacity=\"" << opacity << '"';
  points(outline);
  out_ << "/>\n";
}

void Svg::text(Pixel at, const std::string& words, const Font& font) {
  out_ << "<text x=\"" << at.x << "\" y=\"" << at.y << "\" font-size=\"" << font.size << "\" fill=\"" << font.colour
       << "\" text-anchor=\"" << font.anchor << '"';
  if (font.bold) out_ << " font-weight=\"bold\"";
  if (font.turned != 0) out_ << " transform=\"rotate(" << font.turned << ' ' << at.x << ' ' << at.y << ")\"";
  out_ << '>' << escaped(words) << "</text>\n";
}

void Svg::begin_clip(Pixel a, Pixel b) {
  ++clips_;
  out_ << "<clipPath id=\"clip" << clips_ << "\"><rect x=\"" << a.x << "\" y=\"" << a.y << "\" width=\"" << b.x - a.x
       << "\" height=\"" << b.y - a.y << "\"/></clipPath>\n<g clip-path=\"url(#clip" << clips_ << ")\">\n";
}

void Svg::end_clip() { out_ << "</g>\n"; }

std::string Svg::text() const { return out_.str() + "</svg>\n"; }
