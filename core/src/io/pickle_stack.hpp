// The stack that a pickle works on.
#pragma once

#include "io/pickle.hpp"
#include "tensor/message.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <unordered_map>

namespace gradus::detail {

/// The program, and the nodes that its opcodes push, pop and join.
class PickleStack {
 protected:
  using Id = Pickle::Id;
  using Ids = std::vector<Id>;

  PickleStack(Bytes& program, Budget& budget) : budget_(budget), program_(program) {}

  [[noreturn]] static void fail(std::string_view what) { gradus::detail::fail<FileError>("its pickle ", what); }

  // --- what follows an opcode

  template <class T>
  T read() {  // little-endian
    T number;
    std::memcpy(&number, take(sizeof number).data(), sizeof number);
    return number;
  }

  std::string read_text(std::uint64_t size) {
    const Bytes text = take(size);
    budget_.spend(size);
    return {reinterpret_cast<const char*>(text.data()), text.size()};
  }

  std::string read_line() {
    const auto end = std::ranges::find(program_, std::byte{'\n'});
    if (end == program_.end()) fail("ends too early");
    std::string line = read_text(static_cast<std::size_t>(end - program_.begin()));
    take(1);
    return line;
  }

  std::int64_t read_decimal() {
    const std::string digits = read_line();
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("has text where an integer is expected");
    return number;
  }

  double read_big_endian_double() { return std::bit_cast<double>(__builtin_bswap64(read<std::uint64_t>())); }

  // --- the stack

  void push(Pickle::Node node) {
    budget_.spend(sizeof node);
    pickle_.nodes.push_back(std::move(node));
    stack_.push_back(static_cast<Id>(pickle_.nodes.size() - 1));
  }

  void push_again(Id id) { stack_.push_back(id); }

  /// An integer of two's complement in any number of bytes; one of more than 64 bits is an object.
  void push_long(std::size_t size) {
    const std::string digits = read_text(size);
    if (digits.size() > sizeof(std::int64_t)) return push_builtin("int", {});
    std::int64_t number = !digits.empty() && static_cast<signed char>(digits.back()) < 0 ? -1 : 0;
    std::memcpy(&number, digits.data(), digits.size());  // the sign fills what is left out
    push(number);
  }

  void push_builtin(const char* name, Ids elements) {
    push(Pickle::Global{.role = Pickle::Global::Role::other, .name = message("builtins.", name)});
    const Id type = pop();
    push(Pickle::Tuple());
    push(Pickle::Object{.callable = type, .arguments = pop(), .elements = std::move(elements)});
  }

  void push_tuple(std::size_t size) {
    Ids elements(size);
    for (std::size_t i = size; i-- > 0;) elements[i] = pop();
    push(Pickle::Tuple{{std::move(elements)}});
  }

  Id pop() {
    const std::size_t bottom = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= bottom) fail("takes more from its stack than there is");
    const Id id = stack_.back();
    stack_.pop_back();
    return id;
  }

  Id top() {
    stack_.push_back(pop());
    return stack_.back();
  }

  void mark() { marks_.push_back(stack_.size()); }

  Ids pop_to_mark() {
    if (marks_.empty()) fail("looks for a mark that is not there");
    const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    Ids elements(begin, stack_.end());
    stack_.erase(begin, stack_.end());
    marks_.pop_back();
    return elements;
  }

  /// Adds to the container on top of the stack, or to an object derived from one.
  template <class Container>
  void extend(const Ids& elements, const char* mistake) {
    Pickle::Node& target = pickle_.nodes[top()];
    auto* container = std::get_if<Container>(&target);
    auto* object = std::get_if<Pickle::Object>(&target);
    if (!container && !object) fail(mistake);
    Ids& known = container ? container->elements : object->elements;
    known.insert(known.end(), elements.begin(), elements.end());
  }

  void memorize(std::size_t name) { memo_[name] = top(); }
  void memorize_next() { memorize(memo_.size()); }

  void recall(std::size_t name) {
    const auto found = memo_.find(name);
    if (found == memo_.end()) fail("refers to something it did not remember");
    push_again(found->second);
  }

  /// The content of a node, which has to be a T.
  template <class T>
  const T& get(Id id, const char* expected) const {
    if (const T* found = pickle_.find<T>(id)) return *found;
    fail(message("has something else where ", expected, " is expected"));
  }
  const Ids& tuple(Id id, const char* expected) const { return get<Pickle::Tuple>(id, expected).elements; }

  bool is_clear() const { return stack_.empty() && marks_.empty(); }

  Budget& budget_;
  Pickle pickle_;

 private:
  Bytes take(std::uint64_t size) {
    if (program_.size() < size) fail("ends too early");
    const Bytes taken = program_.first(static_cast<std::size_t>(size));
    program_ = program_.subspan(taken.size());
    return taken;
  }

  Bytes& program_;
  Ids stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::size_t, Id> memo_;
};

}  // namespace gradus::detail
