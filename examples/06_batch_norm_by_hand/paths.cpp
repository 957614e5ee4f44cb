// Sections 3 and 4: the paths on which x reaches the loss, and the one that turns out to be none.
#include "sections.hpp"

#include <gradus/core/autograd.hpp>

#include <cmath>

using namespace gradus;

namespace lesson {

namespace {

Tensor mean_of(const Tensor& x) { return x.mean(kBatch, true); }
Tensor rstd_of(const Tensor& centered) { return 1 / (mean_of(centered.square()) + kEps).sqrt(); }

/// dx when y is computed by `f`, from autograd.
template <class F>
Tensor gradient(const Example& in, F f) {
  const Tensor x = in.x.clone().requires_grad_();
  return grad({f(x) * in.weight + in.bias}, {x}, {.grad_outputs = {in.dy}})[0];
}

/// A normalisation around something that is not always the mean. The two uses of the centre are told apart.
struct Centre {
  const char* name;
  Tensor (*of)(const Tensor& x);
};

struct Parts {
  double direct, through_var;  // the two parts of the derivative by the centre
  Tensor dx, dx_detached;      // with and without the second part
};

Parts parts_of(const Example& in, const Centre& centre) {
  const Tensor x = in.x.clone().requires_grad_();
  Tensor in_xhat = centre.of(x) * 1, in_var = centre.of(x) * 1;
  in_xhat.retain_grad();
  in_var.retain_grad();
  const Tensor xhat = (x - in_xhat) * rstd_of(x - in_var);
  (xhat * in.weight * in.dy).sum().backward();
  const Tensor detached =
      gradient(in, [&](const Tensor& v) { return (v - centre.of(v)) * rstd_of(v - centre.of(v).detach()); });
  return {in_xhat.grad().item(), in_var.grad().item(), x.grad(), detached};
}

}  // namespace

void three_paths(Page& page, const Mistakes& mistakes) {
  const Example in = example();
  page.say(
      "\"Mean and variance are just numbers: why do they have gradients?\" They are numbers that x has made. A "
      "change of one x reaches the loss on three paths: directly, since xhat = (x - mean) rstd; through var, which "
      "changes rstd for the whole batch; and through mean, which moves the whole batch. dx is the sum of three "
      "vectors:");
  page.show(
      "    direct        dxhat rstd\n"
      "    through var   dvar 2 (x - mean) / N\n"
      "    through mean  dmean / N\n");
  const Derivatives d = backward(in.dy, forward(in.x, in.weight, in.bias, mistakes), in.weight, mistakes);
  const Tensor truth = gradient(in, [](const Tensor& x) { return (x - mean_of(x)) * rstd_of(x - mean_of(x)); });
  Table table({"x", "direct", "through var", "through mean", "dx by hand", "dx, autograd"});
  for (std::int64_t i = 0; i < 4; ++i) {
    table.row(fixed(in.x[i].item(), 0), d.direct[i], d.through_var[i], d.through_mean[i], d.x[i], truth[i]);
  }
  page.show(table);
  page.say("detach() is the pair of scissors that cuts a path. With the other two cut, autograd sees a path alone:");
  const Tensor x = in.x;  // outside of every graph
  page.near("direct is what is left with mean and rstd detached", d.direct,
            gradient(in, [](const Tensor& v) { return (v - mean_of(v).detach()) * rstd_of(v - mean_of(v)).detach(); }));
  page.near("through var: only the variance may see x", d.through_var,
            gradient(in, [&](const Tensor& v) { return (x - mean_of(x)) * rstd_of(v - mean_of(v).detach()); }));
  page.near("through mean: only the mean may see x", d.through_mean,
            gradient(in, [&](const Tensor& v) { return (x - mean_of(v)) * rstd_of(x - mean_of(v)); }));
  page.near("the three add up to dx", d.direct + d.through_var + d.through_mean, truth);
  page.near("direct = 0.746003, -0.746003, 1.492007, 0.373002", d.direct,
            column({0.746003327633595, -0.746003327633595, 1.49200665526719, 0.3730016638167975}));
  page.near("through var = 0.115955, 0.073789, -0.010541, -0.179203", d.through_var,
            column({0.11595470372780793, 0.07378935691769596, -0.010541336702527994, -0.1792027239429759}));
  page.near("through mean = -0.466252 four times", d.through_mean, full({4, 1}, -0.46625207977099686, float64));
  const double loss = relative(d.direct, truth);
  page.claim("who takes mean and var for constants keeps one path of three: dx is off by " + percent(loss, 0),
             loss > 0.5);
}

void vanishing_term(Page& page, const Mistakes& mistakes) {
  const Example in = example();
  const Derivatives d = backward(in.dy, forward(in.x, in.weight, in.bias, mistakes), in.weight, mistakes);
  page.say(
      "The mean occurs in two places: in x - mean, and in the variance. So its derivative has two parts. Some "
      "implementations have both, some only the first, and each has been reported as a bug of the other:");
  const double direct = -d.direct.sum().item(), through_var = -d.through_var.sum().item();
  page.show("    dmean = -sum dxhat rstd  -  dvar sum 2 (x - mean) / N\n          = " + fixed(direct) + "            " +
            fixed(through_var) + "\n");
  page.say(
      "Deviations from the mean sum to zero, so the second part is zero, and nobody is wrong. Three proofs by "
      "running: leave the part in; leave it out; detach the mean inside the variance, so that autograd does not "
      "even see it.");
  const Centre mean = {"mean", mean_of};
  const Tensor kept = d.x, left_out = d.direct + d.through_var - d.direct.sum() / 4;
  const Parts parts = parts_of(in, mean);
  Table table({"", "dx", "", "", ""});
  table.row("by hand, both parts", kept);
  table.row("by hand, first part only", left_out);
  table.row("autograd, mean detached in var", parts.dx_detached);
  table.row("autograd", parts.dx);
  page.show(table);
  page.near("the part that comes directly is -1.865008", direct, -1.8650083190839875);
  page.near("the part that comes through var is 0", through_var, 0);
  page.near("leaving it in gives dx", kept, parts.dx);
  page.near("leaving it out gives the same dx", left_out, parts.dx);
  page.near("detaching the mean inside the variance gives the same dx", parts.dx_detached, parts.dx);

  page.say(
      "It vanishes for this mean only. Normalise around something else, and deviations no longer sum to zero: "
      "around a mean that weights the four values 0.4, 0.3, 0.2, 0.1, or around the mean plus a constant.");
  const Centre centres[] = {
      mean,
      {"weighted mean",
       [](const Tensor& x) {
         return (x * column({0.4, 0.3, 0.2, 0.1})).sum(kBatch, true);
       }},
      {"mean + 2", [](const Tensor& x) { return mean_of(x) + 2; }},
  };
  Table others({"centre", "part, direct", "part, through var", "dx is off without it"});
  for (const Centre& centre : centres) {
    const Parts p = parts_of(in, centre);
    others.row(centre.name, p.direct, p.through_var, percent(relative(p.dx_detached, p.dx)));
  }
  page.show(others);
  for (const Centre& centre : {centres[1], centres[2]}) {
    const Parts p = parts_of(in, centre);
    page.claim(std::string("around the ") + centre.name + " the second part counts: without it dx is wrong",
               std::abs(p.through_var) > 0.1 && relative(p.dx_detached, p.dx) > 0.02);
  }
}

}  // namespace lesson
