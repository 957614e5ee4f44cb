// From the nodes of a pickle to values: what the objects of Python hold, as far as it is of use here.
#include "io/npy.hpp"
#include "io/pickle.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus::detail {
namespace {

using Id = Pickle::Id;
using Object = Pickle::Object;

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

class ValueMaker {
 public:
  ValueMaker(const Pickle& pickle, const TensorSource& tensor_of, Budget& budget)
      : pickle_(pickle), tensor_of_(tensor_of), budget_(budget) {}

  Value make(Id id, int depth) {
    spend(depth);
    return std::visit([&](const auto& node) { return convert(node, depth + 1); }, pickle_.nodes[id]);
  }

 private:
  void spend(int depth) {
    throw_if<FileError>(depth > max_value_depth, "its values are nested more than ", max_value_depth, " deep");
    budget_.spend(sizeof(Value));
  }
  std::string text(const std::string& content) {
    budget_.spend(content.size());
    return content;
  }

  template <Number T>
  Value convert(T number, int) {
    return number;
  }
  Value convert(std::monostate, int) { return Value(); }
  Value convert(const std::string& string, int) { return text(string); }
  Value convert(const Pickle::List& list, int depth) { return Value::list(make_all(list.elements, depth)); }
  Value convert(const Pickle::Tuple& tuple, int depth) { return Value::tuple(make_all(tuple.elements, depth)); }
  Value convert(const Pickle::Dict& dict, int depth) { return make_dict("dict", dict.elements, depth); }
  Value convert(const Pickle::Bytes& bytes, int) { return Value::object("bytes", text(bytes.content)); }
  Value convert(const Pickle::Global& global, int) { return Value::object(text(global.name)); }
  Value convert(Pickle::StorageId, int) { return Value::object("torch.storage"); }
  Value convert(Pickle::TensorId tensor, int) {
    const Pickle::TensorView& view = pickle_.tensors[tensor.id];
    return tensor_of_(pickle_.storages[view.storage], view);
  }

  Value convert(const Object& object, int depth) {
    const std::string type = type_of(object);
    const auto holding = [&](Value content) { return Value::object(text(type), std::move(content)); };
    if (is_module(object)) {
      Value::Dict state;
      collect_module(object, "", state, depth);
      return holding(Value::dict(std::move(state)));
    }
    if (type == "collections.Counter" || type == "collections.defaultdict") {
      return make_dict(type, elements<Pickle::Dict>(object), depth);
    }
    if (type == "set" || type == "frozenset") {
      return holding(Value::list(make_all(elements<Pickle::List>(object), depth)));
    }
    if (type == "torch.device" && argument<std::string>(object, 0)) {
      const auto* index = argument<std::int64_t>(object, 1);
      return holding(*argument<std::string>(object, 0) + (index ? message(":", *index) : ""));
    }
    if (auto bytes = bytes_of(object)) return Value::object("bytes", text(*bytes));
    if (const auto number = numpy_number(object)) {
      if (number->dtype() == boolean) return number->item<bool>();
      return number->dtype() == int64 ? Value(number->item<std::int64_t>()) : Value(number->item<double>());
    }
    if (auto array = numpy_array(object)) return *array;
    return Value::object(text(type));
  }

  Value::List make_all(const std::vector<Id>& ids, int depth) {
    Value::List values;
    for (const Id id : ids) values.push_back(make(id, depth));
    return values;
  }

  /// A dict, or where its keys are neither strings nor integers an object that holds a list of pairs.
  Value make_dict(std::string_view type, const std::vector<Id>& items, int depth) {
    Value::Dict dict;
    bool plain = true;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      Value key = make(items[i], depth);
      plain = plain && (key.kind() == Value::Kind::string || key.kind() == Value::Kind::integer);
      dict.emplace_back(std::move(key), make(items[i + 1], depth));
    }
    if (plain) return Value::dict(std::move(dict));
    Value::List pairs;
    for (auto& [key, value] : dict) pairs.push_back(Value::tuple({std::move(key), std::move(value)}));
    return Value::object(std::string(type), Value::list(std::move(pairs)));
  }

  // --- what is known of an object

  const std::vector<Id>& arguments(const Object& object) const {
    return pickle_.find<Pickle::Tuple>(object.arguments)->elements;
  }
  template <class T>
  const T* argument(const Object& object, std::size_t i) const {
    return i < arguments(object).size() ? pickle_.find<T>(arguments(object)[i]) : nullptr;
  }
  /// What it was made of if that is a container, otherwise what was added to it.
  template <class Container>
  const std::vector<Id>& elements(const Object& object) const {
    const auto* container = argument<Container>(object, 0);
    return container ? container->elements : object.elements;
  }

  /// The class of the object: what was called, but for the functions that take a class as their first argument.
  std::string type_of(const Object& object) const {
    const auto* global = pickle_.find<Pickle::Global>(object.callable);
    if (!global) return "object";
    const std::string& name = global->name;
    if (name.starts_with("torch._utils._rebuild_")) return "torch.Tensor";  // sparse, complex, quantised, …
    const auto* type = argument<Pickle::Global>(object, 0);
    if (type && (name.ends_with("._reconstructor") || name.ends_with(".multiarray._reconstruct"))) return type->name;
    for (const std::string_view builtins : {"builtins.", "__builtin__."}) {
      if (name.starts_with(builtins)) return name.substr(builtins.size());
    }
    return name;
  }

  // --- modules of PyTorch

  /// What a dict of the object's attributes holds under a name, if it is a T.
  template <class T>
  const T* attribute(const Object& object, std::string_view name) const {
    const auto* attributes = object.state ? pickle_.find<Pickle::Dict>(*object.state) : nullptr;
    for (std::size_t i = 0; attributes && i + 1 < attributes->elements.size(); i += 2) {
      const auto* key = pickle_.find<std::string>(attributes->elements[i]);
      if (key && *key == name) return pickle_.find<T>(attributes->elements[i + 1]);
    }
    return nullptr;
  }

  bool is_module(const Object& object) const {
    return attribute<Pickle::Dict>(object, "_parameters") && attribute<Pickle::Dict>(object, "_modules");
  }

  /// What state_dict() of a module of PyTorch gives: parameters, buffers that are saved, then the modules in it.
  void collect_module(const Object& module, const std::string& prefix, Value::Dict& state, int depth) {
    spend(depth);
    std::vector<std::string> left_out;
    if (const auto* names = attribute<Object>(module, "_non_persistent_buffers_set")) {
      for (const Id id : elements<Pickle::List>(*names)) {
        if (const auto* name = pickle_.find<std::string>(id)) left_out.push_back(*name);
      }
    }
    for (const char* part : {"_parameters", "_buffers", "_modules"}) {
      const auto* dict = attribute<Pickle::Dict>(module, part);
      for (std::size_t i = 0; dict && i + 1 < dict->elements.size(); i += 2) {
        const auto* name = pickle_.find<std::string>(dict->elements[i]);
        const Id id = dict->elements[i + 1];
        const auto* object = pickle_.find<Object>(id);
        if (!name || pickle_.find<std::monostate>(id)) continue;
        if (object && is_module(*object)) {
          collect_module(*object, text(prefix + *name + "."), state, depth + 1);
        } else if (std::ranges::find(left_out, *name) == left_out.end()) {
          state.emplace_back(text(prefix + *name), make(id, depth));
        }
      }
    }
  }

  // --- bytes, and what NumPy has. Names and arguments: the methods __reduce__ and __reduce_ex__ of numpy.dtype,
  // numpy.generic and numpy.ndarray.

  /// The content of `bytes`, which protocol 2 writes as the encoding of a text. Nothing of another object.
  std::optional<std::string> bytes_of(const Object& object) const {
    const auto* function = pickle_.find<Pickle::Global>(object.callable);
    if (!function) return std::nullopt;
    const bool makes_bytes = function->name == "builtins.bytes" || function->name == "__builtin__.bytes";
    if (makes_bytes && arguments(object).empty()) return "";
    const auto* text = argument<std::string>(object, 0);
    return text && function->name == "_codecs.encode" ? latin1(*text) : std::nullopt;
  }

  /// The bytes that a node stands for, in any protocol; a string of Python 2 is one of bytes.
  std::optional<std::string> raw(Id id) const {
    if (const auto* bytes = pickle_.find<Pickle::Bytes>(id)) return bytes->content;
    if (const auto* text = pickle_.find<std::string>(id)) return *text;
    const auto* object = pickle_.find<Object>(id);
    return object ? bytes_of(*object) : std::nullopt;
  }

  /// Whether the object was made by this function of NumPy, whose modules have an underscore since NumPy 2.
  bool made_by(const Object& object, std::string_view function) const {
    const auto* global = pickle_.find<Pickle::Global>(object.callable);
    return global && global->name.starts_with("numpy.") && global->name.ends_with(function);
  }

  const std::vector<Id>* state(const Object& object) const {
    const auto* tuple = object.state ? pickle_.find<Pickle::Tuple>(*object.state) : nullptr;
    return tuple ? &tuple->elements : nullptr;
  }

  /// numpy.dtype("f8", False, True) with the state (3, "<", …).
  std::optional<NumpyType> dtype_of(Id id) const {
    const auto* object = pickle_.find<Object>(id);
    const auto* name = object && made_by(*object, ".dtype") ? argument<std::string>(*object, 0) : nullptr;
    if (!name) return std::nullopt;
    const auto* given = state(*object);
    const auto* order = given && given->size() > 1 ? pickle_.find<std::string>((*given)[1]) : nullptr;
    return numpy_type((order ? *order : "|") + *name);
  }

  /// The array of these; nothing where one of them is something else. Without a shape it has no dimensions.
  std::optional<Tensor> array_of(Id dtype, Id content, std::optional<Id> shape, bool fortran_order) {
    const auto type = dtype_of(dtype);
    const auto bytes = raw(content);
    const auto* sizes = shape ? pickle_.find<Pickle::Tuple>(*shape) : nullptr;
    if (bytes) budget_.spend(9 * bytes->size());  // copied, and up to eight times as wide
    if (!type || !bytes || (shape && !sizes)) return std::nullopt;
    std::vector<std::int64_t> extents;
    for (const Id id : sizes ? sizes->elements : std::vector<Id>()) {
      const auto* extent = pickle_.find<std::int64_t>(id);
      if (!extent) return std::nullopt;
      extents.push_back(*extent);
    }
    try {
      return detail::numpy_array(*type, std::as_bytes(std::span(*bytes)), extents, fortran_order);
    } catch (const BeyondInt64&) {
      return std::nullopt;
    }
  }

  /// A number of NumPy, such as numpy.float64(0.5), as a tensor without dimensions. Nothing of another object.
  std::optional<Tensor> numpy_number(const Object& object) {
    const auto& given = arguments(object);
    if (!made_by(object, ".multiarray.scalar") || given.size() != 2) return std::nullopt;
    return array_of(given[0], given[1], std::nullopt, false);
  }

  /// An array of numbers. Nothing of another object; throws FileError for an array that is damaged.
  std::optional<Tensor> numpy_array(const Object& object) {
    if (made_by(object, ".multiarray._reconstruct")) {
      const auto* given = state(object);  // (version, shape, dtype, Fortran order, content)
      if (!given || given->size() != 5) return std::nullopt;
      const auto* fortran_order = pickle_.find<bool>((*given)[3]);
      return array_of((*given)[2], (*given)[4], (*given)[1], fortran_order && *fortran_order);
    }
    if (made_by(object, ".numeric._frombuffer")) {
      const auto& given = arguments(object);  // (content, dtype, shape, order)
      if (given.size() != 4) return std::nullopt;
      const auto* order = pickle_.find<std::string>(given[3]);
      return array_of(given[1], given[0], given[2], order && *order == "F");
    }
    return std::nullopt;
  }

  const Pickle& pickle_;
  const TensorSource& tensor_of_;
  Budget& budget_;
};

}  // namespace

Value value_of(const Pickle& pickle, const TensorSource& tensor_of, Budget& budget) {
  return ValueMaker(pickle, tensor_of, budget).make(pickle.root, 0);
}

}  // namespace gradus::detail
