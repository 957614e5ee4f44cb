// Value: numbers, strings, lists and dicts with tensors among them, as Python has them. What a checkpoint of a training
// holds beside the weights: the epoch, the state of an optimiser, its options.
#pragma once

#include <gradus/core/state_dict.hpp>

namespace gradus {

/// A tree of Python's plain types. Build one by assigning to its keys:
/// ```
/// Value checkpoint;
/// checkpoint["model"] = model.state_dict();
/// checkpoint["epoch"] = 3;
/// ```
/// Copying it copies the tree, but handles of tensors. Files hold trees up to 100 deep; one of a hundred thousand would
/// exhaust the stack when it is copied or destroyed. The `as_…` functions throw TypeError, with the kind that was
/// found, for another one.
///
/// What else Python has is an object, known by the name of its type: "torch.optim.sgd.SGD". A module holds its
/// state_dict as a dict, a set its elements as a list, bytes a string, a torch.device its name; of them the `as_…`
/// functions take what they hold. Other objects are passed over and hold nothing. Files can be read with objects in
/// them, but not written.
class Value {
 public:
  enum class Kind : std::uint8_t { none, truth, integer, real, string, tensor, list, tuple, dict, object };
  using Item = std::pair<Value, Value>;  ///< key, a string or an integer, and value
  using List = std::vector<Value>;
  using Dict = std::vector<Item>;

  Value();  ///< None
  Value(const Value&);
  Value(Value&&) noexcept;
  Value& operator=(const Value&);
  Value& operator=(Value&&) noexcept;
  ~Value();
  /// Throws RuntimeError for an integer of 2^63 and more.
  template <Number T>
  Value(T number) : Value(number, Scalar(number).kind()) {}
  Value(std::string text);
  Value(const char* text) : Value(std::string(text)) {}
  Value(Tensor tensor);
  Value(const StateDict& state);  ///< a dict
  static Value list(List elements = {});
  static Value tuple(List elements = {});
  static Value dict(Dict items = {});  ///< Throws KeyError when a key occurs twice.

  static Value object(std::string type);                 ///< one that is passed over
  static Value object(std::string type, Value content);  ///< one that holds something

  Kind kind() const;
  /// As Python calls the type: of an object the name of its class, with its module.
  std::string_view type_name() const;
  bool is_none() const { return kind() == Kind::none; }

  bool as_bool() const;
  std::int64_t as_int() const;
  double as_double() const;  ///< of a real number or an integer
  const std::string& as_string() const;
  const Tensor& as_tensor() const;
  const List& as_list() const;  ///< of a list or a tuple
  List& as_list();
  const Dict& as_dict() const;      ///< the items in the order in which they were added
  StateDict as_state_dict() const;  ///< of a dict from strings to tensors

  /// The elements of a list, or the items of a dict. Throws TypeError for another kind.
  std::size_t size() const;

  /// What an object holds, None when it was passed over; the value itself when it is no object.
  const Value& content() const;

  /// The value under a key of a dict: a string or an integer. Throws KeyError.
  const Value& at(const Value& key) const;
  const Value& operator[](const Value& key) const { return at(key); }
  Value& operator[](const Value& key);  ///< adds the key when it is new; None becomes a dict
  bool contains(const Value& key) const;

  /// All tensors in the tree under the path of keys and positions that leads to them, joined by dots: "model.0.weight".
  StateDict tensors() const;

 private:
  struct Content;  // in value.cpp, so that a program that includes this compiles no variant
  Value(Scalar number, Dtype kind);
  template <class T>
  const T& get() const;
  const Value* find(const Value& key) const;

  std::unique_ptr<Content> content_;  // null: None
};

/// "None", "float", "list", …: as Python calls the type.
std::string_view to_string(Value::Kind kind);

}  // namespace gradus
