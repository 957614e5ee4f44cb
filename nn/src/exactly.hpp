// What a module is, to the letter.
#pragma once

#include <gradus/nn/module.hpp>

#include <typeinfo>

namespace gradus::nn {

/// The module as an M, not as something derived from it, which may compute something else.
template <class M>
const M* exactly(const Module& module) {
  return typeid(module) == typeid(M) ? static_cast<const M*>(&module) : nullptr;
}

}  // namespace gradus::nn
