// The stack machine that a pickle is a program for.
#pragma once

#include "io/pickle.hpp"

#include <unordered_map>

namespace gradus::detail {

/// Runs the pickle at the beginning of `program`, which loses it. Every opcode pushes, pops or joins nodes; they are
/// described in Python's Lib/pickletools.py.
class PickleMachine {
 public:
  PickleMachine(Bytes& program, Budget& budget) : program_(program), budget_(budget) {}
  Pickle run();

 private:
  using Id = Pickle::Id;

  [[noreturn]] static void fail(std::string_view what);

  void step(std::uint8_t opcode);
  void push_plain(std::uint8_t opcode);  // numbers and empty containers
  void push_text(std::uint8_t opcode);   // strings and bytes
  void push_global(const std::string& module, const std::string& name);
  void push_global_of_stack();
  void push_long(std::size_t size);

  template <class T>
  T read();  // little-endian
  std::string read_text(std::uint64_t size);
  std::string read_line();
  std::int64_t read_decimal();
  double read_big_endian_double();

  void push(Pickle::Node node);
  void push_object(Id callable, Id arguments);
  void push_set(std::string_view name, std::vector<Id> elements);
  Id pop();
  Id top();
  std::vector<Id> pop_to_mark();
  void push_tuple(std::size_t size);
  void set_items(const std::vector<Id>& items);
  void append(const std::vector<Id>& elements);
  template <class Container>
  void extend(const std::vector<Id>& elements, const char* mistake);
  void memorize(std::uint32_t name);
  void recall(std::uint32_t name);

  // Calls of the names in Pickle::Global, see pickle_calls.cpp.
  void call();
  void call(Id function, Id arguments);
  void call_class_before_arguments();
  void make_ordered_dict(Id function, Id arguments);
  void build();
  void load_persistent();
  void load_storage(const std::vector<Id>& id);
  void rebuild_tensor(Id function, Id arguments);
  std::optional<Id> with_dtype(Id storage, Id dtype);
  Shape shape_of(Id tuple) const;

  /// The content of a node, which has to be a T.
  template <class T>
  const T& get(Id id, const char* expected) const {
    if (const T* found = std::get_if<T>(&pickle_.nodes[id])) return *found;
    throw FileError(std::string("its pickle has something else where ") + expected + " is expected");
  }

  Bytes& program_;
  Budget& budget_;
  Pickle pickle_;
  std::vector<Id> stack_;
  std::vector<std::size_t> marks_;  // heights of the stack
  std::unordered_map<std::uint32_t, Id> memo_;
};

}  // namespace gradus::detail
