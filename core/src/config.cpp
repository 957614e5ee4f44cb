#include <gradus/core/config.hpp>
#include <gradus/core/parallel.hpp>

#include "gemm.hpp"
#include "kernels/table.hpp"
#include "message.hpp"

namespace gradus {

std::string config() {
  return detail::message("gradus " GRADUS_VERSION "\ninstruction set: ", kernels::isa_name(kernels::isa()),
                         "\nBLAS: ", detail::blas_name(), "\nthreads: ", get_num_threads());
}

}  // namespace gradus
