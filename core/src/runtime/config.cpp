#include "kernels/isa.hpp"
#include "ops/gemm.hpp"
#include "tensor/message.hpp"

#include <gradus/core/config.hpp>
#include <gradus/core/parallel.hpp>

namespace gradus {

std::string config() {
  return detail::message("gradus " GRADUS_VERSION "\ninstruction set: ", kernels::isa_name(kernels::isa()),
                         "\nBLAS: ", detail::blas_name(), "\nthreads: ", get_num_threads(),
                         "\nparts: " GRADUS_PARTS " GRADUS_INSTRUCTION_SETS=", kernels::built_isas());
}

}  // namespace gradus
