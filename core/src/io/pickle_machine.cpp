#include "io/pickle_machine.hpp"

#include "tensor/message.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

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

}  // namespace

void PickleMachine::fail(std::string_view what) { throw FileError(message("its pickle ", what)); }

Pickle PickleMachine::run() {
  const bool has_protocol = read<std::uint8_t>() == PROTO;
  const auto protocol = read<std::uint8_t>();
  if (!has_protocol || protocol < 2 || protocol > 5) {
    fail("does not have protocol 2 to 5\nSave it again with torch.save, without `pickle_protocol`.");
  }
  for (;;) {
    const auto opcode = read<std::uint8_t>();
    if (opcode == STOP) break;
    step(opcode);
  }
  pickle_.root = pop();
  if (!stack_.empty() || !marks_.empty()) fail("does not end with one value");
  return std::move(pickle_);
}

void PickleMachine::step(std::uint8_t opcode) {
  switch (opcode) {
    case MARK: return marks_.push_back(stack_.size());
    case POP: return static_cast<void>(pop());
    case POP_MARK: return static_cast<void>(pop_to_mark());
    case DUP: return stack_.push_back(top());
    case FROZENSET: return push_set("frozenset", pop_to_mark());
    case EMPTY_SET: return push_set("set", {});
    case TUPLE: return push(Pickle::Tuple{pop_to_mark()});
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
    case BINPUT: return memorize(read<std::uint8_t>());
    case LONG_BINPUT: return memorize(read<std::uint32_t>());
    case MEMOIZE: return memorize(static_cast<std::uint32_t>(memo_.size()));
    case BINGET: return recall(read<std::uint8_t>());
    case LONG_BINGET: return recall(read<std::uint32_t>());
    case GLOBAL: {
      const std::string module = read_line();
      return push_global(module, read_line());
    }
    case STACK_GLOBAL: return push_global_of_stack();
    case NEWOBJ_EX:
      pop();  // the arguments with names
      [[fallthrough]];
    case REDUCE:
    case NEWOBJ: return call();
    case OBJ: return call_class_before_arguments();
    case BUILD: return build();
    case BINPERSID: return load_persistent();
    case FRAME: return static_cast<void>(read<std::uint64_t>());
    default: push_plain(opcode);
  }
}

void PickleMachine::push_plain(std::uint8_t opcode) {
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
    case EMPTY_LIST: return push(Pickle::List());
    case EMPTY_DICT: return push(Pickle::Dict());
    case EMPTY_TUPLE: return push(Pickle::Tuple());
    default: push_text(opcode);
  }
}

void PickleMachine::push_text(std::uint8_t opcode) {
  switch (opcode) {
    case BINUNICODE:
    case BINSTRING: return push(read_text(read<std::uint32_t>()));
    case SHORT_BINUNICODE:
    case SHORT_BINSTRING: return push(read_text(read<std::uint8_t>()));
    case BINUNICODE8: return push(read_text(read<std::uint64_t>()));
    case BINBYTES: return push(Pickle::Bytes{read_text(read<std::uint32_t>())});
    case SHORT_BINBYTES: return push(Pickle::Bytes{read_text(read<std::uint8_t>())});
    case BINBYTES8:
    case BYTEARRAY8: return push(Pickle::Bytes{read_text(read<std::uint64_t>())});
    default: fail(message("has the opcode ", static_cast<int>(opcode), ", which torch.save does not write"));
  }
}

void PickleMachine::push_global_of_stack() {
  const Id name = pop(), module = pop();
  const std::string text = get<std::string>(name, "a name");
  push_global(get<std::string>(module, "the name of a module"), text);
}

void PickleMachine::push_long(std::size_t size) {
  const std::string digits = read_text(size);
  if (digits.size() > sizeof(std::int64_t)) return push_set("int", {});
  if (digits.empty()) return push(std::int64_t{0});
  std::int64_t number = static_cast<signed char>(digits.back()) < 0 ? -1 : 0;  // the sign fills what is left out
  std::memcpy(&number, digits.data(), digits.size());
  push(number);
}

template <class T>
T PickleMachine::read() {
  T number;
  if (program_.size() < sizeof number) fail("ends too early");
  std::memcpy(&number, program_.data(), sizeof number);
  program_ = program_.subspan(sizeof number);
  return number;
}

std::string PickleMachine::read_text(std::uint64_t size) {
  if (program_.size() < size) fail("ends too early");
  budget_.spend(size);
  std::string text(reinterpret_cast<const char*>(program_.data()), static_cast<std::size_t>(size));
  program_ = program_.subspan(text.size());
  return text;
}

std::string PickleMachine::read_line() {
  const auto end = std::find(program_.begin(), program_.end(), std::byte{'\n'});
  if (end == program_.end()) fail("ends too early");
  std::string line = read_text(static_cast<std::size_t>(end - program_.begin()));
  program_ = program_.subspan(1);
  return line;
}

std::int64_t PickleMachine::read_decimal() {
  const std::string digits = read_line();
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) fail("has text where an integer is expected");
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

void PickleMachine::push_object(Id callable, Id arguments) {
  push(Pickle::Object{.callable = callable, .arguments = arguments});
}

void PickleMachine::push_set(std::string_view name, std::vector<Id> elements) {
  push(Pickle::Global{.role = Pickle::Global::Role::other, .name = "builtins." + std::string(name)});
  const Id type = pop();
  push(Pickle::Tuple());
  push(Pickle::Object{.callable = type, .arguments = pop(), .elements = std::move(elements)});
}

Pickle::Id PickleMachine::pop() {
  const std::size_t bottom = marks_.empty() ? 0 : marks_.back();
  if (stack_.size() <= bottom) fail("takes more from its stack than there is");
  const Id id = stack_.back();
  stack_.pop_back();
  return id;
}

Pickle::Id PickleMachine::top() {
  stack_.push_back(pop());
  return stack_.back();
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
  extend<Pickle::Dict>(items, "sets items of something that is no dict");
}

void PickleMachine::append(const std::vector<Id>& elements) {
  extend<Pickle::List>(elements, "appends to something that is no list");
}

/// Adds to the container on top of the stack, or to an object derived from one.
template <class Container>
void PickleMachine::extend(const std::vector<Id>& elements, const char* mistake) {
  Pickle::Node& target = pickle_.nodes[top()];
  auto* container = std::get_if<Container>(&target);
  auto* object = std::get_if<Pickle::Object>(&target);
  if (!container && !object) fail(mistake);
  std::vector<Id>& known = container ? container->elements : object->elements;
  known.insert(known.end(), elements.begin(), elements.end());
}

void PickleMachine::memorize(std::uint32_t name) { memo_[name] = top(); }

void PickleMachine::recall(std::uint32_t name) {
  const auto found = memo_.find(name);
  if (found == memo_.end()) fail("refers to something it did not remember");
  stack_.push_back(found->second);
}

}  // namespace gradus::detail
