#ifdef __AVX2__

#include "body/body.hpp"

namespace gradus::kernels {

extern const Table avx2_table;
constinit const Table avx2_table = body::make_table();

}  // namespace gradus::kernels

#endif
