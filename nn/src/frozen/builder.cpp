#include "frozen/builder.hpp"

#include "frozen/fold.hpp"
#include "tensor/message.hpp"

#include <cmath>

namespace gradus::nn::frozen {

using gradus::detail::message;

namespace {

std::size_t unsigned_of(std::int64_t n) { return static_cast<std::size_t>(n); }

bool is_matrix(const Shape& row) { return row.rank() == 2 && row[0] > 1 && row[1] > 1; }

}  // namespace

void Builder::add(const Layer& layer) {
  layer_ = &layer;
  std::visit([this](const auto& what) { add(what); }, layer.what);
}

// --- the list of steps

std::string Builder::label() const { return message(layer_->name, layer_->name.empty() ? "" : " ", layer_->type); }

void Builder::push(Work work, std::int64_t out) { program_.steps.push_back({std::move(work), label(), size(), out}); }

void Builder::note() { program_.steps.back().layers += ", " + label(); }

/// Makes the row lie as (L, C) or as (C, L), if it does not, and if that is not the same.
void Builder::set_layout(bool channels_last) {
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

std::vector<double> Builder::finite(const Tensor& x, const char* what) const {
  const Tensor wide = x.detach().to(float64);
  const auto values = wide.data<double>();
  for (const double v : values) {
    if (!std::isfinite(static_cast<float>(v))) refuse_layer(message("has a ", what, " that is not finite: ", v));
  }
  return {values.begin(), values.end()};
}

std::vector<double> Builder::finite_or(const Tensor& x, const char* what, std::int64_t count, double otherwise) const {
  return x.defined() ? finite(x, what) : std::vector<double>(unsigned_of(count), otherwise);
}

// --- products

/// Takes what the product can do besides.
void Builder::absorb_last_step(Product& product, std::string& layers) {
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

void Builder::push_product(Product product) {
  std::string layers = label();
  absorb_last_step(product, layers);
  const std::int64_t out = product.rows * product.groups * product.outputs;
  program_.steps.push_back({std::move(product), layers, size(), out});
}

void Builder::add(const Linear* linear) {
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
void Builder::add(const Conv1d* conv) {
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

void Builder::add(const BatchNorm1d* layer) {
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

void Builder::add(const LayerNorm* norm) {
  set_layout(false);
  const std::int64_t features = numel(norm->normalized_shape());
  push(RowNorm{finite_or(norm->weight, "weight", features, 1), finite_or(norm->bias, "bias", features, 0),
               norm->options().eps},
       size());
}

// --- the rest

void Builder::add(const Activation& activation) {
  Product* product = last<Product>();
  const bool ends_product = activation.function <= Function::leaky_relu;
  if (product && product->then.function == Function::none && ends_product) {
    product->then = activation;
    return note();
  }
  push(activation, size());
}

void Builder::add(const SoftmaxOver& softmax) {
  const Shape& row = layer_->before;
  if (softmax.dim == 0) refuse_layer("runs over the batch: a row alone has none");
  if (softmax.dim != row.rank() && row.rank() != 2) {
    refuse_layer(message("runs over dimension ", softmax.dim, " of ", row.rank() + 1, "\nmake it the last"));
  }
  set_layout(softmax.dim != row.rank());
  const std::int64_t extent = row[static_cast<int>(softmax.dim) - 1];
  push(Softmax{size() / extent, extent, softmax.log}, size());
}

void Builder::add(const Pooling& pooling) {
  if (layer_->before.rank() != 2) refuse_layer(message("takes rows of (C, L), got ", layer_->before));
  set_layout(true);
  push(Pool{pooling.windows, layer_->before[0], pooling.max}, numel(layer_->after));
}

Program Builder::finish(const Shape& out) {
  Layer end{"", "output", Reshape{}, out, out};
  add(end);
  program_.out = out;
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
