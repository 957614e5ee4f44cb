"use strict";
// The first tab's pictures: the batch on a line, with points to drag, and the paths to x as stacked bars.

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

function showPaths(r) {
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
