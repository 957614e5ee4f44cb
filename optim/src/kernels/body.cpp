// All kernels of optim, for the instruction set that this file is compiled for.
#include "kernels/built.hpp"
#include "kernels/steps_body.hpp"

namespace gradus::body {
namespace {

template <class T>
constexpr optim::kernels::Kernels<T> made{sgd<T>, adam<T>, rmsprop<T>};

constinit const optim::kernels::Table table{made<float>, made<double>};

}  // namespace
}  // namespace gradus::body

namespace gradus::kernels {

template <>
const optim::kernels::Table* built_table<optim::kernels::Table, Isa::GRADUS_ISA>() noexcept {
  return &body::table;
}

// clang-format off
GRADUS_KERNEL(optim::kernels::Kernels, sgd) GRADUS_KERNEL(optim::kernels::Kernels, adam)
GRADUS_KERNEL(optim::kernels::Kernels, rmsprop)
// clang-format on

}  // namespace gradus::kernels
