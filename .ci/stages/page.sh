# The page of examples/live in headless Chromium.

page() {
  systems_possible || missing "root and mmdebstrap, or emscripten 3.1.69"
  examples/live/build "$scratch/lesson.html"
  after release
  tests/live/run "$scratch/lesson.html"
  tests/live/run
}
