// The part of Python's pickle format that torch.save writes for tensors, numbers, strings and their containers.
#pragma once

#include <gradus/core/shape.hpp>

#include <variant>

#include "io/budget.hpp"
#include "io/elements.hpp"
#include "io/file.hpp"

namespace gradus::detail {

/// What a pickle describes: nodes that refer to each other by their position. Nothing in it is a Python object, and no
/// function is called by reading one.
struct Pickle {
  using Id = std::uint32_t;
  struct List {
    std::vector<Id> elements;
  };
  struct Tuple {
    std::vector<Id> elements;
  };
  struct Dict {
    std::vector<Id> elements;  // key, value, key, value, …
  };
  /// A name of Python that may be called, or that stands for a type of storage.
  struct Global {
    enum class Role : std::uint8_t { ordered_dict, size, rebuild_tensor, rebuild_parameter, storage } role;
    Stored stored = {};
  };
  /// Elements in a file of the archive.
  struct Storage {
    Stored type;
    std::string key;
    std::int64_t numel;
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
  using Node = std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Tuple, Dict, Global,
                            StorageId, TensorId>;

  std::vector<Node> nodes;
  std::vector<Storage> storages;
  std::vector<TensorView> tensors;
  Id root = 0;
};

/// Throws FileError for a pickle that is damaged, that uses another opcode than torch.save does, or that names anything
/// of Python but the types above. Tensors are inside their storage.
Pickle parse_pickle(Bytes file, Budget& budget);

}  // namespace gradus::detail
