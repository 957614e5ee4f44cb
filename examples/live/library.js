"use strict";
// gradus, compiled to WebAssembly with SIMD and gzipped into this file. Browsers that can unpack it, with DecompressionStream,
// all have SIMD.

const library = {};

async function unpacked(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function loadLibrary() {
  const module = await gradus({wasmBinary: await unpacked(WASM)});
  const floats = (place, count) => module.HEAPF32.slice(place / 4, place / 4 + count);
  library.compute = module.cwrap("live_compute", "string", ["string"]);
  library.printed = module.cwrap("live_printed", "string", ["number"]);
  library.start = module.cwrap("nets_start", "string", ["number", "number", "number", "number"]);
  library.steps = module.cwrap("nets_steps", "string", ["number"]);
  library.loss = (net) => module._nets_loss(net);
  library.regions = (net, n) => floats(module._nets_regions(net, n), n * n);
  library.hidden = (net) => floats(module._nets_hidden(net), module._nets_hidden_count());
  library.points = () => floats(module._nets_points(), 3 * module._nets_points_count());
}

addEventListener("DOMContentLoaded", async () => {
  try {
    await loadLibrary();
    startTabs();
    startGradientTab();
    document.body.dataset.ready = "yes";
  } catch (error) {
    $("message").textContent = `This page needs a browser of 2023 or later, with WebAssembly and DecompressionStream: ${error.message}`;
  }
});
