#include <gradus/core/print.hpp>
#include <gradus/nn/activation.hpp>

namespace gradus::nn {

std::string LeakyReLU::extra_repr() const { return "negative_slope=" + format_number(negative_slope); }

}  // namespace gradus::nn
