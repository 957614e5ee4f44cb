"use strict";
// The first tab: a batch, the layer's nodes with values and gradients, the paths to x, the running buffers. All numbers come
// from the library (live.hpp); here they are only shown.

const $ = (id) => document.getElementById(id);
const START = {x: [1, 7, 9, 15], dy: [1, -1, 2, 0]};

const state = {x: [...START.x], dy: [...START.dy], buffers: [0, 1, 0], step: -1};
let last = null;  // the response shown

const print = (value) => Number.isFinite(value) ? library.printed(value) : String(value);
const list = (values) => values.map(print).join(", ");

// Requests and responses ------------------------------------------------------------------------------------------------

const nameOf = (field) => field.getAttribute("aria-label") ?? field.id;
const limitsOf = (field) => ({eps: [0, 1e9], momentum: [0, 1]})[field.id] ?? [-1e9, 1e9];

/** A number from a field; null, with the field marked, if it holds none. */
function fieldValue(field) {
  const text = field.value.trim().replace(",", "."), [low, high] = limitsOf(field);
  const value = text === "" ? NaN : Number(text);
  const valid = low <= value && value <= high;
  field.setAttribute("aria-invalid", String(!valid));
  return valid ? value : null;
}

const isNoNumber = (field) => `${nameOf(field)}: '${field.value}' is no number from ${limitsOf(field).map(print).join(" to ")}`;

function request() {
  const numbers = {};
  for (const name of ["weight", "bias", "eps", "momentum"]) {
    numbers[name] = fieldValue($(name));
    if (numbers[name] === null) return {problem: isNoNumber($(name))};
  }
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
      invalid ? `${isNoNumber(invalid)}; the last one counts` : "");
  showTables(r);
  showLine(r);
  showPathTable(r);
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
  $("backward").parentElement.scrollLeft = $("backward").offsetWidth;  // where there is no room for all, y comes first
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
