#include "io/npy.hpp"
#include "io/pickle.hpp"

// Names and arguments: the methods __reduce__ and __reduce_ex__ of numpy.dtype, numpy.generic and numpy.ndarray.
namespace gradus::detail {
namespace {

using Id = Pickle::Id;

/// Whether the object was made by this function of NumPy, whose modules have an underscore since NumPy 2.
bool made_by(const Pickle& pickle, const Pickle::Object& object, std::string_view function) {
  const auto* global = pickle.find<Pickle::Global>(object.callable);
  return global && global->name.starts_with("numpy.") && global->name.ends_with(function);
}

const std::vector<Id>& arguments(const Pickle& pickle, const Pickle::Object& object) {
  return pickle.find<Pickle::Tuple>(object.arguments)->elements;
}

const std::vector<Id>* state(const Pickle& pickle, const Pickle::Object& object) {
  const auto* tuple = object.state ? pickle.find<Pickle::Tuple>(*object.state) : nullptr;
  return tuple ? &tuple->elements : nullptr;
}

/// The bytes that a node stands for, in any protocol; a string of Python 2 is one of bytes.
std::optional<std::string> raw(const Pickle& pickle, Id id) {
  if (const auto* bytes = pickle.find<Pickle::Bytes>(id)) return bytes->content;
  if (const auto* text = pickle.find<std::string>(id)) return *text;
  const auto* object = pickle.find<Pickle::Object>(id);
  return object ? bytes_of(pickle, *object) : std::nullopt;
}

/// numpy.dtype("f8", False, True) with the state (3, "<", …).
std::optional<NumpyType> dtype_of(const Pickle& pickle, Id id) {
  const auto* object = pickle.find<Pickle::Object>(id);
  if (!object || !made_by(pickle, *object, ".dtype") || arguments(pickle, *object).empty()) return std::nullopt;
  const auto* name = pickle.find<std::string>(arguments(pickle, *object)[0]);
  const auto* order = state(pickle, *object) && state(pickle, *object)->size() > 1
                          ? pickle.find<std::string>((*state(pickle, *object))[1])
                          : nullptr;
  return name ? numpy_type((order ? *order : "|") + *name) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> extents_of(const Pickle& pickle, Id id) {
  const auto* tuple = pickle.find<Pickle::Tuple>(id);
  if (!tuple) return std::nullopt;
  std::vector<std::int64_t> extents;
  for (const Id element : tuple->elements) {
    const auto* extent = pickle.find<std::int64_t>(element);
    if (!extent) return std::nullopt;
    extents.push_back(*extent);
  }
  return extents;
}

std::optional<Tensor> array_of(std::optional<NumpyType> type, const std::optional<std::string>& content,
                               const std::optional<std::vector<std::int64_t>>& extents, bool fortran_order) {
  if (!type || !content || !extents) return std::nullopt;
  try {
    return numpy_array(*type, std::as_bytes(std::span(*content)), *extents, fortran_order);
  } catch (const BeyondInt64&) {
    return std::nullopt;
  }
}

/// Bytes of a text whose characters are all below 256.
std::optional<std::string> latin1(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      bytes += text[i];
    } else {
      if ((byte != 0xc2 && byte != 0xc3) || i + 1 == text.size()) return std::nullopt;
      bytes += static_cast<char>(byte << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f));
    }
  }
  return bytes;
}

}  // namespace

std::optional<std::string> bytes_of(const Pickle& pickle, const Pickle::Object& object) {
  const auto* function = pickle.find<Pickle::Global>(object.callable);
  const auto& given = arguments(pickle, object);
  if (!function) return std::nullopt;
  if (given.empty() && (function->name == "builtins.bytes" || function->name == "__builtin__.bytes")) return "";
  const auto* text = given.empty() ? nullptr : pickle.find<std::string>(given[0]);
  return text && function->name == "_codecs.encode" ? latin1(*text) : std::nullopt;
}

std::optional<Tensor> numpy_number(const Pickle& pickle, const Pickle::Object& object) {
  const auto& given = arguments(pickle, object);
  if (!made_by(pickle, object, ".multiarray.scalar") || given.size() != 2) return std::nullopt;
  return array_of(dtype_of(pickle, given[0]), raw(pickle, given[1]), std::vector<std::int64_t>(), false);
}

std::optional<Tensor> numpy_array(const Pickle& pickle, const Pickle::Object& object, Budget& budget) {
  const auto read = [&](Id dtype, Id content, Id shape, bool fortran_order) {
    const auto bytes = raw(pickle, content);
    if (bytes) budget.spend(9 * bytes->size());  // copied, and up to eight times as wide
    return array_of(dtype_of(pickle, dtype), bytes, extents_of(pickle, shape), fortran_order);
  };
  if (made_by(pickle, object, ".multiarray._reconstruct")) {
    const auto* given = state(pickle, object);  // (version, shape, dtype, Fortran order, content)
    if (!given || given->size() != 5) return std::nullopt;
    const auto* fortran_order = pickle.find<bool>((*given)[3]);
    return read((*given)[2], (*given)[4], (*given)[1], fortran_order && *fortran_order);
  }
  if (made_by(pickle, object, ".numeric._frombuffer")) {
    const auto& given = arguments(pickle, object);  // (content, dtype, shape, order)
    if (given.size() != 4) return std::nullopt;
    const auto* order = pickle.find<std::string>(given[3]);
    return read(given[1], given[0], given[2], order && *order == "F");
  }
  return std::nullopt;
}

}  // namespace gradus::detail
