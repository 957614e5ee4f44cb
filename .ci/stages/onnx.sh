# ONNX: what is written is checked by python3-onnx and run by the ONNX Runtime.

onnx() {
  command -v npm >/dev/null || missing npm
  npm install --prefix "$scratch/node" --ignore-scripts --no-fund --no-audit onnxruntime-node
  configure build/onnx -DCMAKE_BUILD_TYPE=Release -DCMAKE_COMPILE_WARNING_AS_ERROR=ON -DGRADUS_ONNX=ON \
    -DGRADUS_BUILD_EXAMPLES=OFF
  build build/onnx nn_onnx_test
  NODE_PATH=$scratch/node/node_modules build/onnx/tests/nn_onnx_test | tee "$scratch/onnx"
  ! grep -q SKIPPED "$scratch/onnx"
}
