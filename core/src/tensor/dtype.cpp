#include "tensor/message.hpp"

#include <gradus/core/dtype.hpp>
#include <gradus/core/error.hpp>

namespace gradus::detail {

void refuse_number(double value, std::string_view type) {
  fail<RuntimeError>("value cannot be converted to type ", type, " without overflow\nthe value is ", value);
}

void refuse_unsigned(double value) {
  fail<RuntimeError>("Overflow when unpacking long\nthe value is ", value, ", the largest integer 2^63 - 1");
}

}  // namespace gradus::detail
