// In place of the other files of this folder when gradus is built without ONNX.
#include <gradus/core/error.hpp>
#include <gradus/nn/onnx.hpp>

namespace gradus::nn {

namespace {

[[noreturn]] void refuse(const char* function) {
  throw NotImplementedError(
      std::string(function) +
      ": this gradus was built without ONNX.\nBuild it with -DGRADUS_ONNX=ON, which needs libonnx-dev.");
}

}  // namespace

void export_onnx(const Module&, const std::string&, const OnnxOptions&) { refuse("export_onnx"); }
Sequential load_onnx(const std::string&) { refuse("load_onnx"); }

}  // namespace gradus::nn
