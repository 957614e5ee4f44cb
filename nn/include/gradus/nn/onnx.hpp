// Nets as ONNX files, which other programs run. Built with -DGRADUS_ONNX=ON (Debian: libonnx-dev, libprotobuf-dev);
// else both functions throw NotImplementedError that says so.
#pragma once

#include <gradus/nn/sequential.hpp>

namespace gradus::nn {

struct OnnxOptions {
  std::string name = "net";  ///< of the graph
  Shape row = {};            ///< of one input without the batch; needed when the first layer does not tell, as Flatten
};

/// Writes what `net` computes in eval() as an ONNX model (IR 8, operator set 17): an input "input" (batch, row…) with a
/// batch of any size, an output "output", one operator for a layer (Gemm, Conv, BatchNormalization, Relu, …; GELU,
/// which is none of that set, as five), and the tensors under their names in the state_dict. Dropout is left out.
/// Takes the layers that Plan takes, and throws as it does; FileError when `path` cannot be written.
void export_onnx(const Module& net, const std::string& path, const OnnxOptions& options = {});

/// The net of an ONNX file whose operators follow one another: those that export_onnx writes, and Dropout. It is in
/// eval(); layers are named as in the file where names have no dot. Throws FileError for what is no ONNX, and for an
/// operator or a graph that no Sequential is, naming the operator.
Sequential load_onnx(const std::string& path);

}  // namespace gradus::nn
