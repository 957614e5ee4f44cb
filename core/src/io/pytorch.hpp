// The files of torch.save and torch.load.
#pragma once

#include "io/budget.hpp"
#include "io/file.hpp"

#include <gradus/core/io.hpp>

namespace gradus::detail {

/// Whether the file begins as a file of PyTorch does that is no zip archive.
bool is_pytorch_pickle(Bytes file);

/// Throws FileError. With `share_storage`, tensors that view one storage share their memory where their elements lie
/// side by side; otherwise each has its own.
Value parse_pytorch(Bytes file, Budget& budget, bool share_storage);

/// The whole archive, for torch.load with or without weights_only. Throws ValueError for a value that cannot be
/// written.
std::string pytorch_bytes(const Value& value);

}  // namespace gradus::detail
