// One entry of a FieldList.
#pragma once

#include <gradus/optim/field_list.hpp>

#include <variant>

namespace gradus::optim {

enum class Form : std::uint8_t { plain, optional, any_shape, tensor, counts };

struct FieldList::Field {
  std::string name;
  std::variant<bool*, std::int64_t*, double*, std::string*, std::array<double, 2>*, std::vector<double>*,
               std::vector<std::int64_t>*, Tensor*, Value>
      member;
  Form form = Form::plain;
};

}  // namespace gradus::optim
