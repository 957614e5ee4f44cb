# Where trained nets go.

# none_skipped TEST: runs it; a skipped case is one that lacked a tool.
none_skipped() {
  "$1" | tee "$scratch/$(basename "$1")"
  ! grep -q SKIPPED "$scratch/$(basename "$1")"
}

# ONNX: what is written is checked by python3-onnx and run by the ONNX Runtime.
onnx() {
  command -v npm >/dev/null || missing npm
  npm install --prefix "$scratch/node" --ignore-scripts --no-fund --no-audit onnxruntime-node
  configure build/onnx "${optimised[@]}" "${library_and_tests[@]}" -DGRADUS_ONNX=ON
  build build/onnx nn_onnx_test
  NODE_PATH=$scratch/node/node_modules none_skipped build/onnx/tests/nn_onnx_test
}

# The written header: g++, gcc, clang, a Cortex-M4 and aarch64 in qemu.
header() {
  after release
  configure "$release_dir" "${optimised[@]}"
  build "$release_dir" nn_export_header_test
  none_skipped "$release_dir/tests/nn_export_header_test"
}

# Whether a call of nn::Plan may run in a real-time thread, asked of the RealtimeSanitizer.
realtime() {
  command -v clang++-22 >/dev/null || missing clang 22
  configure build/realtime -DCMAKE_CXX_COMPILER=clang++-22 -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_CXX_FLAGS=-fsanitize=realtime "${library_and_tests[@]}"
  build build/realtime nn_plan_realtime_test
  build/realtime/tests/nn_plan_realtime_test
}
