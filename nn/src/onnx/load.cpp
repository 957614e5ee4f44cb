// An ONNX model as a Sequential.
#include "io/file.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/onnx.hpp>

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cstring>
#include <map>

namespace gradus::nn {

using detail::message;

namespace {

class Loader {
 public:
  Loader(const onnx::GraphProto& graph, const std::string& path) : graph_(graph), path_(path) {
    for (const onnx::TensorProto& tensor : graph.initializer()) constants_[tensor.name()] = &tensor;
    for (const onnx::ValueInfoProto& input : graph.input()) {
      if (!constants_.contains(input.name())) inputs_.push_back(input.name());
    }
  }

  Sequential run() {
    if (inputs_.size() != 1 || graph_.output_size() != 1) {
      fail(message("has ", inputs_.size(), " inputs and ", graph_.output_size(), " outputs, a Sequential one of each"));
    }
    last_ = inputs_[0];
    while (i_ < graph_.node_size()) add(take());
    if (last_ != graph_.output(0).name()) fail("does not end in its output");
    net_.eval();
    return std::move(net_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const { throw FileError(message("load_onnx: '", path_, "' ", why)); }
  [[noreturn]] void refuse(const onnx::NodeProto& node, const std::string& why) const {
    fail(message("has the operator ", node.op_type(), " '", node.name(), "' ", why));
  }

  /// The next operator, which has to take what the last one made.
  const onnx::NodeProto& take() {
    const onnx::NodeProto& node = graph_.node(i_++);
    const int first = node.op_type() == "Constant" ? 0 : 1;
    if (node.input_size() < first || node.output_size() < 1 || (first == 1 && node.input(0) != last_)) {
      refuse(node, "which does not follow the one before it");
    }
    last_ = node.output(0);
    return node;
  }
  bool next_is(const char* op) const { return i_ < graph_.node_size() && graph_.node(i_).op_type() == op; }

  const onnx::AttributeProto* attribute(const onnx::NodeProto& node, const char* name) const {
    for (const onnx::AttributeProto& a : node.attribute()) {
      if (a.name() == name) return &a;
    }
    return nullptr;
  }
  float real(const onnx::NodeProto& node, const char* name, float otherwise) const {
    const auto* a = attribute(node, name);
    return a ? a->f() : otherwise;
  }
  std::int64_t integer(const onnx::NodeProto& node, const char* name, std::int64_t otherwise) const {
    const auto* a = attribute(node, name);
    return a ? a->i() : otherwise;
  }

  /// Input `index` of the operator: a float32 constant of the file with `rank` dimensions.
  Tensor constant(const onnx::NodeProto& node, int index, int rank) const {
    const auto found = index < node.input_size() ? constants_.find(node.input(index)) : constants_.end();
    if (found == constants_.end()) refuse(node, message("whose input ", index, " is no constant"));
    const onnx::TensorProto& tensor = *found->second;
    Shape shape;
    for (const std::int64_t extent : tensor.dims()) shape.push_back(extent);
    if (tensor.data_type() != onnx::TensorProto::FLOAT || shape.rank() != rank) {
      refuse(node, message("with '", tensor.name(), "', which is not float32 of ", rank, " dimensions"));
    }
    Tensor x = zeros(shape);
    const auto to = x.data<float>();
    if (tensor.has_raw_data() && tensor.raw_data().size() == to.size_bytes()) {
      std::memcpy(to.data(), tensor.raw_data().data(), to.size_bytes());
    } else if (static_cast<std::size_t>(tensor.float_data_size()) == to.size()) {
      std::copy(tensor.float_data().begin(), tensor.float_data().end(), to.begin());
    } else {
      refuse(node, message("with '", tensor.name(), "', whose elements are not in the file"));
    }
    return x;
  }

  void push(const onnx::NodeProto& node, AnyModule module, int named_by = -1) {
    std::string name = named_by >= 0 ? node.input(named_by) : node.name();
    name = name.substr(0, name.find_last_of(named_by >= 0 ? '.' : ':'));
    name = name.substr(0, name.find(':'));
    bool fits = !name.empty() && name.find('.') == name.npos;
    for (const auto& child : net_.children()) fits = fits && child.first != name;
    net_.push_back(fits ? name : message("layer", net_.size()), std::move(module));
  }

  void add(const onnx::NodeProto& node) {
    const std::string& op = node.op_type();
    if (op == "Gemm" || op == "MatMul") return linear(node);
    if (op == "BatchNormalization") return batch_norm(node);
    if (op == "Relu") return push(node, ReLU());
    if (op == "LeakyRelu") return push(node, LeakyReLU(static_cast<double>(real(node, "alpha", 0.01f))));
    if (op == "Sigmoid") return push(node, Sigmoid());
    if (op == "Tanh") return push(node, Tanh());
    if (op == "Softplus") return push(node, Softplus());
    if (op == "Softmax") return push(node, Softmax(integer(node, "axis", -1)));
    if (op == "LogSoftmax") return push(node, LogSoftmax(integer(node, "axis", -1)));
    if (op == "Div") return gelu(node);
    if (op == "Identity" || op == "Dropout") return;
    if (op == "Flatten" && integer(node, "axis", 1) == 1) return push(node, Flatten());
    refuse(node, "that no layer of a Sequential stands for");
  }

  void linear(const onnx::NodeProto& node) {
    Tensor weight = constant(node, 1, 2), bias;
    const bool gemm = node.op_type() == "Gemm";
    if (gemm && (real(node, "alpha", 1) != 1 || real(node, "beta", 1) != 1 || integer(node, "transA", 0) != 0)) {
      refuse(node, "with factors or a transposed input");
    }
    if (!gemm || integer(node, "transB", 0) == 0) weight = weight.t().clone();
    if (gemm && node.input_size() > 2) bias = constant(node, 2, 1);
    if (!gemm && next_is("Add")) bias = constant(take(), 1, 1);
    if (bias.defined() && bias.numel() != weight.size(0)) refuse(node, "with a bias of another size");
    const Generator before = default_generator();  // a new Linear draws its weights
    Linear layer(weight.size(1), weight.size(0), {.bias = bias.defined()});
    default_generator() = before;
    layer.weight.copy_(weight);
    if (bias.defined()) layer.bias.copy_(bias);
    push(node, std::move(layer), 1);
  }

  void batch_norm(const onnx::NodeProto& node) {
    const Tensor mean = constant(node, 3, 1);
    for (const int i : {1, 2, 4}) {
      if (constant(node, i, 1).numel() != mean.numel()) refuse(node, "with constants of different sizes");
    }
    char text[32];  // 1e-5 in the file is the float beside it
    char* const end = std::to_chars(text, text + sizeof text, real(node, "epsilon", 1e-5f)).ptr;
    BatchNorm1d norm(mean.numel(), {.eps = std::stod(std::string(text, end))});
    norm.weight.copy_(constant(node, 1, 1));
    norm.bias.copy_(constant(node, 2, 1));
    norm.running_mean.copy_(mean);
    norm.running_var.copy_(constant(node, 4, 1));
    push(node, std::move(norm), 1);
  }

  /// x (1 + erf(x / sqrt(2))) / 2, of which Div is the first.
  void gelu(const onnx::NodeProto& div) {
    const std::string x = div.input(0);
    for (const char* op : {"Erf", "Add", "Mul", "Mul"}) {
      if (!next_is(op)) refuse(div, "that no layer of a Sequential stands for");
      take();
    }
    if (graph_.node(i_ - 2).input(1) != x) refuse(div, "that no layer of a Sequential stands for");
    push(div, GELU());
  }

  const onnx::GraphProto& graph_;
  const std::string& path_;
  std::map<std::string, const onnx::TensorProto*> constants_;
  std::vector<std::string> inputs_;
  std::string last_;
  int i_ = 0;
  Sequential net_;
};

}  // namespace

Sequential load_onnx(const std::string& path) {
  const detail::Buffer bytes = detail::read_file(path);
  onnx::ModelProto model;
  const detail::Bytes all = bytes;
  if (all.size() > 0x7fffffff || !model.ParseFromArray(all.data(), static_cast<int>(all.size())) ||
      !model.has_graph()) {
    throw FileError(message("load_onnx: '", path, "' is not an ONNX model"));
  }
  const NoGradGuard no_grad;
  return Loader(model.graph(), path).run();
}

}  // namespace gradus::nn
