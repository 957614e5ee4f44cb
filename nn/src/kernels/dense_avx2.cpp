#ifdef __AVX2__

#include "dense_body.hpp"

namespace gradus::kernels {

extern const DenseTable avx2_dense_table;
constinit const DenseTable avx2_dense_table = body::make_dense_table();

}  // namespace gradus::kernels

#endif
