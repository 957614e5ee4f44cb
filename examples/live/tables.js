"use strict";
// The first tab's tables: the nodes as columns, from x to y, with values and below them gradients; the paths; the buffers.

const COLUMNS = {
  forward: ["x", "mean", "centered", "square", "var", "std", "rstd", "xhat", "scaled", "y"],
  backward: ["x", "mean", "centered", "square", "var", "std", "rstd", "xhat", "weight", "scaled", "bias", "y"],
};
const OF_THE_BATCH = new Set(["mean", "var", "std", "rstd", "weight", "bias"]);  // one number for all rows
const VALUE_OF = {
  x: "yours", mean: "sum x / N", centered: "x - mean", square: "centered²", var: "sum square / N", std: "√(var + eps)",
  rstd: "1 / std", xhat: "centered · rstd", scaled: "xhat · weight", y: "scaled + bias",
};
const GRADIENT_OF = {
  y: "yours", bias: "sum dy", scaled: "dy", weight: "sum dscaled · xhat", xhat: "dscaled · weight",
  rstd: "sum dxhat · centered", std: "-drstd · rstd²", var: "dstd / (2 std)", square: "dvar / N",
  centered: "dxhat · rstd + dsquare · 2 centered", mean: "-sum dcentered", x: "dcentered + dmean / N",
};
const IN_EVALUATION = {
  forward: {mean: "running_mean", var: "running_var"}, backward: {centered: "dxhat · rstd", x: "dcentered"},
};

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}

/** A field for the i-th number of x or dy. */
function numberField(name, i) {
  const field = element("input", {type: "text", inputmode: "decimal", id: `${name}-${i}`, "aria-label": `${name} ${i + 1}`});
  field.value = state[name][i];
  field.addEventListener("input", () => {
    const given = fieldValue(field);
    if (given === null) return say(isNoNumber(field));
    state[name][i] = given;
    update();
  });
  return field;
}

/** The cell of a node in row i; one over all rows for what sums the batch up. */
function nodeCell(table, node, i) {
  if ((table === "forward" && node === "x") || (table === "backward" && node === "y")) {
    return element("td", {"data-node": node}, numberField(table === "forward" ? "x" : "dy", i));
  }
  const cell = element("td", {"data-node": node, ...(OF_THE_BATCH.has(node) ? {rowspan: state.x.length} : {})}, element("span"));
  if (table === "backward") cell.append(element("small"));
  return cell;
}

function makeTable(table) {
  const columns = COLUMNS[table], prefix = table === "backward" ? "d" : "";
  const names = element("tr", {}, element("th", {scope: "col"}, "row")), formulas = element("tr", {class: "formula"}, element("th", {scope: "row"}, "is"));
  for (const node of columns) {
    names.append(element("th", {scope: "col", "data-node": node}, prefix + node));
    formulas.append(element("td", {"data-node": node}));
  }
  const body = element("tbody");
  state.x.forEach((_, i) => body.append(element("tr", {}, element("th", {scope: "row"}, String(i + 1)),
    ...columns.filter((node) => i === 0 || !OF_THE_BATCH.has(node)).map((node) => nodeCell(table, node, i)))));
  $(table).replaceChildren(element("thead", {}, names, formulas), body);
}

function makeTables() {
  makeTable("forward");
  makeTable("backward");
}

function showTable(table, values, below) {
  const evaluated = $("eval").checked ? IN_EVALUATION[table] : {}, formulas = table === "forward" ? VALUE_OF : GRADIENT_OF;
  for (const node of COLUMNS[table]) {
    const [, formula, ...cells] = $(table).querySelectorAll(`[data-node="${node}"]`);
    for (const cell of $(table).querySelectorAll(`[data-node="${node}"]`)) cell.hidden = !(node in values);
    formula.textContent = evaluated[node] ?? formulas[node];
    if (!(node in values) || cells[0].querySelector("input")) continue;
    cells.forEach((cell, i) => {
      cell.querySelector("span").textContent = print(values[node][i]);
      if (below) cell.querySelector("small").textContent = print(below[node][i]);
    });
  }
}

function showTables(r) {
  showTable("forward", r.value, null);
  showTable("backward", r.grad, r.difference);
  state.dy.forEach((_, i) => { $(`dy-${i}`).disabled = $("sum").checked; });
}

/** An empty table with these headings; returns its body. */
function headings(table, texts) {
  const row = element("tr", {}, ...texts.map((text) => element("th", {scope: "col"}, text)));
  table.replaceChildren(element("thead", {}, row), element("tbody"));
  return table.tBodies[0];
}

function showPathTable(r) {
  const body = headings($("paths"), ["x", "direct", "through var", "through mean", "dx", "dx, autograd"]);
  state.x.forEach((value, i) => {
    const wrong = !(Math.abs(r.dx[i] - r.right[i]) <= 1e-9 * Math.max(1, Math.abs(r.right[i])));
    const row = element("tr", {}, element("th", {scope: "row"}, print(value)));
    for (const values of [r.path.direct, r.path.var, r.path.mean]) row.append(element("td", {}, print(values[i])));
    row.append(element("td", wrong ? {class: "off"} : {}, print(r.dx[i])), element("td", {}, print(r.right[i])));
    body.append(row);
  });
}

function showBuffers(r) {
  const body = headings($("buffers"), ["", "running_mean", "running_var", "num_batches_tracked"]);
  const row = (title, values) => body.append(element("tr", {}, element("th", {scope: "row"}, title),
                                                     ...values.map((value) => element("td", {}, print(value)))));
  row("now", state.buffers);
  if (r.after) row("after this batch", r.after);
  $("observe").disabled = !r.after;
}
