// Bytes and numbers of NumPy in a pickle, which are made by calls.
#pragma once

#include "io/pickle.hpp"

namespace gradus::detail {

/// The content of `bytes`, which protocol 2 writes as the encoding of a text. Nothing of another object.
std::optional<std::string> bytes_of(const Pickle& pickle, const Pickle::Object& object);

/// A number of NumPy, such as numpy.float64(0.5), as a tensor without dimensions. Nothing of another object.
std::optional<Tensor> numpy_number(const Pickle& pickle, const Pickle::Object& object);

/// An array of numbers. Nothing of another object; throws FileError for an array that is damaged.
std::optional<Tensor> numpy_array(const Pickle& pickle, const Pickle::Object& object, Budget& budget);

}  // namespace gradus::detail
