#include <gradus/core/config.hpp>
#include <gradus/core/parallel.hpp>

#include "gemm.hpp"

namespace gradus {

std::string config() {
  return std::string("gradus 0.1.0\ninstruction set: plain\nBLAS: ") + detail::blas_name() +
         "\nthreads: " + std::to_string(get_num_threads());
}

}  // namespace gradus
