#ifdef __SSE2__

#include "body/body.hpp"

namespace gradus::kernels {

extern const Table sse2_table;
constinit const Table sse2_table = body::make_table();

}  // namespace gradus::kernels

#endif
