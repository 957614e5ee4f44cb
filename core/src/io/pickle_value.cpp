// From the nodes of a pickle to values: what the objects of Python hold, as far as it is of use here.
#include "io/pickle.hpp"
#include "tensor/message.hpp"

#include <algorithm>

namespace gradus::detail {
namespace {

using Id = Pickle::Id;

class ValueMaker {
 public:
  ValueMaker(const Pickle& pickle, TensorSource& tensors, Budget& budget)
      : pickle_(pickle), tensors_(tensors), budget_(budget) {}

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

  Value convert(std::monostate, int) { return Value(); }
  Value convert(bool flag, int) { return flag; }
  Value convert(std::int64_t integer, int) { return integer; }
  Value convert(double real, int) { return real; }
  Value convert(const std::string& string, int) { return text(string); }
  Value convert(const Pickle::List& list, int depth) { return Value::list(make_all(list.elements, depth)); }
  Value convert(const Pickle::Tuple& tuple, int depth) { return Value::tuple(make_all(tuple.elements, depth)); }
  Value convert(const Pickle::Dict& dict, int depth) { return make_dict("dict", dict.elements, depth); }
  Value convert(const Pickle::Bytes& bytes, int) { return Value::object("bytes", text(bytes.content)); }
  Value convert(const Pickle::Global& global, int) { return Value::object(text(global.name)); }
  Value convert(Pickle::StorageId, int) { return Value::object("torch.storage"); }
  Value convert(Pickle::TensorId tensor, int) {
    const Pickle::TensorView& view = pickle_.tensors[tensor.id];
    return tensors_.tensor(pickle_.storages[view.storage], view);
  }

  Value::List make_all(const std::vector<Id>& ids, int depth) {
    Value::List values;
    for (const Id id : ids) values.push_back(make(id, depth));
    return values;
  }

  template <class T>
  const T* argument(const Pickle::Object& object, std::size_t i) const {
    const auto& arguments = pickle_.find<Pickle::Tuple>(object.arguments)->elements;
    return i < arguments.size() ? pickle_.find<T>(arguments[i]) : nullptr;
  }

  Value convert(const Pickle::Object& object, int depth) {
    const std::string type = type_of(object);
    const auto holding = [&](Value content) { return Value::object(text(type), std::move(content)); };
    if (is_module(object)) {
      Value::Dict state;
      collect_module(object, "", state, depth);
      return holding(Value::dict(std::move(state)));
    }
    if (type == "collections.Counter" || type == "collections.defaultdict") {
      const auto* dict = argument<Pickle::Dict>(object, 0);
      return make_dict(type, dict ? dict->elements : object.elements, depth);
    }
    if (type == "set" || type == "frozenset") {
      const auto* list = argument<Pickle::List>(object, 0);
      return holding(Value::list(make_all(list ? list->elements : object.elements, depth)));
    }
    if (type == "torch.device" && argument<std::string>(object, 0)) {
      const auto* index = argument<std::int64_t>(object, 1);
      return holding(*argument<std::string>(object, 0) + (index ? message(":", *index) : ""));
    }
    if (auto bytes = bytes_of(pickle_, object)) return Value::object("bytes", text(*bytes));
    if (const auto number = numpy_number(pickle_, object)) {
      if (number->dtype() == boolean) return number->item<bool>();
      return number->dtype() == int64 ? Value(number->item<std::int64_t>()) : Value(number->item<double>());
    }
    if (auto array = numpy_array(pickle_, object, budget_)) return *array;
    return Value::object(text(type));
  }

  /// The class of the object: what was called, but for the functions that take a class as their first argument.
  std::string type_of(const Pickle::Object& object) const {
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

  /// What a dict of the object's attributes holds under a name, if it is a T.
  template <class T>
  const T* attribute(const Pickle::Object& object, std::string_view name) const {
    const auto* attributes = object.state ? pickle_.find<Pickle::Dict>(*object.state) : nullptr;
    for (std::size_t i = 0; attributes && i + 1 < attributes->elements.size(); i += 2) {
      const auto* key = pickle_.find<std::string>(attributes->elements[i]);
      if (key && *key == name) return pickle_.find<T>(attributes->elements[i + 1]);
    }
    return nullptr;
  }

  bool is_module(const Pickle::Object& object) const {
    return attribute<Pickle::Dict>(object, "_parameters") && attribute<Pickle::Dict>(object, "_modules");
  }

  /// What state_dict() of a module of PyTorch gives: parameters, buffers that are saved, then the modules in it.
  void collect_module(const Pickle::Object& module, const std::string& prefix, Value::Dict& state, int depth) {
    spend(depth);
    std::vector<std::string> left_out;
    if (const auto* names = attribute<Pickle::Object>(module, "_non_persistent_buffers_set")) {
      const auto* list = argument<Pickle::List>(*names, 0);
      for (const Id id : list ? list->elements : names->elements) {
        if (const auto* name = pickle_.find<std::string>(id)) left_out.push_back(*name);
      }
    }
    for (const char* part : {"_parameters", "_buffers", "_modules"}) {
      const auto* dict = attribute<Pickle::Dict>(module, part);
      for (std::size_t i = 0; dict && i + 1 < dict->elements.size(); i += 2) {
        const auto* name = pickle_.find<std::string>(dict->elements[i]);
        const Id id = dict->elements[i + 1];
        const auto* object = pickle_.find<Pickle::Object>(id);
        if (!name || pickle_.find<std::monostate>(id)) continue;
        if (object && is_module(*object)) {
          collect_module(*object, text(prefix + *name + "."), state, depth + 1);
        } else if (std::ranges::find(left_out, *name) == left_out.end()) {
          state.emplace_back(text(prefix + *name), make(id, depth));
        }
      }
    }
  }

  const Pickle& pickle_;
  TensorSource& tensors_;
  Budget& budget_;
};

}  // namespace

Value value_of(const Pickle& pickle, TensorSource& tensors, Budget& budget) {
  return ValueMaker(pickle, tensors, budget).make(pickle.root, 0);
}

}  // namespace gradus::detail
