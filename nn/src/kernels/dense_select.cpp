#include "dense.hpp"
#include "kernels/table.hpp"

namespace gradus::kernels {

extern const DenseTable plain_dense_table;

#if defined(__x86_64__) && defined(__SSE2__)
extern const DenseTable sse2_dense_table, avx2_dense_table, avx512_dense_table;
const DenseTable& dense_table() {
  switch (isa()) {
    case Isa::sse2:
      return sse2_dense_table;
    case Isa::avx2:
      return avx2_dense_table;
    case Isa::avx512:
      return avx512_dense_table;
    case Isa::plain:
      break;
  }
  return plain_dense_table;
}
#else
const DenseTable& dense_table() { return plain_dense_table; }
#endif

}  // namespace gradus::kernels
