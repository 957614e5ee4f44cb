#define GRADUS_BODY_PLAIN
#include "dense_body.hpp"

namespace gradus::kernels {

extern const DenseTable plain_dense_table;
constinit const DenseTable plain_dense_table = body::make_dense_table();

}  // namespace gradus::kernels
