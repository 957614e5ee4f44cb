// All kernels of optim, for the instruction set that this file is compiled for.
#include "kernels/steps_body.hpp"

namespace gradus::body {
namespace {

template <class T>
constexpr optim::kernels::Kernels<T> kernels_of{sgd<T>, adam<T>, rmsprop<T>};

constinit const optim::kernels::Table table{kernels_of<float>, kernels_of<double>};

}  // namespace
}  // namespace gradus::body

namespace gradus::kernels {

template <>
const optim::kernels::Table* built_table<optim::kernels::Table, Isa::GRADUS_ISA>() noexcept {
  return &body::table;
}

}  // namespace gradus::kernels
