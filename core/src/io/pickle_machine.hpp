// The stack machine that a pickle is a program for.
#pragma once

#include <unordered_map>

#include "io/pickle.hpp"

namespace gradus::detail {

/// Runs a pickle. Every opcode pushes, pops or joins nodes; the protocol is described in Python's Lib/pickletools.py,
/// the choice of opcodes is that of torch/_weights_only_unpickler.py.
class PickleMachine {
 public:
  PickleMachine(Bytes program, Budget& budget) : program_(program), budget_(budget) {}
  Pickle run();

 private:
  using Id = Pickle::Id;

  [[noreturn]] static void fail(std::string_view what);

  void step(std::uint8_t opcode);
  bool push_plain(std::uint8_t opcode);  // false for an opcode that is none of numbers, strings and empty containers
  void push_global();

  template <class T>
  T read();  // little-endian
  std::string read_text(std::size_t size);
  std::string read_line();
  std::int64_t read_long();
  double read_big_endian_double();

  void push(Pickle::Node node);
  Id pop();
  std::vector<Id> pop_to_mark();
  void push_tuple(std::size_t size);
  void set_items(const std::vector<Id>& items);
  void append(const std::vector<Id>& elements);
  void memorize(std::uint32_t name);
  void recall(std::uint32_t name);

  // Calls of the names in Pickle::Global, see pickle_calls.cpp.
  void call();
  void build();
  void load_storage();
  void rebuild_tensor(const std::vector<Id>& arguments);
  Shape shape_of(Id tuple) const;

  /// The content of a node, which has to be a T.
  template <class T>
  const T& get(Id id, const char* expected) const {
    if (const T* found = std::get_if<T>(&pickle_.nodes[id])) return *found;
    throw FileError(std::string("its pickle has something else where ") + expected + " is expected");
  }

  Bytes program_;
  Budget& budget_;
  Pickle pickle_;
  std::vector<Id> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint32_t, Id> memo_;
};

}  // namespace gradus::detail
