#include "tensor/message.hpp"

#include <gradus/core/autograd.hpp>
#include <gradus/optim/checkpoint.hpp>

#include <cstring>

namespace gradus::optim {

using gradus::detail::throw_if;

namespace {

/// The state of a generator as int64 words, eight of its bytes in each.
Tensor pack(const Generator& generator) {
  const std::vector<std::uint8_t> bytes = generator.state();
  Tensor words = zeros(static_cast<std::int64_t>((bytes.size() + 7) / 8), int64);
  std::memcpy(words.data<std::int64_t>().data(), bytes.data(), bytes.size());
  return words;
}

void unpack(const Tensor& words, Generator& generator) {
  std::vector<std::uint8_t> bytes(generator.state().size());
  const auto from = words.data<std::int64_t>();
  throw_if<RuntimeError>(from.size() != (bytes.size() + 7) / 8,
                         "load_checkpoint: this is not the state of a generator");
  std::memcpy(bytes.data(), from.data(), bytes.size());
  generator.set_state(bytes);
}

Value state_of(const TrainingState& training) {
  Value state;
  state["model"] = training.model.state_dict();
  state["optimizer"] = training.optimizer.state_dict();
  state["optimizer_name"] = training.optimizer.name();
  if (training.scheduler) {
    state["scheduler"] = training.scheduler->state_dict();
    state["scheduler_name"] = training.scheduler->name();
  }
  if (training.generator) state["generator"] = pack(*training.generator);
  return state;
}

/// PyTorch's dicts do not tell of which class they are.
void check_name(const Value& state, const char* key, const std::string& expected) {
  if (!state.contains(key) || state.at(key).as_string() == expected) return;
  throw RuntimeError("load_checkpoint: the file is of a training with " + state.at(key).as_string() + ", not with " +
                     expected);
}

void restore(const Value& state, const TrainingState& training) {
  check_name(state, "optimizer_name", training.optimizer.name());
  training.model.load_state_dict(state.at("model").as_state_dict());
  training.optimizer.load_state_dict(state.at("optimizer"));
  if (training.scheduler) {
    check_name(state, "scheduler_name", training.scheduler->name());
    training.scheduler->load_state_dict(state.at("scheduler"));
  }
  if (training.generator) unpack(state.at("generator").as_tensor(), *training.generator);
}

StateDict copy_of(const StateDict& state) {
  StateDict copy;
  for (const auto& [name, tensor] : state) copy[name] = tensor.clone();
  return copy;
}

}  // namespace

void save_checkpoint(const std::string& path, const TrainingState& training, const Value& progress) {
  Value state = state_of(training);
  state["progress"] = progress;
  save_value(state, path);
}

Value load_checkpoint(const std::string& path, const TrainingState& training) {
  const Value state = load_value(path);
  throw_if<KeyError>(state.kind() != Value::Kind::dict || !state.contains("model") || !state.contains("optimizer"),
                     "load_checkpoint: '", path, "' has no keys 'model' and 'optimizer', so it is no checkpoint");
  Value progress = state.contains("progress") ? state.at("progress") : Value::dict();
  Value before = state_of(training);
  before["model"] = copy_of(training.model.state_dict());  // the others are copies already
  try {
    restore(state, training);
  } catch (...) {
    restore(before, training);
    throw;
  }
  return progress;
}

}  // namespace gradus::optim
