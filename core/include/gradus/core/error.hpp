// Every exception gradus throws for a mistake of its user. The text names the operation, what it expected, what it got
// and, on a second line where there is one, the remedy. After an exception the arguments and all state are unchanged.
#pragma once

#include <stdexcept>
#include <string>

namespace gradus {

/// Base of the hierarchy: `catch (const gradus::Error& e)` catches all of it. `kind()` is the name PyTorch gives the
/// same error in Python, e.g. "RuntimeError".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  virtual const char* kind() const noexcept { return "Error"; }
};

/// Shapes, dtypes or the state of the graph do not allow the operation.
struct RuntimeError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "RuntimeError"; }
};

/// An argument has the right type but an unusable value.
struct ValueError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "ValueError"; }
};

/// A dimension, index or class label is out of range.
struct IndexError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "IndexError"; }
};

/// An argument has the wrong type, e.g. `data<float>()` of an int64 tensor.
struct TypeError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "TypeError"; }
};

/// A name is not in a module, state_dict or file.
struct KeyError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "KeyError"; }
};

/// A module without a forward function was called.
struct NotImplementedError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "NotImplementedError"; }
};

/// A file cannot be opened, read or written, or its content is not what its format demands.
struct FileError : Error {
  using Error::Error;
  const char* kind() const noexcept override { return "FileError"; }
};

}  // namespace gradus
