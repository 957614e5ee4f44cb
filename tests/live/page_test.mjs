// The page in a real browser: its numbers are the library's, every control works, bad input never breaks it, and it can be
// used with a keyboard, at any width, in light and dark. Environment: PAGE (the HTML file), NUMBERS (live_numbers), CHROMIUM,
// SCREENSHOTS (a folder).
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {after, before, test} from "node:test";
import {pathToFileURL} from "node:url";
import {chromium} from "playwright-core";

const {PAGE, NUMBERS, CHROMIUM, SCREENSHOTS} = process.env;
let browser;

before(async () => {
  browser = await chromium.launch({executablePath: CHROMIUM, args: ["--no-sandbox"]});
});
after(async () => browser?.close());

/** A fresh page, ready; what it logs as an error fails the test that opened it. */
async function open(options = {}) {
  const context = await browser.newContext({viewport: {width: 1280, height: 900}, ...options});
  const page = await context.newPage();
  page.errors = [];
  page.on("pageerror", (error) => page.errors.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") page.errors.push(message.text()); });
  page.on("request", (asked) => { if (!asked.url().startsWith("file:") && !asked.url().startsWith("data:")) page.errors.push(asked.url()); });
  await page.goto(pathToFileURL(PAGE).href);
  await page.waitForSelector("body[data-ready]");
  return page;
}

async function close(page) {
  assert.deepEqual(page.errors, []);
  await page.context().close();
}

/** The library's answer, every number as the page prints it: {"value mean": ["8"], …}. */
function native(request) {
  const text = execFileSync(NUMBERS, ["--printed"], {input: request, encoding: "utf8"});
  const result = {};
  for (const line of text.trim().split("\n")) {
    const words = line.split(" "), named = ["value", "grad", "difference", "path"].includes(words[0]) ? 2 : 1;
    result[words.slice(0, named).join(" ")] = words.slice(named);
  }
  return result;
}

const cellsOf = (page, table, node) => page.$$eval(`#${table} tbody td[data-node="${node}"]`, (cells) =>
  cells.map((cell) => [cell.firstChild?.textContent, cell.querySelector("small")?.textContent]));

const FORWARD = ["mean", "centered", "square", "var", "std", "rstd", "xhat", "scaled", "y"];
const BACKWARD = ["bias", "scaled", "weight", "xhat", "rstd", "std", "var", "square", "centered", "mean", "x"];

/** All that the page shows equals the native library's, to the printed digit. */
async function compare(page, request) {
  const expected = native(request);
  for (const node of FORWARD.filter((name) => `value ${name}` in expected)) {
    const shown = (await cellsOf(page, "forward", node)).map(([value]) => value);
    assert.deepEqual(shown, expected[`value ${node}`], `${node} of ${request}`);
  }
  for (const node of BACKWARD.filter((name) => `grad ${name}` in expected)) {
    const shown = await cellsOf(page, "backward", node);
    assert.deepEqual(shown.map(([value]) => value), expected[`grad ${node}`], `d${node} of ${request}`);
    assert.deepEqual(shown.map(([, value]) => value), expected[`difference ${node}`], `d${node} by differences of ${request}`);
  }
  const paths = await page.$$eval("#paths tbody tr", (rows) => rows.map((row) => [...row.cells].map((cell) => cell.textContent)));
  for (const [column, name] of [[1, "path direct"], [2, "path var"], [3, "path mean"], [4, "dx"], [5, "right"]]) {
    assert.deepEqual(paths.map((row) => row[column]), expected[name], `${name} of ${request}`);
  }
}

async function setNumbers(page, {x, dy, weight, bias, eps}) {
  await page.fill("#size", String(x.length));
  for (const [id, value] of [["weight", weight], ["bias", bias], ["eps", eps]]) await page.fill(`#${id}`, String(value));
  for (let i = 0; i < x.length; ++i) {
    await page.fill(`#x-${i}`, String(x[i]));
    await page.fill(`#dy-${i}`, String(dy[i]));
  }
}

const requestOf = ({x, dy, weight, bias, eps}) =>
  `x ${x.join(" ")}\ndy ${dy.join(" ")}\nweight ${weight}\nbias ${bias}\neps ${eps}\n`;

const EXAMPLE = {x: [1, 7, 9, 15], dy: [1, -1, 2, 0], weight: 2, bias: 1, eps: 0};

test("shows the example, exact by hand", async () => {
  const page = await open();
  await compare(page, requestOf(EXAMPLE));
  assert.deepEqual((await cellsOf(page, "backward", "x")).map(([value]) => value), ["0.088", "-0.616", "0.616", "-0.088"]);
  assert.match(await page.textContent("#paths-text"), /dx = 0.088, -0.616, 0.616, -0.088/);
  await close(page);
});

/** Numbers that are the same on every run. */
function* random(seed) {
  for (let state = seed;;) {
    state = (state * 1103515245 + 12345) % 2147483648;
    yield state / 2147483648;
  }
}

test("fifty random inputs equal the native library's", async () => {
  const page = await open(), draw = random(1), times = [];
  const between = (low, high) => Number((low + draw.next().value * (high - low)).toFixed(3));
  for (let run = 0; run < 50; ++run) {
    const n = 2 + Math.floor(draw.next().value * 15), column = () => Array.from({length: n}, () => between(-10, 10));
    const numbers = {x: column(), dy: column(), weight: between(-3, 3), bias: between(-3, 3), eps: [0, 1e-5, 0.5][run % 3]};
    await setNumbers(page, numbers);
    await compare(page, requestOf(numbers));
    times.push(Number(await page.getAttribute("body", "data-milliseconds")));
  }
  times.sort((a, b) => a - b);
  console.log(`a change of a number takes ${times[25]} ms (median), a frame is 16 ms`);
  await close(page);
});

test("eval: buffers instead of statistics, one path", async () => {
  const page = await open();
  await page.click("#observe");
  await page.click("#observe");
  await page.check("#eval");
  const buffers = await page.$$eval("#buffers tbody tr:first-child td", (cells) => cells.map((cell) => cell.textContent));
  assert.equal(buffers[2], "2");
  const request = requestOf(EXAMPLE) + `training 0\nrunning_mean ${0.8 * 0.9 + 0.8}\nrunning_var ${4.233333333333333 * 0.9 + 10 / 3}\n`;
  await compare(page, request);
  assert.match(await page.textContent("#paths-text"), /direct path alone/);
  await page.check("#train");
  await page.click("#forget");
  assert.equal(await page.textContent("#buffers tbody tr:first-child td"), "0");
  await close(page);
});

test("dropped paths are wrong, and by how much", async () => {
  const page = await open();
  await page.check("#drop-mean");
  await compare(page, requestOf(EXAMPLE) + "drop_mean 1\n");
  assert.match(await page.textContent("#paths-text"), /Off by at most 0.2, 32.5 %/);
  await page.uncheck("#drop-mean");
  await page.check("#drop-var");
  await compare(page, requestOf(EXAMPLE) + "drop_var 1\n");
  assert.match(await page.textContent("#paths-text"), /Off by at most 0.112, 18.2 %/);
  await close(page);
});

test("the gradient of sum(y) is 0", async () => {
  const page = await open();
  await page.check("#sum");
  await compare(page, requestOf(EXAMPLE) + "sum 1\n");
  assert.deepEqual((await cellsOf(page, "backward", "x")).map(([value]) => value), ["0", "0", "0", "0"]);
  assert.ok(await page.isDisabled("#dy-0"));
  await close(page);
});

test("a batch of one is refused with the library's words", async () => {
  const page = await open();
  await page.fill("#size", "1");
  assert.match(await page.textContent("#message"), /Expected more than 1 value per channel when training.*0\/0/);
  await page.fill("#size", "16");
  assert.equal(await page.textContent("#message"), "");
  await page.click("#start-over");
  await compare(page, requestOf(EXAMPLE));
  await close(page);
});

test("steps through the graph, node by node", async () => {
  const page = await open(), seen = [];
  while (!(await page.isDisabled("#next"))) {
    await page.click("#next");
    seen.push(await page.textContent("#step"));
    assert.equal(await page.$$eval("th.current", (cells) => cells.length), 1);
  }
  assert.equal(seen.length, 20);
  assert.match(seen[0], /mean = \(1 \+ 7 \+ 9 \+ 15\) \/ 4 = 8/);
  assert.match(seen[4], /std = √\(25 \+ 0\) = 5/);
  assert.match(seen[13], /drstd = .* = -8$/);
  assert.match(seen[19], /dx = 0.288 \+ \(-0.8\) \/ 4 = 0.088; .* = -0.088$/);
  while (!(await page.isDisabled("#back"))) await page.click("#back");
  await close(page);
});

test("points move by mouse and by keyboard", async () => {
  const page = await open();
  const box = await (await page.$("#point-1")).boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width / 2 + 60, box.y, {steps: 5});
  await page.mouse.up();
  const moved = Number(await page.inputValue("#x-1"));
  assert.ok(moved > 7, `moved to ${moved}`);
  await compare(page, requestOf({...EXAMPLE, x: [1, moved, 9, 15]}));
  await page.focus("#point-1");
  await page.keyboard.press("ArrowLeft");
  assert.ok(Number(await page.inputValue("#x-1")) < moved);
  await page.keyboard.press("Shift+ArrowRight");
  assert.ok(Number(await page.inputValue("#x-1")) > moved);
  await close(page);
});

test("bad input gets a message, and the page lives on", async () => {
  const page = await open();
  for (const [field, text] of [["#x-0", "abc"], ["#x-0", ""], ["#dy-1", "NaN"], ["#weight", "1e400"], ["#bias", "--1"],
                               ["#eps", "-1"], ["#momentum", "2"], ["#size", "0"], ["#size", "17"], ["#size", "2.5"],
                               ["#size", ""], ["#x-2", "1e12"], ["#weight", "Infinity"]]) {
    await page.fill(field, text);
    assert.notEqual(await page.textContent("#message"), "", `${field} = ${text}`);
    await page.click("#start-over");
    assert.equal(await page.textContent("#message"), "");
  }
  for (const numbers of [{...EXAMPLE, x: [1e9, -1e9, 1e9, 0]}, {...EXAMPLE, x: [3, 3, 3, 3], eps: 1e-5},
                         {...EXAMPLE, x: [3, 3, 3, 3]}, {...EXAMPLE, weight: 0, dy: [0, 0, 0, 0]}]) {
    await setNumbers(page, numbers);
    assert.notEqual((await cellsOf(page, "forward", "mean"))[0][0], "");
  }
  await page.click("#start-over");
  await compare(page, requestOf(EXAMPLE));
  await close(page);
});

test("two nets train side by side", async () => {
  const page = await open();
  await page.click("#tab-training");
  await page.check("#spirals");
  await page.click("#run");
  await page.waitForFunction(() => nets.step >= 600, null, {timeout: 60000});
  await page.click("#run");
  const losses = await page.evaluate(() => nets.losses.map((all) => all.slice(-50).reduce((sum, v) => sum + v) / 50));
  assert.ok(losses[1] < 0.3, `with BatchNorm ${losses[1]}`);
  await page.screenshot({path: `${SCREENSHOTS}/training.png`, fullPage: true});
  const rate = await page.evaluate(() => {
    const start = performance.now();
    library.steps(300);
    return 300 / (performance.now() - start) * 1000;
  });
  console.log(`${rate.toFixed(0)} steps of both nets a second, 60 are wanted`);
  await page.fill("#lr", "0.5");
  await page.fill("#depth", "8");
  assert.equal(await page.textContent("#depth-text"), "8");
  await page.click("#run");
  await page.waitForFunction(() => nets.step >= 100, null, {timeout: 60000});
  await page.click("#restart");
  await page.click("#tab-gradient");
  assert.equal(await page.evaluate(() => nets.running), false);
  await close(page);
});

for (const width of [360, 768, 1920]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`${width} pixels wide, ${colorScheme}: nothing cut off, contrast 4.5:1`, async () => {
      const page = await open({viewport: {width, height: 900}, colorScheme});
      for (const tab of ["gradient", "training"]) {
        await page.click(`#tab-${tab}`);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page does not scroll sideways");
        assert.deepEqual(await page.evaluate(lowContrast), []);
        await page.screenshot({path: `${SCREENSHOTS}/${tab}-${width}-${colorScheme}.png`, fullPage: true});
      }
      await close(page);
    });
  }
}

/** In the page: texts whose colour is too close to what is behind them. */
function lowContrast() {
  const luminance = (colour) => {
    const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!/rgba\(.*, 0\)|transparent/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const node of document.querySelectorAll("body *")) {
    const text = [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && child.textContent.trim());
    if (!text || !node.getClientRects().length || node.closest("svg") || node.disabled) continue;
    const a = luminance(getComputedStyle(node).color), b = luminance(behind(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${node.tagName} '${node.textContent.slice(0, 30)}' ${ratio.toFixed(2)}`);
  }
  return found;
}

test("every control has a name, and the keyboard reaches it", async () => {
  const page = await open();
  const nameless = await page.evaluate(() => [...document.querySelectorAll("input, button, [role=slider], svg[role=img], canvas")]
    .filter((node) => !(node.labels?.length || node.getAttribute("aria-label") || node.getAttribute("aria-labelledby") ||
                        node.textContent.trim())).map((node) => node.id));
  assert.deepEqual(nameless, []);
  const reached = new Set();
  await page.focus("#tab-gradient");
  for (let i = 0; i < 80; ++i) {
    reached.add(await page.evaluate(() => document.activeElement.id));
    await page.keyboard.press("Tab");
  }
  for (const id of ["size", "weight", "bias", "eps", "train", "drop-mean", "drop-var", "sum", "start-over", "point-0", "x-0", "dy-3",
                    "next", "momentum", "observe", "forget"]) {
    assert.ok(reached.has(id), `${id} is reached by Tab`);
  }
  await page.focus("#tab-gradient");
  await page.keyboard.press("ArrowRight");
  assert.ok(await page.isVisible("#panel-training"));
  await close(page);
});
