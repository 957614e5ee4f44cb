// An ONNX model as a Sequential.
#include "io/file.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/layer_norm.hpp>
#include <gradus/nn/onnx.hpp>
#include <gradus/nn/pooling.hpp>

#include <onnx/onnx_pb.h>

#include <charconv>
#include <climits>
#include <cstring>
#include <map>

namespace gradus::nn {

using detail::message, detail::throw_if;

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

  static bool has_second(const onnx::NodeProto& node, const std::string& input) {
    return node.input_size() == 2 && node.input(1) == input;
  }

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

  /// The only element of a list, or `otherwise`: a window along one dimension has one of each.
  std::int64_t only(const onnx::NodeProto& node, const char* name, std::int64_t otherwise) const {
    const auto* a = attribute(node, name);
    if (a && a->ints_size() != 1) refuse(node, message("with ", name, " of more than one dimension"));
    return a ? a->ints(0) : otherwise;
  }
  using Pads = std::pair<std::int64_t, std::int64_t>;
  Pads pads(const onnx::NodeProto& node) const {
    const auto* a = attribute(node, "pads");
    const auto* automatic = attribute(node, "auto_pad");
    if ((a && a->ints_size() != 2) || (automatic && automatic->s() != "NOTSET")) refuse(node, "with other pads");
    return a ? Pads(a->ints(0), a->ints(1)) : Pads();
  }
  std::int64_t same_pads(const onnx::NodeProto& node) const {
    const auto [before, after] = pads(node);
    if (before != after) refuse(node, message("with pads of ", before, " and ", after, ", which no layer has"));
    return before;
  }

  /// Input `index` of the operator: a constant of the file with `rank` dimensions, or any if that is -1.
  Tensor constant(const onnx::NodeProto& node, int index, int rank, Dtype dtype = float32) const {
    const auto found = index < node.input_size() ? constants_.find(node.input(index)) : constants_.end();
    if (found == constants_.end()) refuse(node, message("whose input ", index, " is no constant"));
    const onnx::TensorProto& tensor = *found->second;
    Shape shape;
    for (const std::int64_t extent : tensor.dims()) shape.push_back(extent);
    const auto type = dtype == int64 ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT;
    if (tensor.data_type() != type || (rank >= 0 && shape.rank() != rank)) {
      refuse(node, message("with '", tensor.name(), "', which is not ", dtype, " of ", rank, " dimensions"));
    }
    Tensor x = zeros(shape, dtype);
    const auto fill = [&](auto to, const auto& typed) {
      if (tensor.has_raw_data() && tensor.raw_data().size() == to.size_bytes()) {
        std::memcpy(to.data(), tensor.raw_data().data(), to.size_bytes());
      } else if (static_cast<std::size_t>(typed.size()) == to.size()) {
        std::copy(typed.begin(), typed.end(), to.begin());
      } else {
        refuse(node, message("with '", tensor.name(), "', whose elements are not in the file"));
      }
    };
    dtype == int64 ? fill(x.data<std::int64_t>(), tensor.int64_data()) : fill(x.data<float>(), tensor.float_data());
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

  /// A layer with this weight, and a bias where it is defined.
  template <class Layer>
  void push(const onnx::NodeProto& node, Layer layer, const Tensor& weight, const Tensor& bias) {
    if (bias.defined() && bias.numel() != weight.size(0)) refuse(node, "with a bias of another size");
    layer.weight.copy_(weight);
    if (bias.defined()) layer.bias.copy_(bias);
    push(node, std::move(layer), 1);
  }

  void add(const onnx::NodeProto& node) {
    const std::string& op = node.op_type();
    if (op == "Gemm" || op == "MatMul") return linear(node);
    if (op == "Conv") return convolution(node);
    if (op == "MaxPool" || op == "AveragePool") return pool(node);
    if (op == "GlobalAveragePool") return push(node, AdaptiveAvgPool1d(1));
    if (op == "BatchNormalization") return batch_norm(node);
    if (op == "LayerNormalization") return layer_norm(node);
    if (op == "Relu") return push(node, ReLU());
    if (op == "LeakyRelu") return push(node, LeakyReLU(static_cast<double>(real(node, "alpha", 0.01f))));
    if (op == "Elu") return push(node, ELU(static_cast<double>(real(node, "alpha", 1))));
    if (op == "Clip") return clip(node);
    if (op == "Sigmoid") return sigmoid(node);
    if (op == "Tanh") return push(node, Tanh());
    if (op == "Softplus") return push(node, Softplus());
    if (op == "Softmax") return push(node, Softmax(integer(node, "axis", -1)));
    if (op == "LogSoftmax") return push(node, LogSoftmax(integer(node, "axis", -1)));
    if (op == "Div" && gelu(node)) return;
    if (op == "Identity" || op == "Dropout") return;
    if (op == "Flatten" && integer(node, "axis", 1) == 1) return push(node, Flatten());
    if (op == "Reshape") return reshape(node);
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
    Generator unused(0);
    push(node, Linear(weight.size(1), weight.size(0), {.bias = bias.defined()}, unused), weight, bias);
  }

  void convolution(const onnx::NodeProto& node) {
    const Tensor weight = constant(node, 1, 3), bias = node.input_size() > 2 ? constant(node, 2, 1) : Tensor();
    const std::int64_t groups = integer(node, "group", 1), dilation = only(node, "dilations", 1);
    const std::int64_t stride = only(node, "strides", 1), all = dilation * (weight.size(2) - 1);
    const bool same = stride == 1 && all % 2 == 1 && pads(node) == Pads(all / 2, all - all / 2);
    const Padding padding = same ? Padding("same") : Padding(same_pads(node));
    Generator unused(0);
    Conv1d layer(weight.size(1) * groups, weight.size(0), weight.size(2),
                 {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups, .bias = bias.defined()},
                 unused);
    push(node, std::move(layer), weight, bias);
  }

  void pool(const onnx::NodeProto& node) {
    const std::int64_t kernel = only(node, "kernel_shape", 0), stride = only(node, "strides", 1);
    const std::int64_t padding = same_pads(node), dilation = only(node, "dilations", 1);
    const bool ceil = integer(node, "ceil_mode", 0) != 0;
    if (node.op_type() == "MaxPool") {
      return push(node,
                  MaxPool1d(kernel, {.stride = stride, .padding = padding, .dilation = dilation, .ceil_mode = ceil}));
    }
    const bool count = integer(node, "count_include_pad", 0) != 0;
    push(node,
         AvgPool1d(kernel, {.stride = stride, .padding = padding, .ceil_mode = ceil, .count_include_pad = count}));
  }

  void layer_norm(const onnx::NodeProto& node) {
    const Tensor weight = constant(node, 1, -1);
    if (integer(node, "axis", -1) != -weight.dim()) refuse(node, "over other dimensions than the weight has");
    LayerNorm norm(weight.shape(), {.eps = eps(node)});
    norm.weight.copy_(weight);
    if (node.input_size() > 2) norm.bias.copy_(constant(node, 2, weight.dim()));
    push(node, std::move(norm), 1);
  }

  void clip(const onnx::NodeProto& node) {
    const float low = constant(node, 1, 0).item<float>(), high = constant(node, 2, 0).item<float>();
    push(node, Hardtanh(static_cast<double>(low), static_cast<double>(high)));
  }

  /// Alone, or as x sigmoid(x).
  void sigmoid(const onnx::NodeProto& node) {
    if (!next_is("Mul") || !has_second(graph_.node(i_), node.input(0))) return push(node, Sigmoid());
    take();
    push(node, SiLU());
  }

  void reshape(const onnx::NodeProto& node) {
    const Tensor sizes = constant(node, 1, 1, int64);
    const auto extents = std::as_const(sizes).data<std::int64_t>();
    Shape row;
    for (std::size_t i = 1; i < extents.size(); ++i) row.push_back(extents[i]);
    if (row.empty() || extents[0] != 0) refuse(node, "that does not leave the batch as it is");
    push(node, Flatten());
    push(node, Unflatten(1, row));
  }

  /// 1e-5 in the file is the float beside it.
  double eps(const onnx::NodeProto& node) const {
    char text[32];
    char* const end = std::to_chars(text, text + sizeof text, real(node, "epsilon", 1e-5f)).ptr;
    return std::stod(std::string(text, end));
  }

  void batch_norm(const onnx::NodeProto& node) {
    const Tensor mean = constant(node, 3, 1);
    for (const int i : {1, 2, 4}) {
      if (constant(node, i, 1).numel() != mean.numel()) refuse(node, "with constants of different sizes");
    }
    BatchNorm1d norm(mean.numel(), {.eps = eps(node)});
    norm.weight.copy_(constant(node, 1, 1));
    norm.bias.copy_(constant(node, 2, 1));
    norm.running_mean.copy_(mean);
    norm.running_var.copy_(constant(node, 4, 1));
    push(node, std::move(norm), 1);
  }

  /// x (1 + erf(x / sqrt(2))) / 2, of which Div is the first. False where it is something else.
  bool gelu(const onnx::NodeProto& div) {
    for (const char* op : {"Erf", "Add", "Mul", "Mul"}) {
      if (!next_is(op)) return false;
      take();
    }
    if (!has_second(graph_.node(i_ - 2), div.input(0))) return false;
    push(div, GELU());
    return true;
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
  throw_if<FileError>(bytes.size() > INT_MAX ||
                          !model.ParseFromArray(detail::Bytes(bytes).data(), static_cast<int>(bytes.size())) ||
                          !model.has_graph(),
                      "load_onnx: '", path, "' is not an ONNX model");
  const NoGradGuard no_grad;
  return Loader(model.graph(), path).run();
}

}  // namespace gradus::nn
