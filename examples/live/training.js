"use strict";
// The second tab: two nets learn the same points, one with BatchNorm. The library trains (live.hpp); here it is drawn.

const nets = {running: false, step: 0, losses: [[], []], pictures: 0};
const GRID = 48;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function startNets() {
  const lr = Math.pow(10, Number($("lr").value)), depth = Number($("depth").value);
  $("lr-text").textContent = print(Number(lr.toPrecision(2)));
  $("depth-text").textContent = depth;
  say("");
  const problem = library.start($("spirals").checked ? 1 : 0, depth, lr, 0);
  if (problem) return say(problem);
  nets.step = 0;
  nets.losses = [[], []];
  nets.points = library.points();
  library.steps(1);
  remember();
  draw();
}

function remember() {
  nets.step += 1;
  for (const net of [0, 1]) nets.losses[net].push(library.loss(net));
}

function advance() {
  if (!nets.running) return;
  const start = performance.now();
  for (let i = 0; i < 4 && performance.now() - start < 12; ++i) {
    const problem = library.steps(1);
    if (problem) {
      run(false);
      return say(`Training stopped after step ${nets.step}: ${problem.split("\n")[0]}`);
    }
    remember();
  }
  if (nets.pictures++ % 6 === 0) draw();
  requestAnimationFrame(advance);
}

function run(on) {
  nets.running = on;
  $("run").textContent = on ? "Pause" : "Train";
  if (on) requestAnimationFrame(advance);
  else draw();
}

function draw() {
  for (const net of [0, 1]) {
    drawRegions($(`region-${net}`), library.regions(net, GRID));
    drawHistogram($(`hidden-${net}`), library.hidden(net), net);
  }
  drawLosses();
  const recent = (net) => {
    const tail = nets.losses[net].slice(-50);
    return tail.reduce((sum, v) => sum + v, 0) / tail.length;
  };
  $("training-text").textContent = `step ${nets.step}: mean loss of the last 50 steps ${recent(0).toFixed(3)} without, ` +
    `${recent(1).toFixed(3)} with BatchNorm`;
}

function drawRegions(canvas, probabilities) {
  const context = canvas.getContext("2d"), size = canvas.width, cell = size / GRID;
  for (let i = 0; i < GRID * GRID; ++i) {
    const p = probabilities[i];
    context.fillStyle = Number.isFinite(p) ? `rgb(${225 - 75 * p}, ${195}, ${150 + 75 * p})` : "#888";
    context.fillRect((i % GRID) * cell, Math.floor(i / GRID) * cell, cell + 1, cell + 1);
  }
  for (let i = 0; i < nets.points.length; i += 3) {
    context.fillStyle = nets.points[i + 2] ? "#0b3f8f" : "#8f2d06";
    context.fillRect((nets.points[i] + 2) / 4 * size - 1, (2 - nets.points[i + 1]) / 4 * size - 1, 2.5, 2.5);
  }
}

function drawHistogram(canvas, values, net) {
  const context = canvas.getContext("2d"), bins = 32, counts = new Array(bins).fill(0), range = 4;
  for (const v of values) {
    const bin = Math.floor((Math.max(-range, Math.min(range - 1e-6, v)) + range) / (2 * range) * bins);
    if (Number.isFinite(bin)) counts[bin] += 1;
  }
  const most = Math.max(...counts, 1), width = canvas.width / bins;
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colour(net ? "--direct" : "--var");
  counts.forEach((count, i) => {
    const height = count / most * (canvas.height - 16);
    context.fillRect(i * width, canvas.height - 14 - height, width - 1, height);
  });
  context.fillStyle = colour("--ink");
  context.font = "11px sans-serif";
  for (const tick of [-4, 0, 4]) {
    context.textAlign = tick < 0 ? "left" : tick > 0 ? "right" : "center";
    context.fillText(String(tick), (tick + range) / (2 * range) * canvas.width, canvas.height - 2);
  }
}

function drawLosses() {
  const canvas = $("losses"), context = canvas.getContext("2d"), left = 34, bottom = canvas.height - 18, top = 0.8;
  const count = Math.max(nets.losses[0].length, 100);
  const x = (i) => left + i / count * (canvas.width - left - 4), y = (loss) => 6 + (1 - Math.min(loss, top) / top) * (bottom - 6);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.font = "12px sans-serif";
  context.fillStyle = context.strokeStyle = colour("--quiet");
  for (const tick of [0, 0.2, 0.4, 0.6, 0.8]) {
    context.textAlign = "right";
    context.fillText(tick.toFixed(1), left - 5, y(tick) + 4);
    context.globalAlpha = 0.3;
    context.fillRect(left, y(tick), canvas.width, 1);
    context.globalAlpha = 1;
  }
  context.textAlign = "right";
  context.fillText(`${count} steps`, canvas.width - 4, canvas.height - 4);
  for (const net of [0, 1]) {
    const losses = nets.losses[net], every = Math.max(1, Math.floor(losses.length / 240));
    context.strokeStyle = colour(net ? "--direct" : "--var");
    context.lineWidth = 2;
    context.beginPath();
    for (let i = 0; i < losses.length; i += every) {
      const part = losses.slice(i, i + every), mean = part.reduce((sum, v) => sum + v, 0) / part.length;
      if (i === 0) context.moveTo(x(i), y(mean));
      else if (Number.isFinite(mean)) context.lineTo(x(i), y(mean));
    }
    context.stroke();
  }
}

function startTrainingTab() {
  for (const id of ["lr", "depth"]) $(id).addEventListener("input", startNets);
  for (const id of ["moons", "spirals"]) $(id).addEventListener("change", startNets);
  $("run").addEventListener("click", () => run(!nets.running));
  $("restart").addEventListener("click", startNets);
  startNets();
}

function showTab(chosen) {
  for (const name of ["gradient", "training"]) {
    const on = name === chosen;
    $(`tab-${name}`).setAttribute("aria-selected", String(on));
    $(`tab-${name}`).tabIndex = on ? 0 : -1;
    $(`panel-${name}`).hidden = !on;
  }
  say("");
  if (nets.running) run(false);
  if (chosen === "gradient") update();
  else if (nets.points === undefined) startTrainingTab();
  else draw();
}

function startTabs() {
  for (const name of ["gradient", "training"]) {
    const tab = $(`tab-${name}`);
    tab.addEventListener("click", () => showTab(name));
    tab.addEventListener("keydown", (event) => {
      if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
      const other = name === "gradient" ? "training" : "gradient";
      showTab(other);
      $(`tab-${other}`).focus();
    });
  }
}
