// NumPy's formats: .npy holds one array, .npz is a zip archive of them.
#pragma once

#include <gradus/core/state_dict.hpp>

#include "io/file.hpp"

namespace gradus::detail {

class Budget;

/// Throws FileError for every deviation from the format.
Tensor parse_npy(Bytes file);

/// The bytes in front of the elements.
std::string npy_header(const Tensor& x);

/// The arrays under the names of their files without ".npy". Throws FileError, also where they would spend more than
/// the budget.
StateDict parse_npz(Bytes file, Budget& budget);

/// The whole archive. Throws ValueError for a name that cannot be the name of a file.
std::string npz_bytes(const StateDict& arrays);

}  // namespace gradus::detail
