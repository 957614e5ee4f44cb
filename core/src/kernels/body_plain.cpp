#define GRADUS_BODY_PLAIN
#include "body/body.hpp"

namespace gradus::kernels {

extern const Table plain_table;
constinit const Table plain_table = body::make_table();

}  // namespace gradus::kernels
