// What the names that a pickle may call stand for.
#include "io/pickle_machine.hpp"
#include "tensor/message.hpp"

#include <map>

namespace gradus::detail {
namespace {

/// Every element of the view lies in its storage. Sizes and strides are as large as a hostile file makes them.
void check_inside(const Pickle::TensorView& view, std::int64_t storage_numel) {
  std::int64_t last = view.offset;
  bool fits = view.offset >= 0, empty = false;
  for (int i = 0; i < view.shape.rank(); ++i) {
    const std::int64_t size = view.shape[i], stride = view.strides[i];
    std::int64_t reach = 0;
    fits = fits && size >= 0 && stride >= 0;
    empty = empty || size == 0;
    if (!fits || empty) continue;
    fits = !__builtin_mul_overflow(size - 1, stride, &reach) && !__builtin_add_overflow(last, reach, &last);
  }
  fits = fits && (empty || last < storage_numel);
  throw_if<FileError>(!fits, "a tensor of shape ", view.shape, " with strides ", view.strides, " and offset ",
                      view.offset, " does not fit in its storage of ", storage_numel, " elements");
}

}  // namespace

Pickle take_pickle(Bytes& file, Budget& budget) { return PickleMachine(file, budget).run(); }

Pickle parse_pickle(Bytes file, Budget& budget) {
  Pickle pickle = take_pickle(file, budget);
  throw_if<FileError>(!file.empty(), "its pickle does not end with one value");
  return pickle;
}

void PickleMachine::push_global(const std::string& module, const std::string& name) {
  using Role = Pickle::Global::Role;
  static const std::map<std::string_view, Role> known = {
      {"collections.OrderedDict", Role::ordered_dict},
      {"torch.Size", Role::size},
      {"torch._utils._rebuild_tensor", Role::rebuild_tensor},
      {"torch._utils._rebuild_tensor_v2", Role::rebuild_tensor},
      {"torch._utils._rebuild_tensor_v3", Role::rebuild_tensor},
      {"torch._utils._rebuild_parameter", Role::rebuild_parameter},
      {"torch._utils._rebuild_parameter_with_state", Role::rebuild_parameter},
      {"torch.nn.parameter.Parameter", Role::rebuild_parameter},
      {"torch.autograd.variable.Variable", Role::rebuild_parameter},
      {"torch._tensor._rebuild_from_type", Role::rebuild_from_type},
      {"torch._tensor._rebuild_from_type_v2", Role::rebuild_from_type},
      {"torch.UntypedStorage", Role::storage},
      {"torch.storage.UntypedStorage", Role::storage}};
  constexpr std::string_view storage = "Storage";
  Pickle::Global global{Role::other, Stored::u8, module + "." + name};
  const auto found = known.find(global.name);
  if (found != known.end()) global.role = found->second;
  if (module == "torch" && name.ends_with(storage)) {
    const auto stored = stored_named(&StoredNames::torch, name.substr(0, name.size() - storage.size()));
    if (stored) global = {Role::storage, *stored, std::move(global.name)};
  }
  push(std::move(global));
}

void PickleMachine::call() {
  const Id arguments = pop(), function = pop();
  call(function, arguments);
}

void PickleMachine::call_class_before_arguments() {
  std::vector<Id> elements = pop_to_mark();
  if (elements.empty()) fail("calls nothing");
  const Id function = elements.front();
  elements.erase(elements.begin());
  push(Pickle::Tuple{std::move(elements)});
  call(function, pop());
}

void PickleMachine::call(Id function, Id arguments_id) {
  using Role = Pickle::Global::Role;
  const std::vector<Id> arguments = get<Pickle::Tuple>(arguments_id, "arguments of a call").elements;
  if (pickle_.find<Pickle::Object>(function)) return push_object(function, arguments_id);
  switch (get<Pickle::Global>(function, "the name of a function").role) {
    case Role::other: return push_object(function, arguments_id);
    case Role::ordered_dict: return make_ordered_dict(function, arguments_id);
    case Role::size:
      if (arguments.size() != 1) fail("makes a torch.Size in an unknown way");
      (void)get<Pickle::Tuple>(arguments[0], "the numbers of a torch.Size");
      return stack_.push_back(arguments[0]);
    case Role::rebuild_parameter:  // (tensor, and what means nothing here)
      if (arguments.empty()) fail("makes a parameter in an unknown way");
      if (pickle_.find<Pickle::Object>(arguments[0])) return stack_.push_back(arguments[0]);
      (void)get<Pickle::TensorId>(arguments[0], "the tensor of a parameter");
      return stack_.push_back(arguments[0]);
    case Role::rebuild_from_type:  // (function, type, its arguments, state): a tensor with attributes
      if (arguments.size() < 3) fail("makes a tensor in an unknown way");
      if (const auto* inner = pickle_.find<Pickle::Global>(arguments[0]);
          inner && inner->role == Role::rebuild_tensor) {
        return rebuild_tensor(function, arguments[2]);
      }
      return push_object(function, arguments_id);
    case Role::rebuild_tensor: return rebuild_tensor(function, arguments_id);
    case Role::storage: fail("makes a storage outside of a tensor");
  }
}

void PickleMachine::make_ordered_dict(Id function, Id arguments_id) {
  const std::vector<Id> arguments = get<Pickle::Tuple>(arguments_id, "arguments of a call").elements;
  if (arguments.empty()) return push(Pickle::Dict());
  const auto* pairs = pickle_.find<Pickle::List>(arguments[0]);  // as Python 2 writes it
  if (!pairs || arguments.size() != 1) return push_object(function, arguments_id);
  Pickle::Dict dict;
  for (const Id id : pairs->elements) {
    const auto* list = pickle_.find<Pickle::List>(id);
    const auto* tuple = pickle_.find<Pickle::Tuple>(id);
    if (!list && !tuple) fail("makes an OrderedDict in an unknown way");
    const std::vector<Id>& pair = list ? list->elements : tuple->elements;
    if (pair.size() != 2) fail("makes an OrderedDict in an unknown way");
    dict.elements.insert(dict.elements.end(), pair.begin(), pair.end());
  }
  push(std::move(dict));
}

void PickleMachine::build() {
  // Of a state_dict it is its `_metadata`, versions of modules, and of a tensor its hooks: they mean nothing here.
  const Id state = pop(), target = top();
  if (auto* object = std::get_if<Pickle::Object>(&pickle_.nodes[target])) {
    object->state = state;
  } else if (!pickle_.find<Pickle::TensorId>(target)) {
    (void)get<Pickle::Dict>(target, "an OrderedDict or an object");
  }
}

void PickleMachine::load_persistent() {
  const Id description = pop();
  const std::vector<Id> id = get<Pickle::Tuple>(description, "the description of a storage").elements;
  const std::string kind = id.empty() ? "" : get<std::string>(id[0], "the word 'storage'");
  if (kind == "module" && id.size() > 1) return stack_.push_back(id[1]);  // a class, and its source
  if (kind != "storage" || id.size() < 5 || id.size() > 6) fail("describes an unknown kind of data");
  const auto& type = get<Pickle::Global>(id[1], "the type of a storage");
  if (type.role == Pickle::Global::Role::other) return push_object(id[1], description);
  if (type.role != Pickle::Global::Role::storage) fail("has something else where the type of a storage is expected");
  load_storage(id);
}

void PickleMachine::load_storage(const std::vector<Id>& id) {
  // ("storage", type, key, device, numel), before 1.6 also None or (key, begin, numel) of a view. The elements come to
  // the CPU whatever the device was.
  Pickle::Storage storage{get<Pickle::Global>(id[1], "the type of a storage").stored,
                          get<std::string>(id[2], "the key of a storage"),
                          get<std::int64_t>(id[4], "the size of a storage")};
  if (storage.numel < 0) fail("has a storage of negative size");
  if (id.size() == 6 && !pickle_.find<std::monostate>(id[5])) {
    const auto& view = get<Pickle::Tuple>(id[5], "the view of a storage").elements;
    if (view.size() != 3) fail("has a view of a storage in an unknown form");
    storage.begin = get<std::int64_t>(view[1], "the begin of a view");
    storage.view_numel = get<std::int64_t>(view[2], "the size of a view");
    const bool inside = 0 <= storage.begin && storage.begin <= storage.numel && 0 <= storage.view_numel &&
                        storage.view_numel <= storage.numel - storage.begin;
    if (!inside) fail("has a view that is not inside its storage");
  }
  budget_.spend(sizeof storage + storage.key.size());
  pickle_.storages.push_back(std::move(storage));
  push(Pickle::StorageId{static_cast<Id>(pickle_.storages.size() - 1)});
}

void PickleMachine::rebuild_tensor(Id function, Id arguments_id) {
  // (storage, offset, shape, strides), later also (requires_grad, hooks), then (dtype) in its third version, then
  // metadata, which mean nothing here.
  const std::vector<Id> arguments = get<Pickle::Tuple>(arguments_id, "arguments of a call").elements;
  if (arguments.size() < 4 || arguments.size() > 8) fail("makes a tensor in an unknown way");
  if (pickle_.find<Pickle::Object>(arguments[0])) return push_object(function, arguments_id);
  Id storage = get<Pickle::StorageId>(arguments[0], "the storage of a tensor").id;
  if (arguments.size() > 6 && pickle_.find<Pickle::Global>(arguments[6])) {
    const auto typed = with_dtype(storage, arguments[6]);
    if (!typed) return push_object(function, arguments_id);
    storage = *typed;
  }
  Pickle::TensorView view{storage, get<std::int64_t>(arguments[1], "the offset of a tensor"), shape_of(arguments[2]),
                          shape_of(arguments[3])};
  if (view.shape.rank() != view.strides.rank()) fail("has a tensor with more sizes than strides, or fewer");
  check_inside(view, pickle_.storages[storage].view_numel);
  view.offset += pickle_.storages[storage].begin;
  budget_.spend(sizeof view);
  pickle_.tensors.push_back(view);
  push(Pickle::TensorId{static_cast<Id>(pickle_.tensors.size() - 1)});
}

/// The storage of bytes as one of this dtype; nothing for a dtype that gradus does not read.
std::optional<Pickle::Id> PickleMachine::with_dtype(Id storage, Id dtype) {
  static const std::map<std::string_view, Stored> dtypes = {
      {"torch.uint16", Stored::u16}, {"torch.uint32", Stored::u32}, {"torch.uint64", Stored::u64}};
  const auto found = dtypes.find(get<Pickle::Global>(dtype, "a dtype").name);
  Pickle::Storage typed = pickle_.storages[storage];
  if (found == dtypes.end() || typed.type != Stored::u8) return std::nullopt;
  const auto size = static_cast<std::int64_t>(stored_size(found->second));
  if (typed.numel % size != 0 || typed.begin != 0) fail("has a storage of part of an element");
  typed.type = found->second;
  typed.numel /= size;
  typed.view_numel = typed.numel;
  budget_.spend(sizeof typed + typed.key.size());
  pickle_.storages.push_back(std::move(typed));
  return static_cast<Id>(pickle_.storages.size() - 1);
}

Shape PickleMachine::shape_of(Id tuple) const {
  const auto& elements = get<Pickle::Tuple>(tuple, "the shape of a tensor").elements;
  throw_if<FileError>(elements.size() > Shape::max_rank, "a tensor has ", elements.size(),
                      " dimensions, gradus supports at most ", Shape::max_rank);
  Shape shape;
  for (const Id element : elements) shape.push_back(get<std::int64_t>(element, "a size or stride of a tensor"));
  return shape;
}

}  // namespace gradus::detail
