#include "frozen/builder.hpp"

#include "tensor/message.hpp"

#include <gradus/core/create.hpp>
#include <gradus/nn/batch_norm.hpp>

#include <cmath>

namespace gradus::nn::frozen {

using gradus::detail::message;

void Builder::enter(const std::string& name, Module& module) {
  name_ = name;
  module_ = &module;
}

void Builder::push(std::variant<Product, Norm, Activation, Softmax, Pool, Transpose, Pad> work, std::int64_t out) {
  const std::int64_t in = program_.steps.empty() ? numel(program_.in) : program_.steps.back().out;
  program_.steps.push_back({std::move(work), "", in, out});
  note();
}

void Builder::note() {
  std::string& layers = program_.steps.back().layers;
  layers += message(layers.empty() ? "" : ", ", name_, name_.empty() ? "" : " ", module_->name());
}

/// Makes the row lie as (L, C) or as (C, L), if it does not, and if that is not the same.
void Builder::set_layout(bool channels_last) {
  if (channels_last_ == channels_last) return;
  channels_last_ = channels_last;
  if (shape_.rank() != 2 || shape_[0] == 1 || shape_[1] == 1) return;
  const std::int64_t channels = shape_[0], length = shape_[1];
  push(channels_last ? Transpose{channels, length} : Transpose{length, channels}, size());
}

std::vector<double> Builder::finite(const Tensor& x, const char* what) const {
  const Tensor wide = x.detach().to(float64);
  const auto values = wide.data<double>();
  for (const double v : values) {
    if (!std::isfinite(static_cast<float>(v))) refuse_layer(message("has a ", what, " that is not finite: ", v));
  }
  return {values.begin(), values.end()};
}

// --- products

namespace {

/// Whether the norm may become part of the product behind it. Where means are far from 0 for their deviations, x - mean
/// has digits that the sum of the folded product would lose.
bool folds_into(const Norm& norm, const Product& product, std::int64_t row) {
  if (product.rows > 1 && product.stride % static_cast<std::int64_t>(norm.mean.size()) != 0) return false;
  if (product.rows == 1 && product.inputs != row) return false;
  double squares = 0;
  for (std::size_t i = 0; i < norm.mean.size(); ++i) squares += std::pow(norm.mean[i] * norm.scale[i], 2);
  return squares <= static_cast<double>(norm.mean.size());
}

void fold(const Norm& norm, Product& product) {
  const std::size_t inputs = static_cast<std::size_t>(product.inputs);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    for (std::size_t i = 0; i < inputs; ++i) {
      const std::size_t c = i % norm.mean.size();
      double& w = product.weight[o * inputs + i];
      product.bias[o] += w * (norm.shift[c] - norm.mean[c] * norm.scale[c]);
      w *= norm.scale[c];
    }
  }
}

void fold(Product& product, const Norm& norm) {
  const std::size_t inputs = static_cast<std::size_t>(product.inputs);
  for (std::size_t o = 0; o < product.bias.size(); ++o) {
    for (std::size_t i = 0; i < inputs; ++i) product.weight[o * inputs + i] *= norm.scale[o];
    product.bias[o] = (product.bias[o] - norm.mean[o]) * norm.scale[o] + norm.shift[o];
  }
}

}  // namespace

void Builder::push_product(Product product) {
  const std::int64_t out = product.rows * product.outputs;
  const Norm* before = last<Norm>();
  if (before && folds_into(*before, product, program_.steps.back().in)) {
    fold(*before, product);
    Step& step = program_.steps.back();
    step.work = std::move(product);
    step.out = out;
    note();
  } else {
    push(std::move(product), out);
  }
}

void Builder::linear(const Linear& layer) {
  set_layout(false);
  const std::int64_t inputs = layer.in_features(), outputs = layer.out_features(), features = shape_[shape_.rank() - 1];
  if (features != inputs) refuse_layer(message("takes ", inputs, " features, a row of ", shape_, " has ", features));
  if (outputs == 0) refuse_layer("has no outputs");
  if (layer.rows_only() && shape_.rank() > 1) refuse_layer("holds a BatchNorm1d and takes rows of one dimension");
  Product product{.rows = size() / inputs, .stride = inputs, .inputs = inputs, .outputs = outputs};
  product.weight = finite(layer.weight, "weight");
  product.bias.resize(static_cast<std::size_t>(outputs));
  if (layer.bias.defined()) product.bias = finite(layer.bias, "bias");
  push_product(std::move(product));
  shape_[shape_.rank() - 1] = outputs;
}

// --- windows, with the channels last: what a window sees lies together

std::int64_t Builder::slide(const Window& window) const {
  if (shape_.rank() != 2) refuse_layer(message("takes rows of (C, L), got ", shape_));
  const std::int64_t reach = (window.size - 1) * window.dilation + 1, length = shape_[1] + window.before + window.after;
  if (length < reach) refuse_layer(message("has a window of ", reach, ", longer than a row of ", shape_));
  return (length - reach) / window.stride + 1;
}

void Builder::convolution(const Window& window, const Tensor& weight, const Tensor& bias, std::int64_t groups) {
  const std::int64_t positions = slide(window), channels = shape_[0], outputs = weight.size(0);
  if (channels != weight.size(1) * groups) refuse_layer(message("takes other channels than a row of ", shape_, " has"));
  set_layout(true);
  if (window.before + window.after > 0) {
    push(Pad{window.before * channels, window.after * channels}, size() + (window.before + window.after) * channels);
  }
  const std::int64_t reach = (window.size - 1) * window.dilation + 1, part = weight.size(1);
  Product product{
      .rows = positions, .stride = window.stride * channels, .inputs = reach * channels, .outputs = outputs};
  product.weight.resize(static_cast<std::size_t>(outputs * product.inputs));
  product.bias.resize(static_cast<std::size_t>(outputs));
  if (bias.defined()) product.bias = finite(bias, "bias");
  const std::vector<double> w = finite(weight, "weight");  // (outputs, part, window)
  for (std::int64_t i = 0; i < weight.numel(); ++i) {
    const std::int64_t o = i / (part * window.size), c = i / window.size % part, k = i % window.size;
    const std::int64_t channel = o / (outputs / groups) * part + c;
    const std::int64_t column = k * window.dilation * channels + channel;
    product.weight[static_cast<std::size_t>(o * product.inputs + column)] = w[static_cast<std::size_t>(i)];
  }
  push_product(std::move(product));
  shape_ = {outputs, positions};
}

void Builder::pool(const Window& window, bool max, bool count_padding) {
  const std::int64_t positions = slide(window);
  set_layout(true);
  const Pool pool{.length = shape_[1],
                  .channels = shape_[0],
                  .out_length = positions,
                  .kernel = window.size,
                  .stride = window.stride,
                  .padding = window.before,
                  .max = max,
                  .count_padding = count_padding};
  push(pool, positions * shape_[0]);
  shape_[1] = positions;
}

// --- BatchNorm1d

void Builder::norm(const BatchNorm1d& layer) {
  if (shape_.rank() > 2 || shape_[0] != layer.num_features()) {
    refuse_layer(
        message("takes rows of (", layer.num_features(), ") or (", layer.num_features(), ", L), got ", shape_));
  }
  const std::size_t channels = static_cast<std::size_t>(shape_[0]);
  Norm norm{finite(layer.running_mean, "running_mean"), std::vector<double>(channels, 1),
            std::vector<double>(channels)};
  if (layer.weight.defined()) norm.scale = finite(layer.weight, "weight");
  if (layer.bias.defined()) norm.shift = finite(layer.bias, "bias");
  const Tensor var = layer.running_var.to(float64);
  for (std::size_t c = 0; c < channels; ++c) {
    const double v = std::as_const(var).data<double>()[c];
    if (!(v + layer.options().eps >= 0)) {
      refuse_layer(message("has a running_var that is negative or NaN, in channel ", c,
                           "\nits file or the training before was broken: recalibrate, or reset_running_stats"));
    }
    norm.scale[c] /= std::sqrt(v + layer.options().eps);
    if (!std::isfinite(static_cast<float>(norm.scale[c]))) {
      refuse_layer(message("has a running_var of ", v, " in channel ", c, ": the scale would not be finite"));
    }
  }
  Product* product = last<Product>();
  const bool column_per_channel = shape_.rank() == 1 || channels_last_;
  if (product && product->then.function == Function::none && column_per_channel) {
    fold(*product, norm);
    return note();
  }
  if (shape_.rank() == 2 && !channels_last_) {  // each constant once for every element of its channel
    for (std::vector<double>* values : {&norm.mean, &norm.scale, &norm.shift}) {
      std::vector<double> repeated;
      for (const double v : *values) repeated.insert(repeated.end(), static_cast<std::size_t>(shape_[1]), v);
      *values = std::move(repeated);
    }
  }
  push(std::move(norm), size());
}

// --- the rest

void Builder::activation(const Activation& activation) {
  Product* product = last<Product>();
  const bool ends_product = activation.function <= Function::leaky_relu;
  if (product && product->then.function == Function::none && ends_product) {
    product->then = activation;
    return note();
  }
  push(activation, size());
}

void Builder::softmax(std::int64_t dim, bool log) {
  const std::int64_t rank = shape_.rank() + 1, along = dim < 0 ? dim + rank : dim;
  if (along < 0 || along >= rank)
    refuse_layer(message("has dim ", dim, ", a batch of such rows ", rank, " dimensions"));
  if (along == 0) refuse_layer("runs over the batch: a row alone has none");
  if (along != rank - 1 && rank != 3) refuse_layer(message("runs over dimension ", dim, " of ", rank));
  set_layout(along != rank - 1);
  const std::int64_t extent = shape_[static_cast<int>(along) - 1];
  push(Softmax{size() / extent, extent, log}, size());
}

void Builder::reshape(Module& layer) {
  Shape batch{2};
  for (int i = 0; i < shape_.rank(); ++i) batch.push_back(shape_[i]);
  Shape after = layer.forward(zeros(batch)).shape();
  if (after.rank() < 2 || after[0] != 2) refuse_layer("mixes the rows of a batch");
  set_layout(false);
  after.erase(0);
  shape_ = after;
}

Program Builder::finish() {
  set_layout(false);
  program_.out = shape_;
  for (const Step& step : program_.steps) {
    const auto* product = std::get_if<Product>(&step.work);
    if (!product) continue;
    for (const std::vector<double>* values : {&product->weight, &product->bias}) {
      for (const double v : *values) {
        if (std::isfinite(static_cast<float>(v))) continue;
        throw ValueError(message(caller_, ": (", step.layers, ") as one product has weights beyond float32"));
      }
    }
  }
  return std::move(program_);
}

}  // namespace gradus::nn::frozen
