// Checkpoints: all that a training needs to go on, in one file.
#pragma once

#include <gradus/core/io.hpp>
#include <gradus/core/random.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/optim/lr_scheduler.hpp>

namespace gradus::optim {

/// The parts of a training whose state a checkpoint holds; those not there are null.
struct TrainingState {
  nn::Module& model;
  Optimizer& optimizer;
  LRScheduler* scheduler = nullptr;
  Generator* generator = nullptr;
};

/// Writes the state of all parts, and `progress`, a dict of the caller's (epoch, step, …), to a .safetensors or .pt
/// file. In Python the latter is a dict {model, optimizer, optimizer_name, scheduler, scheduler_name, generator,
/// progress}, whose first parts PyTorch's `load_state_dict` takes. Written whole or not at all, see gradus::save.
/// Throws FileError.
void save_checkpoint(const std::string& path, const TrainingState& training, const Value& progress = Value::dict());

/// Restores all parts and returns `progress`, an empty dict when the file has none, as one from Python. Training then
/// goes on as it would have, to the bit.
/// All or nothing: throws FileError, KeyError or RuntimeError when the file cannot be read, lacks a part, or is of
/// another model or optimiser, and every part is as before.
Value load_checkpoint(const std::string& path, const TrainingState& training);

}  // namespace gradus::optim
