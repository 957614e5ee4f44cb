// The part of Python's pickle format that torch.save and NumPy write. Protocols 2 to 5.
#pragma once

#include "io/budget.hpp"
#include "io/elements.hpp"
#include "io/file.hpp"

#include <gradus/core/value.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <variant>

namespace gradus::detail {

/// What a pickle describes: nodes that refer to each other by their position. Nothing in it is a Python object, and no
/// function is called by reading one.
struct Pickle {
  using Id = std::uint32_t;
  struct Container {
    std::vector<Id> elements;
  };
  struct List : Container {};
  struct Tuple : Container {};
  struct Dict : Container {};  // key, value, key, value, …
  struct Bytes {
    std::string content;
  };
  /// A name of Python. Those that make tensors have a role.
  struct Global {
    enum class Role : std::uint8_t { other, ordered_dict, size, tensor, parameter, tensor_of_type, storage };
    Role role;
    Stored stored = {};
    std::string name = {};
  };
  /// What a call made that is none of the above: which name was called, with what, and what was added afterwards.
  struct Object {
    Id callable, arguments;
    std::optional<Id> state = {};
    std::vector<Id> elements = {};  // of a list or set, or keys and values of a dict
  };
  /// Elements in a file of the archive: `numel` of them, of which a view takes those from `begin` on.
  struct Storage {
    Stored type;
    std::string key;
    std::int64_t numel, begin = 0, view_numel = numel;
  };
  /// A view of a storage: where it begins and how far apart, in elements, its elements lie.
  struct TensorView {
    Id storage;
    std::int64_t offset;
    Shape shape, strides;
  };
  /// Positions in `storages` and `tensors`, which are too large to be nodes.
  struct StorageId {
    Id id;
  };
  struct TensorId {
    Id id;
  };
  using Node = std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Tuple, Dict, Bytes, Global,
                            Object, StorageId, TensorId>;

  template <class T>
  const T* find(Id id) const {
    return std::get_if<T>(&nodes[id]);
  }

  std::deque<Node> nodes;  // which stay where they are when others are added
  std::vector<Storage> storages;
  std::vector<TensorView> tensors;
  Id root = 0;
};

/// The pickle at the beginning of `file`, which loses it. Throws FileError for one that is damaged or uses an opcode
/// beyond those of the protocols 2 to 5. Tensors are inside their storage.
Pickle take_pickle(Bytes& file, Budget& budget);

/// The pickle that `file` is.
Pickle parse_pickle(Bytes file, Budget& budget);

/// Makes the tensor of a view.
using TensorSource = std::function<Tensor(const Pickle::Storage& storage, const Pickle::TensorView& view)>;

/// The root as a value. Numbers and arrays of NumPy become numbers and tensors; of an object of a class that is not
/// known only the name is kept. Throws FileError where it is nested too deep or spends more than the budget.
Value value_of(const Pickle& pickle, const TensorSource& tensor_of, Budget& budget);

}  // namespace gradus::detail
