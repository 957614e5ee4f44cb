#include "frozen/machine.hpp"
#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>

#include <algorithm>
#include <cmath>

namespace gradus::nn::frozen {

using gradus::detail::message, gradus::detail::throw_if;

namespace {

bool is_matrix(const Shape& row) { return row.rank() == 2 && row[0] > 1 && row[1] > 1; }

// --- what one product does as well as the step beside it did; norms: Jacob et al. 2018, section 3.2

/// Whether the norm of a row of `row` elements may become part of the product behind it. Where means are far from 0 for
/// their deviations, x - mean has digits that the sum of the folded product would lose.
bool folds_into(const Norm& norm, const Product& product, std::int64_t row) {
  const std::int64_t channels = static_cast<std::int64_t>(norm.mean.size());
  const bool whole_row = product.rows == 1 && product.inputs == row;
  const bool same_in_every_row = norm.each == 1 && product.stride % channels == 0;
  if (product.groups > 1 || !(whole_row || same_in_every_row)) return false;
  double squares = 0;
  for (std::size_t c = 0; c < norm.mean.size(); ++c) squares += std::pow(norm.mean[c] * norm.scale[c], 2);
  return squares <= static_cast<double>(channels);
}

/// Norm before product.
void fold(const Norm& norm, Product& product) {
  const auto inputs = static_cast<std::size_t>(product.inputs), each = static_cast<std::size_t>(norm.each);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    for (std::size_t i = 0; i < inputs; ++i) {
      const std::size_t c = i / each % norm.mean.size();
      double& w = product.weight[o * inputs + i];
      product.bias[o] += w * (norm.shift[c] - norm.mean[c] * norm.scale[c]);
      w *= norm.scale[c];
    }
  }
}

/// Norm behind product, a channel for each output.
void fold(Product& product, const Norm& norm) {
  const auto inputs = static_cast<std::size_t>(product.inputs);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    for (std::size_t i = 0; i < inputs; ++i) product.weight[o * inputs + i] *= norm.scale[o];
    product.bias[o] = (product.bias[o] - norm.mean[o]) * norm.scale[o] + norm.shift[o];
  }
}

/// Of the whole row, before product.
void fold(const Transpose& t, Product& product) {
  const std::vector<double> before = product.weight;
  const auto rows = static_cast<std::size_t>(t.rows), columns = static_cast<std::size_t>(t.columns);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    const std::size_t first = o * rows * columns;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        product.weight[first + i * columns + j] = before[first + j * rows + i];
      }
    }
  }
}

/// Builds a Program layer by layer: keeps the layout of the row, folds BatchNorm and activations.
class Builder {
 public:
  Builder(const Shape& row, const char* caller) : caller_(caller) { program_.in = row; }

  void add(const Layer& layer) {
    layer_ = &layer;
    std::visit([this](const auto& what) { add(what); }, layer.what);
  }

  Program finish(const Shape& out) {
    Layer end{"", "output", Reshape{}, out, out};
    add(end);
    program_.out = out;
    for (const Step& step : program_.steps) {
      const auto* product = std::get_if<Product>(&step.work);
      if (!product) continue;
      const auto too_large = [](double v) { return !std::isfinite(static_cast<float>(v)); };
      throw_if<ValueError>(
          std::ranges::any_of(product->weight, too_large) || std::ranges::any_of(product->bias, too_large), caller_,
          ": (", step.layers, ") as one product has weights beyond float32");
    }
    return std::move(program_);
  }

 private:
  std::int64_t size() const { return program_.steps.empty() ? numel(program_.in) : program_.steps.back().out; }
  template <class W>
  W* last() {
    return program_.steps.empty() ? nullptr : std::get_if<W>(&program_.steps.back().work);
  }
  [[noreturn]] void refuse_layer(const std::string& why) const { refuse(caller_, layer_->name, layer_->type, why); }

  // --- the list of steps

  std::string label() const { return message(layer_->name, layer_->name.empty() ? "" : " ", layer_->type); }

  void push(Work work, std::int64_t out) { program_.steps.push_back({std::move(work), label(), size(), out}); }

  /// Names the layer in the last step, of which it is now a part.
  void note() { program_.steps.back().layers += ", " + label(); }

  /// Makes the row lie as (L, C) or as (C, L), if it does not, and if that is not the same.
  void set_layout(bool channels_last) {
    const bool was = std::exchange(channels_last_, channels_last);
    const Shape& row = layer_->before;
    if (was == channels_last || !is_matrix(row)) return;
    const std::int64_t channels = row[0], length = row[1];
    const Transpose transpose = channels_last ? Transpose{channels, length} : Transpose{length, channels};
    Norm* norm = last<Norm>();
    const std::int64_t each = channels_last ? length : 1, each_then = channels_last ? 1 : length;
    if (norm && std::ssize(norm->mean) == channels && norm->each == each) {  // stays last: a product may take it
      norm->each = each_then;
      program_.steps.insert(program_.steps.end() - 1, {transpose, "layout", size(), size()});
    } else {
      program_.steps.push_back({transpose, "layout", size(), size()});
    }
  }

  std::vector<double> finite(const Tensor& x, const char* what) const {
    const Tensor wide = x.detach().to(float64);
    const auto values = wide.data<double>();
    for (const double v : values) {
      if (!std::isfinite(static_cast<float>(v))) refuse_layer(message("has a ", what, " that is not finite: ", v));
    }
    return {values.begin(), values.end()};
  }

  std::vector<double> finite_or(const Tensor& x, const char* what, std::int64_t count, double otherwise) const {
    return x.defined() ? finite(x, what) : std::vector<double>(static_cast<std::size_t>(count), otherwise);
  }

  // --- products

  /// Takes what the product can do besides.
  void absorb_last_step(Product& product, std::string& layers) {
    const bool whole_row = product.rows == 1 && product.inputs == size();
    const Norm* norm = last<Norm>();
    const Transpose* transpose = last<Transpose>();
    if (norm && folds_into(*norm, product, size())) {
      fold(*norm, product);
      layers = program_.steps.back().layers + ", " + layers;
    } else if (transpose && whole_row) {
      fold(*transpose, product);
    } else {
      return;
    }
    program_.steps.pop_back();
    absorb_last_step(product, layers);
  }

  void push_product(Product product) {
    std::string layers = label();
    absorb_last_step(product, layers);
    const std::int64_t out = product.rows * product.groups * product.outputs;
    program_.steps.push_back({std::move(product), layers, size(), out});
  }

  void add(const Linear* linear) {
    if (linear->rows_only() && layer_->before.rank() > 1) {
      refuse_layer("holds a BatchNorm1d and takes rows of one dimension");
    }
    set_layout(false);
    const std::int64_t inputs = linear->in_features(), outputs = linear->out_features();
    Product product{.rows = size() / inputs, .stride = inputs, .inputs = inputs, .outputs = outputs};
    product.weight = finite(linear->weight, "weight");
    product.bias = finite_or(linear->bias, "bias", outputs, 0);
    push_product(std::move(product));
  }

  /// With the channels last: what a window sees lies together, or is brought together when it has gaps or groups.
  void add(const Conv1d* conv) {
    const Conv1dOptions& o = conv->options();
    const std::int64_t kernel = conv->weight.size(2), part = conv->weight.size(1), channels = part * o.groups;
    const std::int64_t outputs = conv->weight.size(0), positions = layer_->after[1];
    const std::int64_t padding = o.padding.same() ? o.dilation * (kernel - 1) : 2 * o.padding.size();
    set_layout(true);
    if (padding > 0) {
      const std::int64_t before = padding / 2;
      push(Pad{before * channels, (padding - before) * channels}, size() + padding * channels);
    }
    Product product{.rows = positions,
                    .stride = o.stride * channels,
                    .inputs = kernel * part,
                    .outputs = outputs / o.groups,
                    .groups = o.groups};
    if (o.groups > 1 || (o.dilation > 1 && kernel > 1)) {
      push(Patches{positions, o.stride, kernel, o.dilation, channels, o.groups}, o.groups * positions * product.inputs);
      product.stride = product.inputs;
    }
    product.bias = finite_or(conv->bias, "bias", outputs, 0);
    product.weight = finite(conv->weight.transpose(1, 2), "weight");  // (outputs, kernel, part)
    push_product(std::move(product));
  }

  // --- norms

  void add(const BatchNorm1d* layer) {
    const std::int64_t channels = layer->num_features();
    Norm norm{finite(layer->running_mean, "running_mean"), finite_or(layer->weight, "weight", channels, 1),
              finite_or(layer->bias, "bias", channels, 0), 1};
    if (layer_->before.rank() == 2 && !channels_last_) norm.each = layer_->before[1];
    const Tensor var = layer->running_var.to(float64);
    for (std::size_t c = 0; c < norm.mean.size(); ++c) {
      const double v = std::as_const(var).data<double>()[c];
      norm.scale[c] /= std::sqrt(v + layer->options().eps);
      if (!std::isfinite(static_cast<float>(norm.scale[c]))) {
        refuse_layer(message("has a running_var of ", v, " in channel ", c, ": the scale would not be finite"));
      }
    }
    Product* product = last<Product>();
    const bool column_per_channel = channels_last_ || (layer_->before.rank() == 1 && product && product->rows == 1);
    if (product && product->then.function == Function::none && column_per_channel) {
      fold(*product, norm);
      return note();
    }
    push(std::move(norm), size());
  }

  void add(const LayerNorm* norm) {
    set_layout(false);
    const std::int64_t features = numel(norm->normalized_shape());
    push(RowNorm{finite_or(norm->weight, "weight", features, 1), finite_or(norm->bias, "bias", features, 0),
                 norm->options().eps},
         size());
  }

  // --- the rest

  void add(const Activation& activation) {
    Product* product = last<Product>();
    const bool ends_product = activation.function <= Function::leaky_relu;
    if (product && product->then.function == Function::none && ends_product) {
      product->then = activation;
      return note();
    }
    push(activation, size());
  }

  void add(const SoftmaxOver& softmax) {
    const Shape& row = layer_->before;
    if (softmax.dim == 0) refuse_layer("runs over the batch: a row alone has none");
    if (softmax.dim != row.rank() && row.rank() != 2) {
      refuse_layer(message("runs over dimension ", softmax.dim, " of ", row.rank() + 1, "\nmake it the last"));
    }
    set_layout(softmax.dim != row.rank());
    const std::int64_t extent = row[static_cast<int>(softmax.dim) - 1];
    push(Softmax{size() / extent, extent, softmax.log}, size());
  }

  void add(const Pooling& pooling) {
    if (layer_->before.rank() != 2) refuse_layer(message("takes rows of (C, L), got ", layer_->before));
    set_layout(true);
    push(Pool{pooling.windows, layer_->before[0], pooling.max}, numel(layer_->after));
  }

  void add(const Reshape&) { set_layout(false); }

  const char* caller_;
  Program program_;
  const Layer* layer_ = nullptr;
  bool channels_last_ = false;  // (C, L) lies in memory as (L, C)
};

// --- from modules to steps

/// A forward function that looks at numbers or shapes may take another way than the one that was traced.
void compare(const Module& net, const Program& program, const char* caller) {
  const Tensor x = batch_of(program.in, net, true).narrow(0, 1, 2) * -3;
  const Tensor y = net(x).to(float32), rows = x.to(float32);
  const auto in = rows.data<float>(), expected = y.data<float>();
  const auto width = static_cast<std::size_t>(numel(program.in));
  std::vector<float> got;
  for (std::size_t r = 0; r < in.size(); r += width) {
    const std::vector<float> row = evaluate(program, in.subspan(r, width));
    got.insert(got.end(), row.begin(), row.end());
  }
  for (std::size_t i = 0; i < got.size(); ++i) {
    const float bound = 1e-3f * (1 + std::abs(expected[i]));
    if (std::abs(got[i] - expected[i]) <= bound || got[i] == expected[i] || std::isnan(expected[i])) continue;
    refuse(caller, "", net.name(), "computes something else than its layers one behind the other\nuse a Sequential");
  }
}

}  // namespace

Program freeze(const Module& net, const Shape& row, const char* caller) {
  const NoGradGuard no_grad;
  const Layers layers = layers_of(net, row, caller);
  Builder builder(layers.in, caller);
  for (const Layer& layer : layers.list) builder.add(layer);
  Program program = builder.finish(layers.out);
  if (layers.traced) compare(net, program, caller);
  return program;
}

}  // namespace gradus::nn::frozen
