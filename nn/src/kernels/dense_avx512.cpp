#ifdef __AVX512BW__

#include "dense_body.hpp"

namespace gradus::kernels {

extern const DenseTable avx512_dense_table;
constinit const DenseTable avx512_dense_table = body::make_dense_table();

}  // namespace gradus::kernels

#endif
