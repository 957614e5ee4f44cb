#include <gradus/core/autograd.hpp>
#include <gradus/core/dot.hpp>

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace gradus {
namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += by.size()) {
    text.replace(at, part.size(), by);
  }
  return text;
}

/// The picture with labels that are easier to read: without markup, and with \\l where a line ends.
std::string drawn(const Tensor& y, const DotOptions& options = {}) {
  std::string text = replaced(to_dot(y, options), "<br align=\"left\"/>", "\\l");
  for (const char* markup : {"<b>", "</b>", "</font>", "<font color=\"#888888\">", "<font color=\"#0b5394\">"}) {
    text = replaced(text, markup, "");
  }
  return text;
}

/// The id of the first box whose label starts with `label`, e.g. "f3"; empty when there is none.
std::string id_of(const std::string& dot, const std::string& label) {
  const std::size_t at = dot.find(" [label=<" + label);
  if (at == std::string::npos) return "";
  const std::size_t line = dot.rfind('\n', at) + 3;
  return dot.substr(line, at - line);
}

bool has_arrow(const std::string& dot, const std::string& from, const std::string& to, const std::string& style = "") {
  return has(dot, "\n  " + from + " -> " + to + style + ";\n");
}

const std::string dashed = " [style=dashed, color=\"#c2410c\", constraint=false]";

TEST(Dot, TheWholeTextOfASmallGraph) {
  const Tensor w = set_name(tensor({2., 3.}).requires_grad_(), "w");
  const Tensor y = (w * w).sum();
  const std::string expected = R"dot(digraph gradus {
  graph [fontname="Helvetica,Arial,sans-serif", fontsize=12, fontcolor="#555555", color="#bbbbbb", style=rounded];
  node [fontname="DejaVu Sans Mono,Menlo,monospace", fontsize=10, shape=box, style="filled,rounded", color="#999999"];
  edge [fontname="DejaVu Sans Mono,Menlo,monospace", fontsize=9, color="#555555", arrowsize=0.7];
  subgraph cluster_forward {
  label="forward";
  f0 [label=<<b>leaf w<br align="left"/></b>[2] float32<br align="left"/>value [2., 3.]<br align="left"/><font color="#888888">no gradient yet<br align="left"/></font>>, fillcolor="#d9ead3"];
  f1 [label=<<b>Mul<br align="left"/></b><font color="#888888">gradient not kept<br align="left"/></font>>, fillcolor="#ffffff"];
  f0 -> f1;
  f0 -> f1;
  f2 [label=<<b>Sum<br align="left"/></b>[] float32<br align="left"/>value 13.<br align="left"/><font color="#888888">gradient not kept<br align="left"/></font>>, fillcolor="#ffffff"];
  f1 -> f2;
  }
  subgraph cluster_backward {
  label="backward (dashed: what it saved)";
  b0 [label=<<b>AccumulateGrad w<br align="left"/></b>>, fillcolor="#ffffff"];
  b1 [label=<<b>MulBackward0<br align="left"/></b>>, fillcolor="#ffffff"];
  b0 -> b1 [dir=back];
  b0 -> b1 [dir=back];
  b2 [label=<<b>SumBackward0<br align="left"/></b>>, fillcolor="#ffffff"];
  b1 -> b2 [dir=back];
  }
  f0 -> b1 [style=dashed, color="#c2410c", constraint=false];
  f0 -> b1 [style=dashed, color="#c2410c", constraint=false];
}
)dot";
  EXPECT_EQ(to_dot(y), expected);
  EXPECT_FALSE(has(to_dot(y, {.backward = false}), "backward"));
}

TEST(Dot, NamesOfTensors) {
  Tensor x = ones(2);
  EXPECT_EQ(name(x), "");
  EXPECT_TRUE(set_name(x, "x").is_same(x));
  EXPECT_EQ(name(x), "x");
  set_name(x, "input");
  EXPECT_EQ(name(x), "input");
  const Tensor y = set_name(x.requires_grad_() * 2, "y");
  EXPECT_EQ(name(y), "y");
  const std::string dot = drawn(y.sum());
  EXPECT_TRUE(has(dot, "leaf input\\l"));
  EXPECT_TRUE(has(dot, "y = Mul\\l[2] float32\\lvalue [2., 2.]\\l"));
  EXPECT_TRUE(has(dot, "AccumulateGrad input\\l"));
  EXPECT_THROW(set_name(Tensor(), "nothing"), RuntimeError);
  EXPECT_THROW(name(Tensor()), RuntimeError);
}

TEST(Dot, NamesSurviveWritesInPlace) {
  const Tensor w = tensor({1., 2.}).requires_grad_();
  Tensor y = set_name(w * 3, "y"), x = set_name(tensor({1., 1.}), "x");
  y.mul_(2);
  x.add_(y);
  EXPECT_EQ(name(y), "y");
  EXPECT_EQ(name(x), "x");
  const std::string dot = drawn((x * 2).sum());
  EXPECT_EQ(count(dot, "label=<y = Mul\\l[2] float32\\lvalue [ 6., 12.]\\l"), 1);
  EXPECT_EQ(count(dot, "label=<x = Add\\l[2] float32\\lvalue [ 7., 13.]\\l"), 1);
  EXPECT_EQ(count(dot, "y = Mul"), 1);
}

TEST(Dot, NamesMayHoldAnything) {
  const Tensor x = set_name(ones(1).requires_grad_(), "a <b> & \"c\" \\d\ne");
  EXPECT_TRUE(has(drawn(x), R"(label=<leaf a &lt;b&gt; &amp; "c" \d\le\l[1] float32)"));
}

TEST(Dot, NoGradientYetIsNotAGradientOfZero) {
  const Tensor x = set_name(tensor({2., 3.}).requires_grad_(), "x");
  Tensor y = set_name(x * 0, "y").retain_grad();
  const Tensor loss = y.sum();
  const std::string before = drawn(loss);
  EXPECT_TRUE(has(before, "leaf x\\l[2] float32\\lvalue [2., 3.]\\lno gradient yet\\l"));
  EXPECT_TRUE(has(before, "y = Mul\\l[2] float32\\lvalue [0., 0.]\\lno gradient yet\\l"));
  loss.backward();
  const std::string after = drawn(loss);
  EXPECT_TRUE(has(after, "leaf x\\l[2] float32\\lvalue [2., 3.]\\lgrad  [0., 0.]\\l"));
  EXPECT_TRUE(has(after, "y = Mul\\l[2] float32\\lvalue [0., 0.]\\lgrad  [1., 1.]\\l"));
}

/// A batch normalised by constants, as in evaluation.
struct Evaluated {
  Tensor x = tensor({{1., 2.}, {3., 5.}, {4., 6.}});
  Tensor weight = tensor({2., 3.}).requires_grad_();
  Tensor mean = tensor({1., 4.});
  Tensor y() const { return (x - mean) * weight; }
};

TEST(Dot, TellsParametersBuffersLeavesAndDataApart) {
  const Evaluated bn;
  const Tensor shift = tensor({0.5, 0.5}).requires_grad_();
  const TraceGuard trace;
  const Tensor xhat = set_name(bn.x - bn.mean, "x - mean");  // constant
  const std::string dot = drawn(xhat * bn.weight + shift + bn.mean,
                                {.state = {{"weight", bn.weight.detach()}, {"running_mean", bn.mean.detach()}}});
  EXPECT_TRUE(has(dot, "parameter weight\\l[2] float32\\lvalue [2., 3.]\\lno gradient yet\\l>, fillcolor=\"#cfe2f3"));
  EXPECT_TRUE(has(dot, "buffer running_mean\\l[2] float32\\lvalue [1., 4.]\\l>, fillcolor=\"#fff2cc"));
  EXPECT_TRUE(has(dot, "leaf\\l[2] float32\\lvalue [0.5000, 0.5000]\\lno gradient yet\\l>, fillcolor=\"#d9ead3"));
  const std::string constant = id_of(dot, "data x - mean\\l");
  EXPECT_TRUE(has_arrow(dot, constant, id_of(dot, "Mul\\l")));
  EXPECT_TRUE(has_arrow(dot, constant, id_of(dot, "MulBackward0\\l"), dashed));
  EXPECT_TRUE(has_arrow(dot, id_of(dot, "parameter weight"), id_of(dot, "Expand\\l")));
}

TEST(Dot, ShowsWhatIsSaved) {
  const Tensor x = tensor({{1., 5., 2.}, {4., 0., 3.}}).requires_grad_();
  const Tensor y = set_name(x.exp(), "y");
  const auto [values, indices] = y.max(1);
  const std::string dot = drawn(values.sum());
  EXPECT_TRUE(has_arrow(dot, id_of(dot, "y = Exp"), id_of(dot, "ExpBackward0"), dashed));
  EXPECT_TRUE(
      has_arrow(dot, id_of(dot, "saved indices\\l[2] int64\\lvalue [1, 0]\\l"), id_of(dot, "MaxBackward0"), dashed));
  EXPECT_EQ(count(dot, "dashed,"), 2);
  EXPECT_EQ(count(dot, "fillcolor=\"#f4cccc\""), 1);
}

TEST(Dot, AfterBackwardNothingIsSaved) {
  const Tensor x = tensor({1., 2.}).requires_grad_();
  const Tensor y = x.exp().sum();
  to_dot(y);
  y.backward();  // to_dot took nothing away
  EXPECT_FLOAT_EQ(x.grad().to_vector<float>()[1], 7.3890561F);
  const std::string dot = drawn(y);
  EXPECT_TRUE(has(dot, "ExpBackward0\\lsaved tensors freed\\l"));
  EXPECT_FALSE(has(dot, "dashed,"));
}

TEST(Dot, LargeTensorsHaveNoElements) {
  const Tensor x = set_name(arange(9.).requires_grad_(), "x");
  const Tensor y = x.sum();
  EXPECT_TRUE(has(drawn(y), "leaf x\\l[9] float32\\lno gradient yet\\l"));
  EXPECT_TRUE(has(drawn(y, {.max_elements = 9}), "value [0., 1., 2., 3., 4., 5., 6., 7., 8.]\\l"));
  y.backward();
  EXPECT_TRUE(has(drawn(y), "leaf x\\l[9] float32\\l>"));
}

TEST(Dot, ADiamondIsDrawnOnce) {
  Tensor y = ones(1).requires_grad_();
  for (int i = 0; i < 40; ++i) y = y + y;
  EXPECT_EQ(count(drawn(y), "label=<Add\\l"), 40);
}

TEST(Dot, RefusesATensorWithoutAGraph) {
  EXPECT_THROW(to_dot(ones(2)), RuntimeError);
  EXPECT_THROW(to_dot(Tensor()), RuntimeError);
}

TEST(TraceGuard, KeepsEveryValueAndGradient) {
  const Tensor x = tensor({{1.}, {2.}, {4.}, {8.}}, float64).requires_grad_();
  Tensor y;
  {
    const TraceGuard trace;
    y = (x - x.mean(0)).square().sum();
  }
  EXPECT_TRUE(has(drawn(y), "Expand\\l[4, 1] float64\\lvalue [[3.7500],\\l"));
  EXPECT_EQ(count(drawn(y), "no gradient yet"), 6);
  y.backward();
  const std::string dot = drawn(y);
  EXPECT_TRUE(has(dot, "Mean\\l[1] float64\\lvalue [3.7500]\\lgrad  [-0.]\\l") ||
              has(dot, "Mean\\l[1] float64\\lvalue [3.7500]\\lgrad  [0.]\\l"));
  EXPECT_TRUE(has(
      dot,
      "Sub\\l[4, 1] float64\\lvalue [[-2.7500],\\l&#8203;&#160;      [-1.7500],\\l&#8203;&#160;      [ 0.2500],\\l"));
  EXPECT_FALSE(has(dot, "not kept"));

  const Tensor outside = (x * 3).sum();
  EXPECT_TRUE(has(drawn(outside), "Mul\\lgradient not kept\\l"));
}

TEST(TraceGuard, TellsWhatCameBackByEachUse) {
  const Tensor x = set_name(tensor({2., 3.}).requires_grad_(), "x"), w = set_name(tensor(5.).requires_grad_(), "w");
  const TraceGuard trace;
  const Tensor square = set_name(x * x, "square"), scaled = set_name(x * w, "scaled");
  const Tensor loss = (square * scaled).sum();  // 5 sum x^3
  EXPECT_FALSE(has(drawn(loss), " [label=<grad "));
  const auto share = [](const char* text) { return " [label=<grad " + std::string(text) + "\\l>]"; };
  for (const double pass : {1, 2}) {  // gradients add up, and so do shares
    loss.backward({.retain_graph = true});
    const std::string dot = drawn(loss), from = id_of(dot, "leaf x");
    const bool once = pass == 1;
    EXPECT_EQ(count(dot, "\n  " + from + " -> " + id_of(dot, "square") + share(once ? "[20., 45.]" : "[40., 90.]")), 2);
    EXPECT_TRUE(has_arrow(dot, from, id_of(dot, "scaled"), share(once ? "[20., 45.]" : "[40., 90.]")));
    EXPECT_TRUE(has(dot, once ? "grad  [ 60., 135.]" : "grad  [120., 270.]"));
    EXPECT_TRUE(has_arrow(dot, id_of(dot, "square"), id_of(dot, "Mul\\l")));  // used once: its gradient is in its box
    EXPECT_EQ(count(dot, " [label=<grad "), 3);
  }
  EXPECT_FALSE(has(drawn(loss, {.max_elements = 1}), " [label=<grad "));
}

TEST(TraceGuard, KeepsNoGraphOfGradients) {
  const std::int64_t before = live_nodes();
  {
    const TraceGuard trace;
    const Tensor x = ones(2).requires_grad_();
    grad({(x * x).sum()}, {x}, {.create_graph = true})[0].sum().backward();
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(TraceGuard, ChangesNoResult) {
  const Evaluated bn;
  bn.y().square().sum().backward();
  const Tensor expected = bn.weight.grad().clone();
  bn.weight.grad().zero_();
  {
    const TraceGuard outer;
    const TraceGuard inner;
    bn.y().square().sum().backward();
  }
  EXPECT_TRUE(equal(bn.weight.grad(), expected));
}

TEST(TraceGuard, HoldsNoCyclesAndNoDeepRecursion) {
  const std::int64_t before = live_nodes();
  {
    const TraceGuard trace;
    Tensor y = set_name(ones(1).requires_grad_(), "x");
    for (int i = 0; i < 200'000; ++i) y = y * 1;
    y = cat({y, ones(1)});
    y.sum().backward();
    EXPECT_GT(live_nodes(), 200'000);
  }
  EXPECT_EQ(live_nodes(), before);
}

TEST(Dot, GraphvizReadsIt) {
  if (std::system("command -v dot >/dev/null") != 0) GTEST_SKIP() << "graphviz is not installed";
  const Evaluated bn;
  const TraceGuard trace;
  const std::string file = testing::TempDir() + "gradus_graph.dot";
  std::ofstream(file) << to_dot(set_name(bn.y().sum(), "<\"|\\{}>&\n"), {.state = {{"weight", bn.weight}}});
  EXPECT_EQ(std::system(("dot -Tsvg -o /dev/null " + file).c_str()), 0);
}

}  // namespace
}  // namespace gradus
