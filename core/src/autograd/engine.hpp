#pragma once

#include "autograd/node.hpp"

namespace gradus::detail {

/// The node whose backward function runs on this thread, or null.
Node* current_node() noexcept;

}  // namespace gradus::detail
