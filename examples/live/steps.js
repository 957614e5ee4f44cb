"use strict";
// The first tab, step by step: the formula of one node with the numbers in it, forward and then backward.

/** A sum of terms with their numbers, cut off after eight. */
const summed = (terms) => terms.slice(0, 8).join(" + ") + (terms.length > 8 ? " + …" : "");
const inBrackets = (v) => v < 0 ? `(${print(v)})` : print(v);

function forwardSteps(r) {
  const n = state.x.length, v = r.value, b = inBrackets, training = $("train").checked;
  const each = (name, text) => `${name} = ` + state.x.map((_, i) => `${text(i)} = ${print(v[name][i])}`).join("; ");
  const eps = Number($("eps").value), weight = v.weight[0], bias = v.bias[0];
  return {
    mean: () => training ? `mean = (${summed(state.x.map(b))}) / ${n} = ${print(v.mean[0])}` : `mean = running_mean = ${print(v.mean[0])}`,
    centered: () => each("centered", (i) => `${print(state.x[i])} - ${b(v.mean[0])}`),
    square: () => each("square", (i) => `${b(v.centered[i])}²`),
    var: () => training ? `var = (${summed(v.square.map(print))}) / ${n} = ${print(v.var[0])}` : `var = running_var = ${print(v.var[0])}`,
    std: () => `std = √(${print(v.var[0])} + ${print(eps)}) = ${print(v.std[0])}`,
    rstd: () => `rstd = 1 / ${print(v.std[0])} = ${print(v.rstd[0])}`,
    xhat: () => each("xhat", (i) => `${print(v.centered[i])} · ${print(v.rstd[0])}`),
    scaled: () => each("scaled", (i) => `${print(v.xhat[i])} · ${b(weight)}`),
    y: () => each("y", (i) => `${print(v.scaled[i])} + ${b(bias)}`),
  };
}

function backwardSteps(r) {
  const n = state.x.length, v = r.value, g = r.grad, b = inBrackets, training = $("train").checked;
  const each = (name, text) => `d${name} = ` + state.x.map((_, i) => `${text(i)} = ${print(g[name][i])}`).join("; ");
  const products = (a, c) => summed(a.map((value, i) => `${b(value)} · ${b(c[i])}`));
  return {
    bias: () => `dbias = ${summed(g.y.map(b))} = ${print(g.bias[0])}`,
    scaled: () => each("scaled", (i) => print(g.y[i])),
    weight: () => `dweight = ${products(g.scaled, v.xhat)} = ${print(g.weight[0])}`,
    xhat: () => each("xhat", (i) => `${print(g.scaled[i])} · ${b(v.weight[0])}`),
    rstd: () => `drstd = ${products(g.xhat, v.centered)} = ${print(g.rstd[0])}`,
    std: () => `dstd = -${b(g.rstd[0])} · ${print(v.rstd[0])}² = ${print(g.std[0])}`,
    var: () => `dvar = ${print(g.std[0])} / (2 · ${print(v.std[0])}) = ${print(g.var[0])}`,
    square: () => `dsquare = ${print(g.var[0])} / ${n} = ${print(g.square[0])}, for each`,
    centered: () => each("centered", (i) => training ?
      `${print(g.xhat[i])} · ${print(v.rstd[0])} + ${b(g.square[i])} · 2 · ${b(v.centered[i])}` : `${print(g.xhat[i])} · ${print(v.rstd[0])}`),
    mean: () => `dmean = -(${summed(g.centered.map(b))}) = ${print(g.mean[0])}`,
    x: () => each("x", (i) => training ? `${print(g.centered[i])} + ${b(g.mean[0])} / ${n}` : print(g.centered[i])),
  };
}

/** The steps that there are in this mode, each with the row it belongs to and its text. */
function steps(r) {
  const forward = forwardSteps(r), backward = backwardSteps(r);
  return [...COLUMNS.forward.filter((name) => name in forward && name in r.value).map((name) => ["forward", name, forward[name]]),
          ...COLUMNS.backward.toReversed().filter((name) => name in backward && name in r.grad).map((name) => ["backward", name, backward[name]])];
}

function showStep(r) {
  const all = steps(r);
  state.step = Math.min(state.step, all.length - 1);
  for (const cell of document.querySelectorAll(".current")) cell.classList.remove("current");
  $("back").disabled = state.step < 0;
  $("next").disabled = state.step === all.length - 1;
  if (state.step < 0) {
    $("step").textContent = "Step through the graph, one node at a time: nine forward, eleven backward in training.";
    return;
  }
  const [table, name, text] = all[state.step];
  const column = $(table).querySelectorAll(`[data-node="${name}"]`);
  for (const cell of column) cell.classList.add("current");
  $(table).parentElement.scrollLeft = column[0].offsetLeft - $(table).parentElement.clientWidth / 2;
  $("step").textContent = `${state.step + 1} of ${all.length}: ${text()}`;
}
