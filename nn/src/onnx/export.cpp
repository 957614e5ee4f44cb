// A net as an ONNX model.
#include "frozen/program.hpp"
#include "io/file.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/core/create.hpp>
#include <gradus/nn/activation.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/onnx.hpp>

#include <onnx/onnx_pb.h>

#include <numbers>

namespace gradus::nn {

using detail::message;

namespace {

constexpr int ir_version = 7, operator_set = 13;

class Exporter {
 public:
  Exporter(onnx::GraphProto& graph, const Shape& row) : graph_(graph), x_(zeros(batch_of(row))) {
    describe(*graph.add_input(), last_);
  }

  /// Adds the operators of `module`, which frozen::freeze has found to have some.
  void add(const std::string& path, Module& module) {
    path_ = path;
    const Shape before = x_.shape();
    if (dynamic_cast<Sequential*>(&module)) {
      for (const auto& [name, child] : module.named_children()) add(path.empty() ? name : path + "." + name, *child);
      return;
    }
    x_ = module.forward(x_);
    if (const auto* layer = dynamic_cast<Linear*>(&module)) {
      linear(*layer, before.rank());
    } else if (const auto* norm = dynamic_cast<BatchNorm1d*>(&module)) {
      batch_norm(*norm);
    } else if (const auto* leaky = dynamic_cast<LeakyReLU*>(&module)) {
      attribute(node("LeakyRelu"), "alpha", static_cast<float>(leaky->negative_slope));
    } else if (const auto* softmax = dynamic_cast<Softmax*>(&module)) {
      attribute(node("Softmax"), "axis", softmax->dim);
    } else if (const auto* log_softmax = dynamic_cast<LogSoftmax*>(&module)) {
      attribute(node("LogSoftmax"), "axis", log_softmax->dim);
    } else if (dynamic_cast<GELU*>(&module)) {
      gelu();
    } else if (dynamic_cast<ReLU*>(&module)) {
      node("Relu");
    } else if (dynamic_cast<Sigmoid*>(&module) || dynamic_cast<Tanh*>(&module) || dynamic_cast<Softplus*>(&module)) {
      node(module.name());
    } else if (x_.shape() != before) {
      reshape();
    }
  }

  void finish() {
    path_ = "output";
    if (graph_.node_size() == 0) node("Identity");
    graph_.mutable_node(graph_.node_size() - 1)->set_output(0, "output");
    describe(*graph_.add_output(), "output");
  }

 private:
  static Shape batch_of(Shape row) {
    row.insert(0, 2);
    return row;
  }

  /// The next operator; takes the output of the last one.
  onnx::NodeProto& node(const std::string& op) {
    onnx::NodeProto& made = *graph_.add_node();
    made.set_op_type(op);
    const std::string name = message(path_.empty() ? "net" : path_, ":", op, ":", graph_.node_size());
    made.set_name(name);
    made.add_input(last_);
    made.add_output(name);
    last_ = name;
    return made;
  }
  static void attribute(onnx::NodeProto& to, const char* name, float value) {
    onnx::AttributeProto& a = *to.add_attribute();
    a.set_name(name);
    a.set_type(onnx::AttributeProto::FLOAT);
    a.set_f(value);
  }
  static void attribute(onnx::NodeProto& to, const char* name, std::int64_t value) {
    onnx::AttributeProto& a = *to.add_attribute();
    a.set_name(name);
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(value);
  }

  /// A constant under its name in the state_dict.
  std::string constant(const std::string& own, const Tensor& x) {
    const std::string name = path_.empty() ? own : path_ + "." + own;
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

  void linear(const Linear& layer, int rank) {
    const std::string weight = constant("weight", layer.weight);
    const std::string bias = layer.bias.defined() ? constant("bias", layer.bias) : "";
    if (rank == 2) {
      onnx::NodeProto& gemm = node("Gemm");
      gemm.add_input(weight);
      if (!bias.empty()) gemm.add_input(bias);
      return attribute(gemm, "transB", std::int64_t{1});
    }
    onnx::NodeProto& product = node("MatMul");
    product.add_input(constant("weight_transposed", layer.weight.t()));
    if (!bias.empty()) node("Add").add_input(bias);
  }

  void batch_norm(const BatchNorm1d& norm) {
    onnx::NodeProto& n = node("BatchNormalization");
    n.add_input(constant("weight", norm.weight.defined() ? Tensor(norm.weight) : ones({norm.num_features()})));
    n.add_input(constant("bias", norm.bias.defined() ? Tensor(norm.bias) : zeros({norm.num_features()})));
    n.add_input(constant("running_mean", norm.running_mean));
    n.add_input(constant("running_var", norm.running_var));
    attribute(n, "epsilon", static_cast<float>(norm.options().eps));
  }

  /// x (1 + erf(x / sqrt(2))) / 2, as PyTorch exports it.
  void gelu() {
    const std::string x = last_;
    node("Div").add_input(constant("sqrt2", full({}, std::numbers::sqrt2)));
    node("Erf");
    node("Add").add_input(constant("one", ones({})));
    node("Mul").add_input(x);
    node("Mul").add_input(constant("half", full({}, 0.5)));
  }

  void reshape() {
    Tensor shape = zeros({x_.dim()}, int64);
    for (int i = 1; i < x_.dim(); ++i) shape.data<std::int64_t>()[static_cast<std::size_t>(i)] = x_.size(i);
    if (x_.dim() == 2) return attribute(node("Flatten"), "axis", std::int64_t{1});
    node("Reshape").add_input(constant("shape", shape));  // 0: as in the input, the batch
  }

  /// The name and the shape of what goes in or comes out, with a batch of any size.
  void describe(onnx::ValueInfoProto& value, const std::string& name) {
    value.set_name(name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("batch");
    for (int i = 1; i < x_.dim(); ++i) type.mutable_shape()->add_dim()->set_dim_value(x_.size(i));
  }

  onnx::GraphProto& graph_;
  Tensor x_;  // of the shape that has been reached
  std::string last_ = "input", path_;
};

}  // namespace

void export_onnx(const Module& net, const std::string& path, const OnnxOptions& options) {
  const Shape row = options.row.empty() ? frozen::row_of(net, "export_onnx") : options.row;
  frozen::freeze(net, row, "export_onnx");  // refuses what cannot be exported
  const NoGradGuard no_grad;
  onnx::ModelProto model;
  model.set_ir_version(ir_version);
  model.set_producer_name("gradus");
  model.add_opset_import()->set_version(operator_set);
  model.mutable_graph()->set_name(options.name);
  Exporter exporter(*model.mutable_graph(), row);
  exporter.add("", const_cast<Module&>(net));
  exporter.finish();

  const std::string bytes = model.SerializeAsString();
  detail::AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace gradus::nn
