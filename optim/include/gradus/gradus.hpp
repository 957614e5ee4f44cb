// All of gradus, from left to right as its parts build on each other. Only <gradus/core/xtensor.hpp> is not here: it
// brings xtensor along, so a program asks for it by name.
#pragma once

// core: tensors, gradients, data, files
#include <gradus/core/autograd.hpp>
#include <gradus/core/config.hpp>
#include <gradus/core/create.hpp>
#include <gradus/core/dtype.hpp>
#include <gradus/core/error.hpp>
#include <gradus/core/ops.hpp>
#include <gradus/core/parallel.hpp>
#include <gradus/core/random.hpp>
#include <gradus/core/shape.hpp>
#include <gradus/core/tensor.hpp>
