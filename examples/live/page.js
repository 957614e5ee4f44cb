"use strict";
// The first tab: a batch, the layer's nodes with values and gradients, the paths to x, the running buffers. All numbers come
// from the library (model.hpp); here they are only shown.

const $ = (id) => document.getElementById(id);
const FORWARD = ["mean", "centered", "square", "var", "std", "rstd", "xhat", "scaled", "y"];
const BACKWARD = ["y", "bias", "scaled", "weight", "xhat", "rstd", "std", "var", "square", "centered", "mean", "x"];
const VALUE_OF = {
  mean: "sum x / N", centered: "x - mean", square: "centered²", var: "sum square / N", std: "√(var + eps)", rstd: "1 / std",
  xhat: "centered · rstd", scaled: "xhat · weight", y: "scaled + bias",
};
const GRADIENT_OF = {
  y: "given", bias: "sum dy", scaled: "dy", weight: "sum dscaled · xhat", xhat: "dscaled · weight",
  rstd: "sum dxhat · centered", std: "-drstd · rstd²", var: "dstd / (2 std)", square: "dvar / N",
  centered: "dxhat · rstd + dsquare · 2 centered", mean: "-sum dcentered", x: "dcentered + dmean / N",
};
const START = {x: [1, 7, 9, 15], dy: [1, -1, 2, 0]};

const state = {x: [...START.x], dy: [...START.dy], buffers: [0, 1, 0], step: -1};
let last = null;  // the response shown

const print = (value) => Number.isFinite(value) ? library.printed(value) : String(value);
const list = (values) => values.map(print).join(", ");

// Requests and responses ------------------------------------------------------------------------------------------------

/** A number from a field; null, with the field marked, if it holds none. */
function fieldValue(field) {
  const text = field.value.trim().replace(",", ".");
  const value = text === "" ? NaN : Number(text);
  const valid = Number.isFinite(value) && Math.abs(value) <= 1e9;
  field.setAttribute("aria-invalid", String(!valid));
  return valid ? value : null;
}

function request() {
  const numbers = {};
  for (const name of ["weight", "bias", "eps", "momentum"]) {
    numbers[name] = fieldValue($(name));
    if (numbers[name] === null) return {problem: `${name}: '${$(name).value}' is no number between -1e9 and 1e9`};
  }
  if (numbers.eps < 0) return {problem: "eps is not negative"};
  const flag = (id) => $(id).checked ? 1 : 0;
  const lines = [`x ${state.x.join(" ")}`, `dy ${state.dy.join(" ")}`, `training ${flag("train")}`, `sum ${flag("sum")}`,
                 `drop_mean ${flag("drop-mean")}`, `drop_var ${flag("drop-var")}`, `running_mean ${state.buffers[0]}`,
                 `running_var ${state.buffers[1]}`, `batches ${state.buffers[2]}`];
  for (const name in numbers) lines.push(`${name} ${numbers[name]}`);
  return {text: lines.join("\n")};
}

const number = (word) => word === "inf" ? Infinity : word === "-inf" ? -Infinity : Number(word.replace("-nan", "nan"));

/** {value: {mean: […], …}, grad: …, difference: …, path: {direct, var, mean}, dx, right, after, refused, error}. */
function parse(response) {
  const result = {value: {}, grad: {}, difference: {}, path: {}};
  for (const line of response.trim().split("\n")) {
    const [kind, ...words] = line.split(" ");
    if (kind === "error" || kind === "refused") result[kind] = words.join(" ");
    else if (kind in result && typeof result[kind] === "object") result[kind][words[0]] = words.slice(1).map(number);
    else result[kind] = words.map(number);
  }
  return result;
}

// Tables ----------------------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  node.append(...children);
  return node;
}

function headings(table, texts) {
  const row = element("tr");
  for (const text of texts) row.append(element("th", {scope: "col", ...(text === "how" ? {class: "formula"} : {})}, text));
  table.replaceChildren(table.caption, element("thead", {}, row), element("tbody"));
  return table.tBodies[0];
}

/** Cells for one node: N of them, or one over all columns for what sums the batch up. */
function cells(values, below = null) {
  const n = state.x.length;
  return values.map((value, i) => {
    const cell = element("td", values.length < n ? {colspan: n, class: "once"} : {}, print(value));
    if (below) cell.append(element("small", {}, print(below[i])));
    return cell;
  });
}

/** A row of fields for x or dy; made anew only when their number changes, so that the focus stays. */
function fieldRow(name, title) {
  const row = element("tr", {"data-node": name}, element("th", {scope: "row"}, title), element("td", {class: "formula"}, "yours"));
  state[name].forEach((value, i) => {
    const field = element("input", {type: "text", inputmode: "decimal", id: `${name}-${i}`, "aria-label": `${title} ${i + 1}`});
    field.value = value;
    field.addEventListener("input", () => {
      const given = fieldValue(field);
      if (given === null) return say(`${title} ${i + 1}: '${field.value}' is no number between -1e9 and 1e9`);
      state[name][i] = given;
      update();
    });
    row.append(element("td", {}, field));
  });
  return row;
}

function makeTables() {
  const columns = ["node", "how", ...state.x.map((_, i) => String(i + 1))];
  const forward = headings($("forward"), columns), backward = headings($("backward"), columns);
  forward.append(fieldRow("x", "x"));
  for (const name of FORWARD) forward.append(nodeRow(name, name, VALUE_OF[name]));
  backward.append(fieldRow("dy", "dy"));
  for (const name of BACKWARD) if (name !== "y") backward.append(nodeRow(name, `d${name}`, GRADIENT_OF[name]));
}

const nodeRow = (name, title, how) =>
  element("tr", {"data-node": name}, element("th", {scope: "row"}, title), element("td", {class: "formula"}, how));

function fill(row, content) {
  while (row.cells.length > 2) row.deleteCell(2);
  row.append(...content);
}

function showTables(r) {
  const n = state.x.length, training = $("train").checked;
  for (const row of $("forward").tBodies[0].rows) {
    const name = row.dataset.node;
    if (name === "x") continue;
    row.hidden = !(name in r.value);
    if (row.hidden) continue;
    row.cells[1].textContent = !training && (name === "mean" || name === "var") ? `running_${name}` : VALUE_OF[name];
    fill(row, cells(r.value[name]));
  }
  for (const row of $("backward").tBodies[0].rows) {
    const name = row.dataset.node;
    if (name === "dy") continue;
    row.hidden = !(name in r.grad);
    if (row.hidden) continue;
    row.cells[1].textContent = training ? GRADIENT_OF[name] :
      name === "x" ? "dcentered" : name === "centered" ? "dxhat · rstd" : GRADIENT_OF[name];
    fill(row, cells(r.grad[name], r.difference[name]));
  }
  for (let i = 0; i < n; ++i) $(`dy-${i}`).disabled = $("sum").checked;
}

// The line --------------------------------------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
function shape(name, attributes, text = null) {
  const node = document.createElementNS(SVG, name);
  for (const key in attributes) node.setAttribute(key, attributes[key]);
  if (text !== null) node.textContent = text;
  return node;
}

const line = {low: 0, high: 16, width: 640, margin: 24};
line.place = (value) => line.margin + (value - line.low) / (line.high - line.low) * (line.width - 2 * line.margin);
line.valueAt = (place) => line.low + (place - line.margin) / (line.width - 2 * line.margin) * (line.high - line.low);

/** A scale that holds all points, kept while they fit, so that a dragged point does not run away. */
function fitLine() {
  const low = Math.min(...state.x), high = Math.max(...state.x), room = Math.max(high - low, 1);
  const fits = low >= line.low && high <= line.high && line.high - line.low < 8 * room;
  if (fits) return;
  line.low = low - room / 4;
  line.high = high + room / 4;
}

const rounded = (value) => Number(value.toPrecision(3));

function movePoint(i, value) {
  state.x[i] = Math.max(-1e9, Math.min(1e9, value));
  $(`x-${i}`).value = state.x[i];
  $(`x-${i}`).setAttribute("aria-invalid", "false");
  update();
}

/** Pictures are as wide as there is room, so that their text stays as large as the page's. */
const roomFor = (svg) => Math.max(300, Math.min(760, svg.parentElement.clientWidth));

function makeLine() {
  const svg = $("line");
  line.width = roomFor(svg);
  svg.setAttribute("viewBox", `0 0 ${line.width} 84`);
  svg.replaceChildren(shape("rect", {class: "spread", y: 22, height: 36}),
    shape("line", {class: "axis", x1: line.margin, x2: line.width - line.margin, y1: 40, y2: 40}),
    shape("line", {class: "centre", y1: 18, y2: 62}), shape("text", {class: "note", y: 14, "text-anchor": "middle"}));
  state.x.forEach((_, i) => {
    const point = shape("circle", {class: "point", r: 9, cy: 40, tabindex: 0, role: "slider", id: `point-${i}`,
                                   "aria-label": `x ${i + 1}`});
    point.addEventListener("pointerdown", (event) => point.setPointerCapture(event.pointerId));
    point.addEventListener("pointermove", (event) => {
      if (!point.hasPointerCapture(event.pointerId)) return;
      const box = svg.getBoundingClientRect();
      movePoint(i, rounded(line.valueAt((event.clientX - box.left) / box.width * line.width)));
    });
    point.addEventListener("keydown", (event) => {
      const direction = {ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1}[event.key];
      if (!direction) return;
      event.preventDefault();
      const step = Math.pow(10, Math.floor(Math.log10((line.high - line.low) / 10)));
      movePoint(i, Number((state.x[i] + direction * step * (event.shiftKey ? 10 : 1)).toPrecision(12)));
    });
    svg.append(point, shape("text", {y: 76, "text-anchor": "middle", id: `point-text-${i}`}));
  });
}

function showLine(r) {
  fitLine();
  const [spread, , centre, note] = $("line").children;
  const mean = r.value.mean[0], std = Number.isFinite(r.value.std[0]) ? r.value.std[0] : 0;
  const left = Math.max(line.place(mean - std), 0), right = Math.min(line.place(mean + std), line.width);
  spread.setAttribute("x", left);
  spread.setAttribute("width", Math.max(right - left, 0));
  const middle = Math.max(-10, Math.min(line.width + 10, line.place(mean)));
  centre.setAttribute("x1", middle);
  centre.setAttribute("x2", middle);
  note.setAttribute("x", Math.max(90, Math.min(line.width - 90, middle)));
  note.textContent = `mean ${print(mean)}, std ${print(r.value.std[0])}`;
  state.x.forEach((value, i) => {
    const point = $(`point-${i}`);
    point.setAttribute("cx", line.place(value));
    point.setAttribute("aria-valuenow", value);
    point.setAttribute("aria-valuemin", rounded(line.low));
    point.setAttribute("aria-valuemax", rounded(line.high));
    $(`point-text-${i}`).setAttribute("x", line.place(value));
    $(`point-text-${i}`).textContent = state.x.length <= 8 ? print(value) : "";
  });
}

// The paths -------------------------------------------------------------------------------------------------------------

function showPaths(r) {
  const body = headings($("paths"), ["x", "direct", "through var", "through mean", "dx", "dx, autograd"]);
  state.x.forEach((value, i) => {
    const wrong = !(Math.abs(r.dx[i] - r.right[i]) <= 1e-9 * Math.max(1, Math.abs(r.right[i])));
    const row = element("tr", {}, element("th", {scope: "row"}, print(value)));
    for (const values of [r.path.direct, r.path.var, r.path.mean]) row.append(element("td", {}, print(values[i])));
    row.append(element("td", wrong ? {class: "off"} : {}, print(r.dx[i])), element("td", {}, print(r.right[i])));
    body.append(row);
  });
  const off = Math.max(...r.dx.map((v, i) => Math.abs(v - r.right[i]))), largest = Math.max(...r.right.map(Math.abs));
  let text = `dx = ${list(r.dx)}. `;
  if ($("drop-mean").checked || $("drop-var").checked) {
    text += `Off by at most ${print(off)}` + (largest > 0 ? `, ${(100 * off / largest).toFixed(1)} % of the largest element.` : ".");
  } else if ($("eval").checked) {
    text += "In evaluation mean and variance are constants: the direct path alone is left.";
  } else if ($("sum").checked) {
    text += "sum(y) is N · bias whatever x is, so its gradient is 0: the three paths cancel.";
  } else {
    text += "The three paths add up to it.";
  }
  $("paths-text").textContent = text;
  showBars(r);
}

function showBars(r) {
  const svg = $("bars"), n = state.x.length, width = roomFor(svg), height = 180, room = width / n, bar = Math.min(48, room * 0.6);
  const finite = (v) => Number.isFinite(v) ? v : 0;
  const parts = (i) => ["direct", "var", "mean"].map((path) => [path, finite(r.path[path][i])]);
  let most = 1e-300;
  for (let i = 0; i < n; ++i) {
    for (const sign of [1, -1]) {
      most = Math.max(most, parts(i).reduce((sum, [, v]) => sum + Math.max(0, sign * v), 0));
    }
  }
  const y = (v) => height / 2 - v / most * (height / 2 - 24);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren(shape("line", {class: "axis", x1: 0, x2: width, y1: y(0), y2: y(0)}));
  for (let i = 0; i < n; ++i) {
    const left = i * room + (room - bar) / 2, top = {1: 0, "-1": 0};
    for (const [path, value] of parts(i)) {
      const sign = value < 0 ? -1 : 1, from = top[sign];
      top[sign] += value;
      svg.append(shape("rect", {class: path, x: left, width: bar, y: Math.min(y(from), y(top[sign])),
                                height: Math.abs(y(from) - y(top[sign]))}));
    }
    svg.append(shape("line", {class: "dx", x1: left - 5, x2: left + bar + 5, y1: y(finite(r.dx[i])), y2: y(finite(r.dx[i]))}));
    svg.append(shape("text", {x: left + bar / 2, y: height - 4, "text-anchor": "middle"}, n <= 8 ? `x ${i + 1}` : String(i + 1)));
  }
}

// Buffers ---------------------------------------------------------------------------------------------------------------

function showBuffers(r) {
  const body = headings($("buffers"), ["", "running_mean", "running_var", "num_batches_tracked"]);
  const row = (title, values) => body.append(element("tr", {}, element("th", {scope: "row"}, title),
                                                     ...values.map((value) => element("td", {}, print(value)))));
  row("now", state.buffers);
  if (r.after) row("after a step on this batch", r.after);
  $("observe").disabled = !r.after;
}

// All of it -------------------------------------------------------------------------------------------------------------

function say(text) { $("message").textContent = text; }

function update() {
  const asked = request();
  if (asked.problem) return say(asked.problem);
  const invalid = document.querySelector('#panel-gradient input[aria-invalid="true"]');
  const start = performance.now();
  const r = parse(library.compute(asked.text));
  if (r.error) return say(r.error);
  last = r;
  say(r.refused && $("train").checked ? `nn::BatchNorm1d refuses this batch: ${r.refused}` +
      (state.x.length === 1 ? ". One value is its own mean: x - mean = 0, and so is the deviation, 0/0." : "") :
      invalid ? `${invalid.getAttribute("aria-label") ?? invalid.id}: '${invalid.value}' is no number; the last one counts` : "");
  showTables(r);
  showLine(r);
  showPaths(r);
  showStep(r);
  showBuffers(r);
  document.body.dataset.milliseconds = (performance.now() - start).toFixed(2);
}

function resize() {
  const n = Number($("size").value);
  const valid = Number.isInteger(n) && n >= 1 && n <= 16;
  $("size").setAttribute("aria-invalid", String(!valid));
  if (!valid) return say(`batch size: '${$("size").value}' is no whole number from 1 to 16`);
  for (const name of ["x", "dy"]) {
    while (state[name].length < n) {
      const i = state[name].length;
      state[name].push(START[name][i] ?? (name === "x" ? (5 * i) % 17 : i % 3 - 1));
    }
    state[name].length = n;
  }
  makeTables();
  makeLine();
  update();
}

function reset() {
  state.x = [...START.x];
  state.dy = [...START.dy];
  state.buffers = [0, 1, 0];
  state.step = -1;
  $("controls").reset();
  for (const field of document.querySelectorAll("[aria-invalid]")) field.setAttribute("aria-invalid", "false");
  $("momentum").value = "0.1";
  line.low = 0;
  line.high = 16;
  resize();
}

function startGradientTab() {
  for (const id of ["weight", "bias", "eps", "momentum"]) $(id).addEventListener("input", update);
  for (const id of ["train", "eval", "drop-mean", "drop-var", "sum"]) $(id).addEventListener("change", update);
  $("size").addEventListener("input", resize);
  addEventListener("resize", () => { if (!$("panel-gradient").hidden) makeLine(), update(); });
  $("start-over").addEventListener("click", reset);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("next").addEventListener("click", () => { ++state.step; showStep(last); });
  $("back").addEventListener("click", () => { --state.step; showStep(last); });
  $("observe").addEventListener("click", () => { state.buffers = last.after; update(); });
  $("forget").addEventListener("click", () => { state.buffers = [0, 1, 0]; update(); });
  resize();
}
