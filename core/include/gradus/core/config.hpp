// What this build of gradus is and what it chose on this machine.
#pragma once

#include <string>

namespace gradus {

/// Five lines: version, instruction set of the kernels, BLAS, threads, and which of the parts that can be left out are
/// in it: "parts: GRADUS_BLAS=ON GRADUS_THREADS=ON GRADUS_FILES_ZIP=ON GRADUS_FILES_GZIP=ON GRADUS_FILES_CSV=ON".
std::string config();

}  // namespace gradus
