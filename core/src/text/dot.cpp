#include "autograd/record.hpp"
#include "tensor/message.hpp"
#include "text/format.hpp"

#include <gradus/core/dot.hpp>

#include <algorithm>
#include <unordered_map>

namespace gradus {

using namespace detail;

Tensor set_name(const Tensor& x, std::string name) {
  check_defined(x);
  TensorNotes& notes = impl_of(x)->shared_notes();
  notes.name = std::move(name);
  if (!x.is_leaf()) notes.value = x.detach();
  return x;
}

std::string name(const Tensor& x) {
  check_defined(x);
  return impl_of(x)->tensor_notes ? impl_of(x)->tensor_notes->name : "";
}

namespace {

/// How a box is headed and filled.
struct Kind {
  const char* heading;
  const char* colour;
};

constexpr Kind parameter{"parameter", "#cfe2f3"};
constexpr Kind buffer{"buffer", "#fff2cc"};
constexpr Kind leaf{"leaf", "#d9ead3"};
constexpr Kind data{"data", "#eeeeee"};
constexpr Kind by_product{"saved", "#f4cccc"};
constexpr Kind computed{"", "#ffffff"};

// Of what is said about a gradient.
constexpr const char *unknown_colour = "#888888", *known_colour = "#0b5394";

constexpr const char* style =
    R"(  graph [fontname="Helvetica,Arial,sans-serif", fontsize=12, fontcolor="#555555", color="#bbbbbb", style=rounded];
  node [fontname="DejaVu Sans Mono,Menlo,monospace", fontsize=10, shape=box, style="filled,rounded", color="#999999"];
  edge [fontname="DejaVu Sans Mono,Menlo,monospace", fontsize=9, color="#555555", arrowsize=0.7];
)";
constexpr const char* saved_style = " [style=dashed, color=\"#c2410c\", constraint=false]";

/// "NativeBatchNormBackward0" -> "NativeBatchNorm"
std::string operation(const Node& node) {
  const std::string name = node.name();
  return name.substr(0, name.rfind("Backward"));
}

/// The node that runs: outputs of one function have one.
const Node& function_of(const Node& node) { return node.output == 0 ? node : *node.inputs()[0]; }

bool same_elements(const Tensor& a, const Tensor& b) {
  return impl_of(a)->elements == impl_of(b)->elements && a.shape() == b.shape() && a.dtype() == b.dtype();
}

/// The graph behind a tensor. Its nodes own no outputs, so a tensor is known only when it is a leaf, has a name, was
/// computed under a TraceGuard, or is saved for backward.
class KnownGraph {
 public:
  explicit KnownGraph(const Tensor& y) : root_(node_of(y)) {
    find_nodes();
    find_tensors();
    known_[root_.get()].tensor = y;
  }

  std::span<const Node* const> nodes() const { return nodes_; }  // each after those of its inputs
  struct Known {
    std::size_t number = 0;  // in nodes()
    std::size_t uses = 0;    // as an input
    Tensor tensor;           // what the node computed, or its leaf; undefined when it is not known
  };
  const Known& at(const Node& node) const { return known_.at(&node); }

  /// The node that computed a tensor saved by `node`, or that belongs to it as a leaf; null when it is not in this
  /// graph.
  const Node* origin(const Node& node, const Saved& saved) const {
    if (!saved.defined()) return nullptr;
    const Node* origin = saved.is_result() ? const_cast<Node&>(node).output_node(saved.output()).get()
                         : saved.origin()  ? saved.origin()
                                           : impl_of(saved.tensor())->accumulator;
    return known_.contains(origin) ? origin : nullptr;
  }

 private:
  void find_nodes() {
    const auto add = [this](const Node* node) {
      if (node && known_.try_emplace(node).second) nodes_.push_back(node);
    };
    add(root_.get());
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      for (const Ref<Node>& input : nodes_[i]->inputs()) {
        add(input.get());
        if (input) ++known_[input.get()].uses;
      }
    }
    std::ranges::sort(nodes_, {}, [](const Node* node) { return node->sequence; });
    for (std::size_t i = 0; i < nodes_.size(); ++i) known_[nodes_[i]].number = i;
  }

  void find_tensors() {
    for (const Node* node : nodes_) {
      Known& known = known_[node];
      for (const Saved& saved : node->saved()) {
        if (const Node* computed_by = origin(*node, saved)) known_[computed_by].tensor = saved.tensor();
      }
      if (TensorImpl* own = node->leaf()) {
        own->retain();
        known.tensor = adopt(own);
      }
      if (node->tensor_notes && node->tensor_notes->value.defined()) known.tensor = node->tensor_notes->value;
    }
  }

  Ref<Node> root_;
  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, Known> known_;
};

/// What a box says, in Graphviz's HTML: a heading and lines, set to the left.
class Words {
 public:
  Words() = default;
  explicit Words(const std::string& heading) { html_ = "<b>" + to_html(heading) + "</b>"; }
  void line(const std::string& text) { html_ += to_html(text); }
  void line(const std::string& text, const char* colour) {
    html_ += message("<font color=\"", colour, "\">", to_html(text), "</font>");
  }
  const std::string& html() const { return html_; }

 private:
  static std::string to_html(const std::string& text) {
    constexpr const char* line_end = "<br align=\"left\"/>";
    // Viewers drop a space where a line begins, some also one that does not break; not after a space of no width.
    constexpr const char* first_space = "&#8203;&#160;";
    std::string html;
    bool begins = true;
    for (const char c : text) {
      const char* markup = c == '&'             ? "&amp;"
                           : c == '<'           ? "&lt;"
                           : c == '>'           ? "&gt;"
                           : c == '\n'          ? line_end
                           : begins && c == ' ' ? first_space
                                                : nullptr;
      html += markup ? markup : std::string(1, c);
      begins = c == '\n';
    }
    return html + line_end;
  }

  std::string html_;
};

class Picture {
 public:
  Picture(const Tensor& y, const DotOptions& options) : graph_(y), options_(options), print_(print_options()) {
    print_.linewidth = 60;
  }

  std::string text() {
    text_ = message("digraph gradus {\n", style, "  subgraph cluster_forward {\n  label=\"forward\";\n");
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

  /// The name that x was given, or has in the state; perhaps empty.
  std::string name_of(const Tensor& x, const TensorNotes* notes) const {
    if (notes && !notes->name.empty()) return notes->name;
    const StateDict::Entry* entry = x.defined() ? in_state(x) : nullptr;
    return entry ? entry->first : "";
  }

  static std::string titled(const std::string& heading, const std::string& name) {
    return name.empty() ? heading : heading + " " + name;
  }

  void describe(Words& words, const Tensor& x) const {
    if (!x.defined()) return;
    words.line(message(x.shape(), " ", x.dtype()));
    if (is_small(x)) words.line(elements("value ", x));
  }

  void describe_gradient(Words& words, const Node& node) const {
    const bool kept = node.leaf() || (node.tensor_notes && node.tensor_notes->retains_grad);
    if (!kept) return words.line("gradient not kept", unknown_colour);
    const Tensor& gradient = node.leaf() ? node.leaf()->grad : node.tensor_notes->retained_grad;
    if (!gradient.defined()) return words.line("no gradient yet", unknown_colour);
    if (is_small(gradient)) words.line(elements("grad  ", gradient), known_colour);
  }

  bool is_small(const Tensor& x) const { return x.numel() <= options_.max_elements; }
  std::string elements(const std::string& what, const Tensor& x) const {
    return what + (x.numel() == 0 ? "[]" : elements_text(x, print_, what.size()));
  }

  // --- boxes and arrows
  void box(const std::string& id, const Words& words, const char* colour) {
    text_ += message("  ", id, " [label=<", words.html(), ">, fillcolor=\"", colour, "\"];\n");
  }
  void arrow(const std::string& from, const std::string& to, const std::string& attributes = "") {
    text_ += message("  ", from, " -> ", to, attributes, ";\n");
  }
  std::string forward_id(const Node& node) const { return message("f", graph_.at(node).number); }
  std::string backward_id(const Node& node) const { return message("b", graph_.at(function_of(node)).number); }

  void draw_forward(const Node& node) {
    const Tensor y = graph_.at(node).tensor;
    const TensorNotes* notes = node.leaf() ? impl_of(y)->tensor_notes.get() : node.tensor_notes.get();
    const Kind& kind = !node.leaf() ? computed : in_state(y) ? parameter : leaf;
    const std::string name = name_of(y, notes), equals = name.empty() ? "" : name + " = ";
    Words words(node.leaf() ? titled(kind.heading, name) : equals + operation(node));
    describe(words, y);
    describe_gradient(words, node);
    box(forward_id(node), words, kind.colour);

    const Node& function = function_of(node);
    for (std::size_t i = 0; i < function.inputs().size(); ++i) {
      const Node* input = function.inputs()[i].get();
      if (input) arrow(forward_id(*input), forward_id(node), share(function, i));
    }
    if (!notes) return;
    for (const Tensor& constant : notes->constants) arrow(constant_id(constant, data), forward_id(node));
  }

  /// What came back to a tensor of several uses by this one, as attributes of the arrow.
  std::string share(const Node& function, std::size_t input) const {
    if (!function.tensor_notes || function.tensor_notes->shares.empty() ||
        graph_.at(*function.inputs()[input]).uses < 2)
      return "";
    const Tensor& gradient = function.tensor_notes->shares[input];
    if (!gradient.defined() || !is_small(gradient)) return "";
    Words words;
    words.line(elements("grad ", gradient), known_colour);
    return message(" [label=<", words.html(), ">]");
  }

  /// The box of a tensor that has no node, drawn when it is met for the first time.
  std::string constant_id(const Tensor& x, const Kind& unless_buffer, const char* otherwise = "") {
    const auto found = std::ranges::find_if(constants_, [&](const Tensor& other) { return same_elements(other, x); });
    std::string id = message("c", found - constants_.begin());
    if (found != constants_.end()) return id;
    constants_.push_back(x);
    const Kind& kind = in_state(x) ? buffer : unless_buffer;
    const std::string name = name_of(x, impl_of(x)->tensor_notes.get());
    Words words(titled(kind.heading, name.empty() ? otherwise : name));
    describe(words, x);
    box(id, words, kind.colour);
    return id;
  }

  void draw_backward(const Node& node) {
    if (&function_of(node) != &node) return;
    const std::string name = node.leaf() ? name_of(graph_.at(node).tensor, node.leaf()->tensor_notes.get()) : "";
    Words words(titled(node.name(), name));
    if (node.freed()) words.line("saved tensors freed");
    box(backward_id(node), words, computed.colour);
    // Declared against the way of the gradient, so that both graphs stand the same way up.
    for (const Ref<Node>& input : node.inputs()) {
      if (input) arrow(backward_id(*input), backward_id(node), " [dir=back]");
    }
    for (const Saved& saved : node.saved()) {
      if (saved.defined()) saved_id(node, saved);  // what has no box yet belongs here
    }
  }

  std::string saved_id(const Node& node, const Saved& saved) {
    const Node* origin = graph_.origin(node, saved);
    return origin ? forward_id(*origin) : constant_id(saved.tensor(), by_product, saved.name());
  }

  void draw_saved(const Node& node) {
    for (const Saved& saved : node.saved()) {
      if (saved.defined()) arrow(saved_id(node, saved), backward_id(node), saved_style);
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
  check_defined(y);
  throw_if<RuntimeError>(
      !y.requires_grad(),
      "to_dot: this tensor does not require grad and does not have a grad_fn\ncall requires_grad_() on what it is "
      "computed from, and compute it again");
  return Picture(y, options).text();
}

}  // namespace gradus
