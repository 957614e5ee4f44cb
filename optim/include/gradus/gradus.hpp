// All of gradus, from left to right as its parts build on each other. Only <gradus/core/xtensor.hpp> is not here: it
// brings xtensor along, so a program asks for it by name.
#pragma once

// core: tensors, gradients, data, files
#include <gradus/core/autograd.hpp>
#include <gradus/core/config.hpp>
#include <gradus/core/create.hpp>
#include <gradus/core/csv.hpp>
#include <gradus/core/data.hpp>
#include <gradus/core/dot.hpp>
#include <gradus/core/dtype.hpp>
#include <gradus/core/error.hpp>
#include <gradus/core/function.hpp>
#include <gradus/core/gradcheck.hpp>
#include <gradus/core/index.hpp>
#include <gradus/core/io.hpp>
#include <gradus/core/ops.hpp>
#include <gradus/core/parallel.hpp>
#include <gradus/core/print.hpp>
#include <gradus/core/random.hpp>
#include <gradus/core/shape.hpp>
#include <gradus/core/state_dict.hpp>
#include <gradus/core/table.hpp>
#include <gradus/core/tensor.hpp>
#include <gradus/core/value.hpp>

// nn: layers and losses
#include <gradus/nn/activation.hpp>
#include <gradus/nn/all_reduce.hpp>
#include <gradus/nn/batch_norm.hpp>
#include <gradus/nn/conv.hpp>
#include <gradus/nn/dropout.hpp>
#include <gradus/nn/embedding.hpp>
#include <gradus/nn/export_header.hpp>
#include <gradus/nn/flatten.hpp>
#include <gradus/nn/functional.hpp>
#include <gradus/nn/gradcheck.hpp>
#include <gradus/nn/init.hpp>
#include <gradus/nn/layer_norm.hpp>
#include <gradus/nn/linear.hpp>
#include <gradus/nn/loss.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/nn/onnx.hpp>
#include <gradus/nn/parameter.hpp>
#include <gradus/nn/plan.hpp>
#include <gradus/nn/pooling.hpp>
#include <gradus/nn/sequential.hpp>

// optim: learning
#include <gradus/optim/adagrad.hpp>
#include <gradus/optim/adam.hpp>
#include <gradus/optim/averaged_model.hpp>
#include <gradus/optim/checkpoint.hpp>
#include <gradus/optim/clip_grad.hpp>
#include <gradus/optim/field_list.hpp>
#include <gradus/optim/lr_scheduler.hpp>
#include <gradus/optim/nadam.hpp>
#include <gradus/optim/one_cycle_lr.hpp>
#include <gradus/optim/optimizer.hpp>
#include <gradus/optim/optimizer_with.hpp>
#include <gradus/optim/reduce_lr_on_plateau.hpp>
#include <gradus/optim/rmsprop.hpp>
#include <gradus/optim/schedule.hpp>
#include <gradus/optim/sequential_lr.hpp>
#include <gradus/optim/sgd.hpp>
