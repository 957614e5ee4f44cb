#include <gradus/core/dot.hpp>

#include "dot/known_graph.hpp"
#include "message.hpp"
#include "print/format.hpp"

#include <algorithm>

namespace gradus {

using namespace detail;

Tensor set_name(const Tensor& x, std::string name) {
  x.shape();  // throws when x is undefined
  TensorImpl& impl = *impl_of(x);
  if (impl.grad_fn && impl.grad_fn->extra) impl.extra = impl.grad_fn->extra;
  impl.extras().name = std::move(name);
  if (impl.grad_fn) {
    impl.extra->value = x.detach();
    impl.grad_fn->extra = impl.extra;
  }
  return x;
}

std::string name(const Tensor& x) {
  x.shape();
  return impl_of(x)->extra ? impl_of(x)->extra->name : "";
}

namespace {

/// How a box is headed and filled.
struct Kind {
  std::string heading;
  const char* colour;
};

const Kind parameter{"parameter", "#cfe2f3"};
const Kind buffer{"buffer", "#fff2cc"};
const Kind leaf{"leaf", "#d9ead3"};
const Kind data{"data", "#eeeeee"};
const Kind by_product{"saved", "#f4cccc"};
constexpr const char* computed_colour = "#ffffff";

/// "NativeBatchNormBackward0" -> "NativeBatchNorm"
std::string operation(const Node& node) {
  const std::string name = node.name();
  return name.substr(0, name.rfind("Backward"));
}

bool same_elements(const Tensor& a, const Tensor& b) {
  return impl_of(a)->elements == impl_of(b)->elements && a.shape() == b.shape() && a.dtype() == b.dtype();
}

/// The lines as a label of Graphviz, each set to the left.
std::string label(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    for (char c : line) {
      if (c == '"' || c == '\\') text += '\\';
      text += c == '\n' ? "\\l" : std::string(1, c);
    }
    text += "\\l";
  }
  return text;
}

class Picture {
 public:
  Picture(const Tensor& y, const DotOptions& options) : graph_(y), options_(options), print_(print_options()) {
    print_.linewidth = 60;
  }

  std::string text() {
    text_ = "digraph gradus {\n  node [shape=box, style=filled, fontname=monospace, fontsize=10];\n";
    text_ += "  subgraph cluster_forward {\n  label=\"forward\";\n";
    for (const Node* node : graph_.nodes()) draw_forward(*node);
    text_ += "  }\n";
    if (options_.backward) {
      text_ += "  subgraph cluster_backward {\n  label=\"backward (dashed: what it saved)\";\n";
      for (const Node* node : graph_.nodes()) draw_backward(*node);
      text_ += "  }\n";
      for (const Node* node : graph_.nodes()) draw_saved(*node);
    }
    return std::move(text_) + "}\n";
  }

 private:
  // --- the words in a box
  const StateDict::Entry* in_state(const Tensor& x) const {
    const auto found = std::ranges::find_if(
        options_.state, [&](const StateDict::Entry& entry) { return same_elements(entry.second, x); });
    return found == options_.state.end() ? nullptr : &*found;
  }

  std::string titled(const std::string& heading, const Tensor& x, const Extra* extra) const {
    if (extra && !extra->name.empty()) return heading + "  " + extra->name;
    const StateDict::Entry* entry = x.defined() ? in_state(x) : nullptr;
    return entry ? heading + "  " + entry->first : heading;
  }

  void describe(std::vector<std::string>& lines, const Tensor& x) const {
    if (!x.defined()) return;
    lines.push_back(message(x.shape(), " ", x.dtype()));
    describe_elements(lines, "value ", x);
  }

  void describe_elements(std::vector<std::string>& lines, const std::string& what, const Tensor& x) const {
    if (x.numel() > options_.max_elements) return;
    lines.push_back(what + (x.numel() == 0 ? "[]" : elements_text(x, print_, what.size())));
  }

  void describe_gradient(std::vector<std::string>& lines, const Node& node) const {
    const bool kept = node.leaf() || (node.extra && node.extra->retains_grad);
    if (!kept) return lines.push_back("gradient not kept");
    const Tensor& gradient = node.leaf() ? node.leaf()->grad : node.extra->retained_grad;
    if (!gradient.defined()) return lines.push_back("no gradient yet");
    describe_elements(lines, "grad  ", gradient);
  }

  // --- boxes and arrows
  void box(const std::string& id, const std::vector<std::string>& lines, const char* colour) {
    text_ += message("  ", id, " [label=\"", label(lines), "\", fillcolor=\"", colour, "\"];\n");
  }
  void arrow(const std::string& from, const std::string& to, const char* style = "") {
    text_ += message("  ", from, " -> ", to, style, ";\n");
  }
  std::string forward_id(const Node& node) const { return message("f", graph_.number(node)); }
  std::string backward_id(const Node& node) const { return message("b", graph_.number(node)); }

  void draw_forward(const Node& node) {
    const Tensor y = graph_.tensor(node);
    const Kind kind = !node.leaf() ? Kind{operation(node), computed_colour} : in_state(y) ? parameter : leaf;
    const Extra* extra = node.leaf() ? impl_of(y)->extra.get() : node.extra.get();
    std::vector<std::string> lines{titled(kind.heading, y, extra)};
    describe(lines, y);
    describe_gradient(lines, node);
    box(forward_id(node), lines, kind.colour);

    for (const Ref<Node>& input : node.inputs()) {
      if (input) arrow(forward_id(*input), forward_id(node));
    }
    if (!extra) return;
    for (const Tensor& constant : extra->constants) arrow(constant_id(constant, data), forward_id(node));
  }

  /// The box of a tensor that has no node, drawn when it is met for the first time.
  std::string constant_id(const Tensor& x, const Kind& unless_buffer) {
    const auto found = std::ranges::find_if(constants_, [&](const Tensor& other) { return same_elements(other, x); });
    const std::string id = message("c", found - constants_.begin());
    if (found != constants_.end()) return id;
    constants_.push_back(x);
    const Kind& kind = in_state(x) ? buffer : unless_buffer;
    std::vector<std::string> lines{titled(kind.heading, x, impl_of(x)->extra.get())};
    describe(lines, x);
    box(id, lines, kind.colour);
    return id;
  }

  void draw_backward(const Node& node) {
    std::vector<std::string> lines{node.name()};
    if (node.leaf()) lines.front() = titled(node.name(), graph_.tensor(node), node.leaf()->extra.get());
    if (node.freed) lines.push_back("saved tensors freed");
    box(backward_id(node), lines, computed_colour);
    // Declared against the way of the gradient, so that both graphs stand the same way up.
    for (const Ref<Node>& input : node.inputs()) {
      if (input) arrow(backward_id(*input), backward_id(node), " [dir=back]");
    }
    for (const SavedTensor& saved : graph_.saved(node)) saved_id(node, saved);  // what has no box yet belongs here
  }

  std::string saved_id(const Node& node, const SavedTensor& saved) {
    const Node* origin = graph_.origin(node, saved);
    return origin ? forward_id(*origin) : constant_id(saved.tensor, by_product);
  }

  void draw_saved(const Node& node) {
    for (const SavedTensor& saved : graph_.saved(node)) {
      arrow(saved_id(node, saved), backward_id(node), " [style=dashed, constraint=false]");
    }
  }

  const KnownGraph graph_;
  const DotOptions& options_;
  PrintOptions print_;
  std::vector<Tensor> constants_;  // those that have a box
  std::string text_;
};

}  // namespace

std::string to_dot(const Tensor& y, const DotOptions& options) {
  if (!y.requires_grad()) {
    throw RuntimeError(
        "to_dot: this tensor does not require grad and does not have a grad_fn\ncall requires_grad_() on what it is "
        "computed from, and compute it again");
  }
  return Picture(y, options).text();
}

}  // namespace gradus
