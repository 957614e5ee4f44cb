// A net as an ONNX model.
#include "frozen/program.hpp"
#include "io/file.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/nn/onnx.hpp>

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <numbers>
#include <set>

namespace gradus::nn {

using detail::message;

namespace {

constexpr int ir_version = 8, operator_set = 17;

using Integers = std::vector<std::int64_t>;

void attribute(onnx::NodeProto& to, const char* name, const std::variant<float, std::int64_t, Integers>& value) {
  onnx::AttributeProto& a = *to.add_attribute();
  a.set_name(name);
  if (const float* f = std::get_if<float>(&value)) {
    a.set_type(onnx::AttributeProto::FLOAT);
    a.set_f(*f);
  } else if (const std::int64_t* i = std::get_if<std::int64_t>(&value)) {
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(*i);
  } else {
    a.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t v : std::get<Integers>(value)) a.add_ints(v);
  }
}

class Exporter {
 public:
  explicit Exporter(onnx::GraphProto& graph) : graph_(graph) {}

  void run(const frozen::Layers& layers) {
    describe(*graph_.add_input(), last_, layers.in);
    for (const frozen::Layer& layer : layers.list) {
      layer_ = &layer;
      std::visit([this](const auto& what) { add(what); }, layer.what);
    }
    if (layers.list.empty()) node("Identity");
    graph_.mutable_node(graph_.node_size() - 1)->set_output(0, "output");
    describe(*graph_.add_output(), "output", layers.out);
  }

 private:
  std::string path() const { return layer_ ? layer_->name : ""; }

  /// The next operator; takes the output of the last one, and `inputs`.
  onnx::NodeProto& node(const std::string& op, const std::vector<std::string>& inputs = {}) {
    onnx::NodeProto& made = *graph_.add_node();
    made.set_op_type(op);
    const std::string name = message(path().empty() ? "net" : path(), ":", op, ":", graph_.node_size());
    made.set_name(name);
    made.add_input(last_);
    for (const std::string& input : inputs) made.add_input(input);
    made.add_output(name);
    last_ = name;
    return made;
  }

  /// A constant under its name in the state_dict. A layer that is called twice has it once.
  std::string constant(const std::string& own, const Tensor& x) {
    const std::string name = path().empty() ? own : path() + "." + own;
    if (!constants_.insert(name).second) return name;
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(x.dtype() == int64 ? onnx::TensorProto::INT64 : onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : x.shape()) tensor.add_dims(extent);
    const Tensor values = x.dtype() == int64 ? x : x.detach().to(float32);
    visit(values.dtype(), [&]<class T>(T*) {
      const auto data = std::as_const(values).data<T>();
      tensor.set_raw_data(data.data(), data.size_bytes());
    });
    return name;
  }
  /// One that no layer before it has, whatever it is called.
  std::string own_constant(const char* own, const Tensor& x) { return constant(message(own, graph_.node_size()), x); }
  std::string number(const char* own, double value) { return constant(own, full({}, value)); }

  std::vector<std::string> weight_and_bias(const Tensor& weight, const Tensor& bias) {
    std::vector<std::string> names{constant("weight", weight)};
    if (bias.defined()) names.push_back(constant("bias", bias));
    return names;
  }

  // --- layers
  void add(const Linear* linear) {
    if (layer_->before.rank() == 1) {
      return attribute(node("Gemm", weight_and_bias(linear->weight, linear->bias)), "transB", std::int64_t{1});
    }
    node("MatMul", {constant("weight_transposed", linear->weight.t())});
    if (linear->bias.defined()) node("Add", {constant("bias", linear->bias)});
  }

  void add(const Conv1d* conv) {
    const Conv1dOptions& o = conv->options();
    const std::int64_t kernel = conv->weight.size(2);
    const std::int64_t padding = o.padding.same() ? o.dilation * (kernel - 1) : 2 * o.padding.size();
    onnx::NodeProto& n = node("Conv", weight_and_bias(conv->weight, conv->bias));
    attribute(n, "kernel_shape", Integers{kernel});
    attribute(n, "strides", Integers{o.stride});
    attribute(n, "pads", Integers{padding / 2, padding - padding / 2});
    attribute(n, "dilations", Integers{o.dilation});
    attribute(n, "group", o.groups);
  }

  void add(const BatchNorm1d* norm) {
    const Shape c{norm->num_features()};
    onnx::NodeProto& n =
        node("BatchNormalization",
             {constant("weight", norm->weight.defined() ? Tensor(norm->weight) : ones(c)),
              constant("bias", norm->bias.defined() ? Tensor(norm->bias) : zeros(c)),
              constant("running_mean", norm->running_mean), constant("running_var", norm->running_var)});
    attribute(n, "epsilon", static_cast<float>(norm->options().eps));
  }

  void add(const LayerNorm* norm) {
    const Shape& shape = norm->normalized_shape();
    onnx::NodeProto& n = node("LayerNormalization",
                              weight_and_bias(norm->weight.defined() ? Tensor(norm->weight) : ones(shape), norm->bias));
    attribute(n, "axis", std::int64_t{-shape.rank()});
    attribute(n, "epsilon", static_cast<float>(norm->options().eps));
  }

  void add(const frozen::Activation& f) {
    using frozen::Function;
    const auto a = static_cast<float>(f.a);
    const std::string x = last_;
    switch (f.function) {
      case Function::none: break;
      case Function::relu: node("Relu"); break;
      case Function::leaky_relu: attribute(node("LeakyRelu"), "alpha", a); break;
      case Function::hardtanh: node("Clip", {number("min_val", f.a), number("max_val", f.b)}); break;
      case Function::sigmoid: node("Sigmoid"); break;
      case Function::tanh: node("Tanh"); break;
      case Function::gelu:  // x (1 + erf(x / sqrt(2))) / 2, as PyTorch exports it
        node("Div", {number("sqrt2", std::numbers::sqrt2)});
        node("Erf");
        node("Add", {number("one", 1)});
        node("Mul", {x});
        node("Mul", {number("half", 0.5)});
        break;
      case Function::softplus: node("Softplus"); break;
      case Function::elu: attribute(node("Elu"), "alpha", a); break;
      case Function::silu:
        node("Sigmoid");
        node("Mul", {x});
        break;
    }
  }

  void add(const frozen::SoftmaxOver& softmax) {
    attribute(node(softmax.log ? "LogSoftmax" : "Softmax"), "axis", softmax.dim);
  }

  /// A last window that hangs over the end becomes padding. Means whose windows differ are a product.
  void add(const frozen::Pooling& pooling) {
    const Windows& w = pooling.windows;
    const bool adaptive = w.kernel == 0, divides = adaptive && w.length % w.places == 0;
    const std::int64_t kernel = divides ? w.length / w.places : w.kernel, stride = divides ? kernel : w.stride;
    const std::int64_t reach = (kernel - 1) * w.dilation + 1, end = (w.places - 1) * stride + reach - w.padding;
    const std::int64_t after = std::max(w.padding, end - w.length);
    if (!pooling.max && (adaptive ? !divides : w.count_padding && after > w.padding)) return mean_as_product(w);
    if (divides && w.places == 1) return void(node("GlobalAveragePool"));
    onnx::NodeProto& n = node(pooling.max ? "MaxPool" : "AveragePool");
    attribute(n, "kernel_shape", Integers{kernel});
    attribute(n, "strides", Integers{stride});
    attribute(n, "pads", Integers{w.padding, after});
    if (pooling.max) {
      attribute(n, "dilations", Integers{w.dilation});
    } else {
      attribute(n, "count_include_pad", std::int64_t{w.count_padding});
    }
  }

  void mean_as_product(const Windows& windows) {
    Tensor shares = zeros({windows.length, windows.places});
    for (std::int64_t i = 0; i < windows.places; ++i) {
      const Window w = windows[i];
      for (std::int64_t l = w.first; l < w.last; ++l) {
        shares.data<float>()[static_cast<std::size_t>(l * windows.places + i)] = static_cast<float>(1 / w.count);
      }
    }
    node("MatMul", {own_constant("shares", shares)});
  }

  void add(const frozen::Reshape&) {
    const Shape& row = layer_->after;
    if (row.rank() == 1) return attribute(node("Flatten"), "axis", std::int64_t{1});
    Tensor shape = zeros({row.rank() + 1}, int64);  // 0: as in the input, the batch
    for (int i = 0; i < row.rank(); ++i) shape.data<std::int64_t>()[static_cast<std::size_t>(i) + 1] = row[i];
    node("Reshape", {own_constant("shape", shape)});
  }

  /// The name and the shape of what goes in or comes out, with a batch of any size.
  static void describe(onnx::ValueInfoProto& value, const std::string& name, const Shape& row) {
    value.set_name(name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("batch");
    for (const std::int64_t extent : row) type.mutable_shape()->add_dim()->set_dim_value(extent);
  }

  onnx::GraphProto& graph_;
  const frozen::Layer* layer_ = nullptr;
  std::string last_ = "input";
  std::set<std::string> constants_;
};

}  // namespace

void export_onnx(const Module& net, const std::string& path, const OnnxOptions& options) {
  const NoGradGuard no_grad;
  const Shape row = options.row.empty() ? frozen::row_of(net, "export_onnx") : options.row;
  frozen::freeze(net, row, "export_onnx");  // refuses weights that are not finite
  onnx::ModelProto model;
  model.set_ir_version(ir_version);
  model.set_producer_name("gradus");
  model.add_opset_import()->set_version(operator_set);
  model.mutable_graph()->set_name(options.name);
  Exporter(*model.mutable_graph()).run(frozen::layers_of(net, row, "export_onnx"));
  detail::write_file(path, model.SerializeAsString());
}

}  // namespace gradus::nn
