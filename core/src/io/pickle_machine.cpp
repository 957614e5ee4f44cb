#include "io/pickle_machine.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "tensor/message.hpp"

namespace gradus::detail {
namespace {

enum Opcode : std::uint8_t {
  MARK = '(',
  STOP = '.',
  BININT = 'J',
  BININT1 = 'K',
  BININT2 = 'M',
  LONG1 = 0x8a,
  BINFLOAT = 'G',
  NONE = 'N',
  NEWTRUE = 0x88,
  NEWFALSE = 0x89,
  BINUNICODE = 'X',
  SHORT_BINSTRING = 'U',
  EMPTY_LIST = ']',
  EMPTY_DICT = '}',
  EMPTY_TUPLE = ')',
  TUPLE = 't',
  TUPLE1 = 0x85,
  TUPLE2 = 0x86,
  TUPLE3 = 0x87,
  APPEND = 'a',
  APPENDS = 'e',
  SETITEM = 's',
  SETITEMS = 'u',
  BINPUT = 'q',
  LONG_BINPUT = 'r',
  BINGET = 'h',
  LONG_BINGET = 'j',
  GLOBAL = 'c',
  REDUCE = 'R',
  NEWOBJ = 0x81,
  BUILD = 'b',
  BINPERSID = 'Q',
  PROTO = 0x80,
};

}  // namespace

void PickleMachine::fail(std::string_view what) { throw FileError(message("its pickle ", what)); }

Pickle PickleMachine::run() {
  if (read<std::uint8_t>() != PROTO || read<std::uint8_t>() != 2) {
    fail("does not have protocol 2\nSave it again with torch.save, without `pickle_protocol`.");
  }
  for (;;) {
    const auto opcode = read<std::uint8_t>();
    if (opcode == STOP) break;
    step(opcode);
  }
  pickle_.root = pop();
  if (!stack_.empty() || !marks_.empty() || !program_.empty()) fail("does not end with one value");
  return std::move(pickle_);
}

void PickleMachine::step(std::uint8_t opcode) {
  if (push_plain(opcode)) return;
  switch (opcode) {
    case MARK:
      return marks_.push_back(stack_.size());
    case TUPLE:
      return push(Pickle::Tuple{pop_to_mark()});
    case TUPLE1:
      return push_tuple(1);
    case TUPLE2:
      return push_tuple(2);
    case TUPLE3:
      return push_tuple(3);
    case APPEND:
      return append({pop()});
    case APPENDS:
      return append(pop_to_mark());
    case SETITEM: {
      const Id value = pop(), key = pop();
      return set_items({key, value});
    }
    case SETITEMS:
      return set_items(pop_to_mark());
    case BINPUT:
      return memorize(read<std::uint8_t>());
    case LONG_BINPUT:
      return memorize(read<std::uint32_t>());
    case BINGET:
      return recall(read<std::uint8_t>());
    case LONG_BINGET:
      return recall(read<std::uint32_t>());
    case GLOBAL:
      return push_global();
    case REDUCE:
    case NEWOBJ:
      return call();
    case BUILD:
      return build();
    case BINPERSID:
      return load_storage();
    default:
      fail(message("has the opcode ", static_cast<int>(opcode), ", which torch.save does not write for tensors"));
  }
}

bool PickleMachine::push_plain(std::uint8_t opcode) {
  switch (opcode) {
    case NONE:
      push(std::monostate());
      return true;
    case NEWTRUE:
      push(true);
      return true;
    case NEWFALSE:
      push(false);
      return true;
    case BININT:
      push(std::int64_t{read<std::int32_t>()});
      return true;
    case BININT1:
      push(std::int64_t{read<std::uint8_t>()});
      return true;
    case BININT2:
      push(std::int64_t{read<std::uint16_t>()});
      return true;
    case LONG1:
      push(read_long());
      return true;
    case BINFLOAT:
      push(read_big_endian_double());
      return true;
    case BINUNICODE:
      push(read_text(read<std::uint32_t>()));
      return true;
    case SHORT_BINSTRING:
      push(read_text(read<std::uint8_t>()));
      return true;
    case EMPTY_LIST:
      push(Pickle::List());
      return true;
    case EMPTY_DICT:
      push(Pickle::Dict());
      return true;
    case EMPTY_TUPLE:
      push(Pickle::Tuple());
      return true;
    default:
      return false;
  }
}

void PickleMachine::push_global() {
  using Role = Pickle::Global::Role;
  static const std::map<std::string, Pickle::Global> known = {
      {"collections.OrderedDict", {Role::ordered_dict}},
      {"torch.Size", {Role::size}},
      {"torch._utils._rebuild_tensor_v2", {Role::rebuild_tensor}},
      {"torch._utils._rebuild_parameter", {Role::rebuild_parameter}},
      {"torch.BoolStorage", {Role::storage, Stored::boolean}},
      {"torch.ByteStorage", {Role::storage, Stored::u8}},
      {"torch.CharStorage", {Role::storage, Stored::i8}},
      {"torch.ShortStorage", {Role::storage, Stored::i16}},
      {"torch.IntStorage", {Role::storage, Stored::i32}},
      {"torch.LongStorage", {Role::storage, Stored::i64}},
      {"torch.HalfStorage", {Role::storage, Stored::f16}},
      {"torch.BFloat16Storage", {Role::storage, Stored::bf16}},
      {"torch.FloatStorage", {Role::storage, Stored::f32}},
      {"torch.DoubleStorage", {Role::storage, Stored::f64}}};
  const std::string module = read_line(), name = module + "." + read_line();
  const auto found = known.find(name);
  if (found != known.end()) return push(found->second);
  throw FileError(
      message("it holds a Python object, '", name,
              "', and only tensors, numbers, strings, lists, tuples and dicts are read\nSave what is needed as "
              "those, e.g. torch.save(model.state_dict(), path)."));
}

template <class T>
T PickleMachine::read() {
  T number;
  if (program_.size() < sizeof number) fail("ends too early");
  std::memcpy(&number, program_.data(), sizeof number);
  program_ = program_.subspan(sizeof number);
  return number;
}

std::string PickleMachine::read_text(std::size_t size) {
  if (program_.size() < size) fail("ends too early");
  budget_.spend(size);
  std::string text(reinterpret_cast<const char*>(program_.data()), size);
  program_ = program_.subspan(size);
  return text;
}

std::string PickleMachine::read_line() {
  const auto end = std::find(program_.begin(), program_.end(), std::byte{'\n'});
  if (end == program_.end()) fail("ends too early");
  const std::string line = read_text(static_cast<std::size_t>(end - program_.begin()));
  program_ = program_.subspan(1);
  return line;
}

std::int64_t PickleMachine::read_long() {
  const std::string digits = read_text(read<std::uint8_t>());
  if (digits.empty()) return 0;
  if (digits.size() > sizeof(std::int64_t)) fail("has an integer of more than 64 bits");
  std::int64_t number = static_cast<signed char>(digits.back()) < 0 ? -1 : 0;  // the sign fills what is left out
  std::memcpy(&number, digits.data(), digits.size());
  return number;
}

double PickleMachine::read_big_endian_double() {
  return std::bit_cast<double>(__builtin_bswap64(read<std::uint64_t>()));
}

void PickleMachine::push(Pickle::Node node) {
  budget_.spend(sizeof node);
  pickle_.nodes.push_back(std::move(node));
  stack_.push_back(static_cast<Id>(pickle_.nodes.size() - 1));
}

Pickle::Id PickleMachine::pop() {
  const std::size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= bottom) fail("takes more from its stack than there is");
  const Id id = stack_.back();
  stack_.pop_back();
  return id;
}

std::vector<Pickle::Id> PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail("looks for a mark that is not there");
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Id> elements(begin, stack_.end());
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return elements;
}

void PickleMachine::push_tuple(std::size_t size) {
  Pickle::Tuple tuple;
  for (std::size_t i = 0; i < size; ++i) tuple.elements.push_back(pop());
  std::reverse(tuple.elements.begin(), tuple.elements.end());
  push(std::move(tuple));
}

void PickleMachine::set_items(const std::vector<Id>& items) {
  if (items.size() % 2 != 0) fail("has a key without a value");
  const Id target = pop();
  auto* dict = std::get_if<Pickle::Dict>(&pickle_.nodes[target]);
  if (!dict) fail("sets items of something that is no dict");
  dict->elements.insert(dict->elements.end(), items.begin(), items.end());
  stack_.push_back(target);
}

void PickleMachine::append(const std::vector<Id>& elements) {
  const Id target = pop();
  auto* list = std::get_if<Pickle::List>(&pickle_.nodes[target]);
  if (!list) fail("appends to something that is no list");
  list->elements.insert(list->elements.end(), elements.begin(), elements.end());
  stack_.push_back(target);
}

void PickleMachine::memorize(std::uint32_t name) {
  const Id top = pop();
  stack_.push_back(top);
  memo_[name] = top;
}

void PickleMachine::recall(std::uint32_t name) {
  const auto found = memo_.find(name);
  if (found == memo_.end()) fail("refers to something it did not remember");
  stack_.push_back(found->second);
}

}  // namespace gradus::detail
