#include "io/pickle_stack.hpp"

#include <map>

namespace gradus::detail {
namespace {

// clang-format off
enum Opcode : std::uint8_t {
  MARK = '(', STOP = '.', POP = '0', POP_MARK = '1', DUP = '2', PROTO = 0x80, FRAME = 0x95,
  NONE = 'N', NEWTRUE = 0x88, NEWFALSE = 0x89, INT = 'I', BININT = 'J', BININT1 = 'K', BININT2 = 'M', LONG1 = 0x8a,
  LONG4 = 0x8b, BINFLOAT = 'G', BINUNICODE = 'X', SHORT_BINUNICODE = 0x8c, BINUNICODE8 = 0x8d, BINSTRING = 'T',
  SHORT_BINSTRING = 'U', BINBYTES = 'B', SHORT_BINBYTES = 'C', BINBYTES8 = 0x8e, BYTEARRAY8 = 0x96,
  EMPTY_LIST = ']', EMPTY_DICT = '}', EMPTY_TUPLE = ')', EMPTY_SET = 0x8f, FROZENSET = 0x91, TUPLE = 't', TUPLE1 = 0x85,
  TUPLE2 = 0x86, TUPLE3 = 0x87, APPEND = 'a', APPENDS = 'e', ADDITEMS = 0x90, SETITEM = 's', SETITEMS = 'u',
  BINPUT = 'q', LONG_BINPUT = 'r', MEMOIZE = 0x94, BINGET = 'h', LONG_BINGET = 'j',
  GLOBAL = 'c', STACK_GLOBAL = 0x93, REDUCE = 'R', OBJ = 'o', NEWOBJ = 0x81, NEWOBJ_EX = 0x92, BUILD = 'b', BINPERSID = 'Q'
};
// clang-format on

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

/// The stack machine that a pickle is a program for. Opcodes are described in Python's Lib/pickletools.py.
class PickleMachine : PickleStack {
 public:
  PickleMachine(Bytes& program, Budget& budget) : PickleStack(program, budget) {}

  Pickle run() {
    const bool has_protocol = read<std::uint8_t>() == PROTO;
    const auto protocol = read<std::uint8_t>();
    if (!has_protocol || protocol < 2 || protocol > 5) {
      fail("does not have protocol 2 to 5\nSave it again with torch.save, without `pickle_protocol`.");
    }
    for (auto opcode = read<std::uint8_t>(); opcode != STOP; opcode = read<std::uint8_t>()) step(opcode);
    pickle_.root = pop();
    if (!is_clear()) fail("does not end with one value");
    return std::move(pickle_);
  }

 private:
  using Role = Pickle::Global::Role;

  void step(std::uint8_t opcode) {
    switch (opcode) {
      case NONE: return push(std::monostate());
      case NEWTRUE: return push(true);
      case NEWFALSE: return push(false);
      case INT: return push(read_decimal());
      case BININT: return push(std::int64_t{read<std::int32_t>()});
      case BININT1: return push(std::int64_t{read<std::uint8_t>()});
      case BININT2: return push(std::int64_t{read<std::uint16_t>()});
      case LONG1: return push_long(read<std::uint8_t>());
      case LONG4: return push_long(read<std::uint32_t>());
      case BINFLOAT: return push(read_big_endian_double());
      case SHORT_BINUNICODE:
      case SHORT_BINSTRING: return push(read_text(read<std::uint8_t>()));
      case BINUNICODE:
      case BINSTRING: return push(read_text(read<std::uint32_t>()));
      case BINUNICODE8: return push(read_text(read<std::uint64_t>()));
      case SHORT_BINBYTES: return push(Pickle::Bytes{read_text(read<std::uint8_t>())});
      case BINBYTES: return push(Pickle::Bytes{read_text(read<std::uint32_t>())});
      case BINBYTES8:
      case BYTEARRAY8: return push(Pickle::Bytes{read_text(read<std::uint64_t>())});
      case EMPTY_LIST: return push(Pickle::List());
      case EMPTY_DICT: return push(Pickle::Dict());
      case EMPTY_TUPLE: return push(Pickle::Tuple());
      case EMPTY_SET: return push_builtin("set", {});
      case FROZENSET: return push_builtin("frozenset", pop_to_mark());
      case TUPLE: return push(Pickle::Tuple{{pop_to_mark()}});
      case TUPLE1: return push_tuple(1);
      case TUPLE2: return push_tuple(2);
      case TUPLE3: return push_tuple(3);
      case APPEND: return append({pop()});
      case APPENDS:
      case ADDITEMS: return append(pop_to_mark());
      case SETITEM: {
        const Id value = pop(), key = pop();
        return set_items({key, value});
      }
      case SETITEMS: return set_items(pop_to_mark());
      case MARK: return mark();
      case POP: return static_cast<void>(pop());
      case POP_MARK: return static_cast<void>(pop_to_mark());
      case DUP: return push_again(top());
      case BINPUT: return memorize(read<std::uint8_t>());
      case LONG_BINPUT: return memorize(read<std::uint32_t>());
      case MEMOIZE: return memorize_next();
      case BINGET: return recall(read<std::uint8_t>());
      case LONG_BINGET: return recall(read<std::uint32_t>());
      case GLOBAL: {
        const std::string module = read_line();
        return push_global(module, read_line());
      }
      case STACK_GLOBAL: {
        const Id name = pop(), module = pop();
        const auto& text = get<std::string>(name, "a name");
        return push_global(get<std::string>(module, "the name of a module"), text);
      }
      case NEWOBJ_EX:
        pop();  // the arguments with names
        [[fallthrough]];
      case REDUCE:
      case NEWOBJ: {
        const Id arguments = pop(), function = pop();
        return call(function, arguments);
      }
      case OBJ: return call_class_before_arguments();
      case BUILD: return build();
      case BINPERSID: return load_persistent();
      case FRAME: return static_cast<void>(read<std::uint64_t>());
      default: fail(message("has the opcode ", static_cast<int>(opcode), ", which torch.save does not write"));
    }
  }

  void append(const Ids& elements) { extend<Pickle::List>(elements, "appends to something that is no list"); }

  void set_items(const Ids& items) {
    if (items.size() % 2 != 0) fail("has a key without a value");
    extend<Pickle::Dict>(items, "sets items of something that is no dict");
  }

  void push_global(const std::string& module, const std::string& name) {
    static const std::map<std::string_view, Role> known = {
        {"collections.OrderedDict", Role::ordered_dict},
        {"torch.Size", Role::size},
        {"torch._utils._rebuild_tensor", Role::tensor},
        {"torch._utils._rebuild_tensor_v2", Role::tensor},
        {"torch._utils._rebuild_tensor_v3", Role::tensor},
        {"torch._utils._rebuild_parameter", Role::parameter},
        {"torch._utils._rebuild_parameter_with_state", Role::parameter},
        {"torch.nn.parameter.Parameter", Role::parameter},
        {"torch.autograd.variable.Variable", Role::parameter},
        {"torch._tensor._rebuild_from_type", Role::tensor_of_type},
        {"torch._tensor._rebuild_from_type_v2", Role::tensor_of_type},
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

  void call_class_before_arguments() {
    Ids elements = pop_to_mark();
    if (elements.empty()) fail("calls nothing");
    const Id function = elements.front();
    elements.erase(elements.begin());
    push(Pickle::Tuple{{std::move(elements)}});
    call(function, pop());
  }

  void call(Id function, Id arguments) {
    const Ids& given = tuple(arguments, "arguments of a call");
    const bool known = !pickle_.find<Pickle::Object>(function) &&
                       make(get<Pickle::Global>(function, "the name of a function").role, given);
    if (!known) push(Pickle::Object{.callable = function, .arguments = arguments});
  }

  /// Pushes what a call of a name with this role makes; false, with nothing done, where that is an object.
  bool make(Role role, const Ids& arguments) {
    switch (role) {
      case Role::other: return false;
      case Role::ordered_dict: return make_ordered_dict(arguments);
      case Role::size:
        if (arguments.size() != 1) fail("makes a torch.Size in an unknown way");
        tuple(arguments[0], "the numbers of a torch.Size");
        break;
      case Role::parameter:  // (tensor, and what means nothing here)
        if (arguments.empty()) fail("makes a parameter in an unknown way");
        if (!pickle_.find<Pickle::Object>(arguments[0]))
          get<Pickle::TensorId>(arguments[0], "the tensor of a parameter");
        break;
      case Role::tensor_of_type: {  // (function, type, its arguments, state): a tensor with attributes
        if (arguments.size() < 3) fail("makes a tensor in an unknown way");
        const auto* inner = pickle_.find<Pickle::Global>(arguments[0]);
        return inner && inner->role == Role::tensor && rebuild_tensor(tuple(arguments[2], "arguments of a call"));
      }
      case Role::tensor: return rebuild_tensor(arguments);
      case Role::storage: fail("makes a storage outside of a tensor");
    }
    push_again(arguments[0]);
    return true;
  }

  bool make_ordered_dict(const Ids& arguments) {
    Pickle::Dict dict;
    if (!arguments.empty()) {
      const auto* pairs = pickle_.find<Pickle::List>(arguments[0]);  // as Python 2 writes it
      if (!pairs || arguments.size() != 1) return false;
      for (const Id id : pairs->elements) {
        const Pickle::Container* pair = pickle_.find<Pickle::List>(id);
        if (!pair) pair = pickle_.find<Pickle::Tuple>(id);
        if (!pair || pair->elements.size() != 2) fail("makes an OrderedDict in an unknown way");
        dict.elements.insert(dict.elements.end(), pair->elements.begin(), pair->elements.end());
      }
    }
    push(std::move(dict));
    return true;
  }

  void build() {
    // Of a state_dict it is its `_metadata`, versions of modules, and of a tensor its hooks: they mean nothing here.
    const Id state = pop(), target = top();
    if (auto* object = std::get_if<Pickle::Object>(&pickle_.nodes[target])) {
      object->state = state;
    } else if (!pickle_.find<Pickle::TensorId>(target)) {
      get<Pickle::Dict>(target, "an OrderedDict or an object");
    }
  }

  void load_persistent() {
    const Id description = pop();
    const Ids& id = tuple(description, "the description of a storage");
    const std::string kind = id.empty() ? "" : get<std::string>(id[0], "the word 'storage'");
    if (kind == "module" && id.size() > 1) return push_again(id[1]);  // a class, and its source
    if (kind != "storage" || id.size() < 5 || id.size() > 6) fail("describes an unknown kind of data");
    const auto& type = get<Pickle::Global>(id[1], "the type of a storage");
    if (type.role == Role::other) return push(Pickle::Object{.callable = id[1], .arguments = description});
    if (type.role != Role::storage) fail("has something else where the type of a storage is expected");
    // ("storage", type, key, device, numel), before 1.6 also None or (key, begin, numel) of a view. The elements come
    // to the CPU whatever the device was.
    Pickle::Storage storage{type.stored, get<std::string>(id[2], "the key of a storage"),
                            get<std::int64_t>(id[4], "the size of a storage")};
    if (storage.numel < 0) fail("has a storage of negative size");
    if (id.size() == 6 && !pickle_.find<std::monostate>(id[5])) {
      const Ids& view = tuple(id[5], "the view of a storage");
      if (view.size() != 3) fail("has a view of a storage in an unknown form");
      storage.begin = get<std::int64_t>(view[1], "the begin of a view");
      storage.view_numel = get<std::int64_t>(view[2], "the size of a view");
      const bool inside = 0 <= storage.begin && storage.begin <= storage.numel && 0 <= storage.view_numel &&
                          storage.view_numel <= storage.numel - storage.begin;
      if (!inside) fail("has a view that is not inside its storage");
    }
    push(Pickle::StorageId{add(std::move(storage))});
  }

  Id add(Pickle::Storage storage) {
    budget_.spend(sizeof storage + storage.key.size());
    pickle_.storages.push_back(std::move(storage));
    return static_cast<Id>(pickle_.storages.size() - 1);
  }

  bool rebuild_tensor(const Ids& arguments) {
    // (storage, offset, shape, strides), later also (requires_grad, hooks), then (dtype) in its third version, then
    // metadata, which mean nothing here.
    if (arguments.size() < 4 || arguments.size() > 8) fail("makes a tensor in an unknown way");
    if (pickle_.find<Pickle::Object>(arguments[0])) return false;
    Id storage = get<Pickle::StorageId>(arguments[0], "the storage of a tensor").id;
    if (arguments.size() > 6 && pickle_.find<Pickle::Global>(arguments[6])) {
      const auto typed = with_dtype(storage, arguments[6]);
      if (!typed) return false;
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
    return true;
  }

  /// The storage of bytes as one of this dtype; nothing for a dtype that gradus does not read.
  std::optional<Id> with_dtype(Id storage, Id dtype) {
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
    return add(std::move(typed));
  }

  Shape shape_of(Id numbers) const {
    const Ids& elements = tuple(numbers, "the shape of a tensor");
    throw_if<FileError>(elements.size() > Shape::max_rank, "a tensor has ", elements.size(),
                        " dimensions, gradus supports at most ", Shape::max_rank);
    Shape shape;
    for (const Id element : elements) shape.push_back(get<std::int64_t>(element, "a size or stride of a tensor"));
    return shape;
  }
};

}  // namespace

Pickle take_pickle(Bytes& file, Budget& budget) { return PickleMachine(file, budget).run(); }

Pickle parse_pickle(Bytes file, Budget& budget) {
  Pickle pickle = take_pickle(file, budget);
  throw_if<FileError>(!file.empty(), "its pickle does not end with one value");
  return pickle;
}

}  // namespace gradus::detail
