// Values as a pickle that torch.load accepts, with weights_only as well.
#pragma once

#include <gradus/core/value.hpp>

#include <map>

namespace gradus::detail {

/// Writes one value with the opcodes that PickleMachine reads. Tensors that are the same elements share one storage.
class PickleWriter {
 public:
  /// Throws ValueError for text that is not UTF-8 and for a tree that is nested too deep.
  explicit PickleWriter(const Value& value);

  const std::string& pickle() const { return out_; }
  /// Storage i holds the elements of tensor i.
  const std::vector<Tensor>& storages() const { return storages_; }

 private:
  void put(const Value& value, int depth);
  void put(std::int64_t integer);
  void put(double real);
  void put(const std::string& text);
  void put(const Tensor& tensor);
  void put(const Shape& numbers);
  void put_elements(const Value::List& elements, int depth);
  std::size_t storage_of(const Tensor& tensor);
  template <class T>
  void put_raw(T number);

  std::string out_;
  std::vector<Tensor> storages_;
  std::map<std::pair<const void*, Dtype>, std::size_t> known_;  // where elements lie -> their storage
};

}  // namespace gradus::detail
