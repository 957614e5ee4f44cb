// NumPy's formats: .npy holds one array, .npz is a zip archive of them.
#pragma once

#include "io/elements.hpp"
#include "io/file.hpp"

#include <gradus/core/value.hpp>

#include <optional>

namespace gradus::detail {

class Budget;

/// Elements of an array of numbers.
struct NumpyType {
  Stored stored;
  bool big_endian;
};

/// The type that NumPy calls `name`: "<f4" with the order of its bytes in front. Nothing where its elements are no
/// numbers, or none that a dtype can hold.
std::optional<NumpyType> numpy_type(std::string_view name);

/// The array whose elements `data` are. Throws FileError when there are more or fewer than its shape needs.
Tensor numpy_array(NumpyType type, Bytes data, std::span<const std::int64_t> extents, bool fortran_order);

/// Throws FileError for every deviation from the format, and for an array of anything but numbers.
Tensor parse_npy(Bytes file);

/// The bytes in front of the elements.
std::string npy_header(const Tensor& x);

/// Whether a zip archive is one of arrays.
bool is_npz(Bytes file);

/// A dict of the arrays under the names of their files without ".npy". What is no array of numbers is an object in it.
/// Throws FileError, also where they would spend more than the budget.
Value parse_npz(Bytes file, Budget& budget);

/// The whole archive. Throws ValueError for a name that cannot be the name of a file.
std::string npz_bytes(const StateDict& arrays);

}  // namespace gradus::detail
