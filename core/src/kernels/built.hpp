// For a body.cpp: its kernels one by one, out of body::made<T>, a table for elements of T.
#pragma once

#include "kernels/isa.hpp"

/// built<…>() of the kernel in the place of `name`, of a table of type Kernels, for both floating elements.
#define GRADUS_KERNEL(Kernels, name)                          \
  GRADUS_BUILT(&Kernels<float>::name, body::made<float>.name) \
  GRADUS_BUILT(&Kernels<double>::name, body::made<double>.name)

#define GRADUS_BUILT(place, kernel)                              \
  template <>                                                    \
  KernelAt<(place)> built<(place), Isa::GRADUS_ISA>() noexcept { \
    return kernel;                                               \
  }
