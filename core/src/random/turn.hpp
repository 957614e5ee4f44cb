// One thread at a time draws from a generator.
#pragma once

#include <gradus/core/random.hpp>

namespace gradus::detail {

/// While alive, the generator is this thread's; others wait. Not to be nested.
class Turn {
 public:
  explicit Turn(const Generator& generator) noexcept : drawing_(generator.drawing_) { drawing_.lock(); }
  ~Turn() { drawing_.unlock(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Drawing& drawing_;
};

}  // namespace gradus::detail
