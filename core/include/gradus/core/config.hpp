// What this build of gradus is and what it chose on this machine.
#pragma once

#include <string>

namespace gradus {

/// Four lines: version, instruction set of the kernels, BLAS, threads.
std::string config();

}  // namespace gradus
