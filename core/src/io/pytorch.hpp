// The files of torch.save and torch.load: a zip archive with a pickle and one file for each storage.
#pragma once

#include <gradus/core/io.hpp>

#include "io/budget.hpp"
#include "io/file.hpp"

namespace gradus::detail {

/// Throws FileError. With `share_storage`, tensors that view one storage share their memory where their elements lie
/// side by side; otherwise each has its own.
Value parse_pytorch(Bytes file, Budget& budget, bool share_storage);

/// The whole archive, for torch.load with or without weights_only. Throws ValueError for a value that cannot be
/// written.
std::string pytorch_bytes(const Value& value);

}  // namespace gradus::detail
