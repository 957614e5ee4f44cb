#ifdef __AVX512BW__

#include "body/body.hpp"

namespace gradus::kernels {

extern const Table avx512_table;
constinit const Table avx512_table = body::make_table();

}  // namespace gradus::kernels

#endif
