// A StateDict as text: on one line, or laid out as IPython lays out an OrderedDict.
#include <gradus/core/print.hpp>
#include <gradus/core/state_dict.hpp>

#include <algorithm>

namespace gradus {
namespace {

constexpr std::string_view opening = "OrderedDict([";

std::string key_text(const std::string& name) { return "('" + name + "',"; }

std::string new_line(std::size_t indent) { return "\n" + std::string(indent, ' '); }

std::string indented(std::string text, std::size_t indent) {
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    text.insert(at + 1, indent, ' ');
  }
  return text;
}

}  // namespace

std::string to_string(const StateDict& state) {
  if (state.empty()) return "OrderedDict()";
  std::string text;
  for (const auto& [name, tensor] : state) {
    text += text.empty() ? opening : ", ";
    text += key_text(name) + " " + to_string(tensor) + ")";
  }
  return text + "])";
}

// IPython breaks lines at the outermost place that helps: between the entries, then between a name and its tensor. A
// line break inside a tensor breaks there as well; only if it is the first break of all, the place between the entries
// is used up by it and that tensor stays beside its name.
std::string pretty(const StateDict& state, std::size_t width) {
  std::string plain = to_string(state);
  const std::size_t first_line = std::min(plain.find('\n'), plain.size());
  if (first_line == plain.size() && first_line <= width) return plain;

  bool unbroken = first_line <= width;  // up to the first tensor of several lines
  std::string text(opening);
  for (std::size_t i = 0; i < state.size(); ++i) {
    const auto& [name, tensor] = state.entry(i);
    const std::string key = key_text(name);
    const std::string value = to_string(tensor) + (i + 1 < state.size() ? ")," : ")])");
    const bool one_line = value.find('\n') == std::string::npos;
    const bool fits =
        one_line ? opening.size() + key.size() + 1 + value.size() <= width : std::exchange(unbroken, false) && i > 0;
    if (i > 0) text += new_line(opening.size());
    text += key + (fits ? " " : new_line(opening.size() + 1)) + indented(value, opening.size() + 1);
  }
  return text;
}

}  // namespace gradus
