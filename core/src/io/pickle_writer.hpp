// Values as a pickle that torch.load accepts, with weights_only as well.
#pragma once

#include "io/elements.hpp"
#include "io/value_json.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"

#include <bit>
#include <map>

namespace gradus::detail {

/// Writes one value with the opcodes that PickleMachine reads: Lib/pickletools.py of Python. Tensors that are the same
/// elements share one storage.
class PickleWriter {
 public:
  /// Throws ValueError for text that is not UTF-8 and for a tree that is nested too deep.
  explicit PickleWriter(const Value& value) : out_("\x80\x02") {
    put(value, 0);
    out_ += '.';
  }

  const std::string& pickle() const { return out_; }
  /// Storage i holds the elements of tensor i.
  const std::vector<Tensor>& storages() const { return storages_; }

 private:
  template <class T>
  void put_raw(T number) {
    out_.append(reinterpret_cast<const char*>(&number), sizeof number);
  }

  void put(const Value& value, int depth) {
    check_writable(value, depth);
    switch (value.kind()) {
      case Value::Kind::none: out_ += 'N'; break;
      case Value::Kind::truth: out_ += value.as_bool() ? '\x88' : '\x89'; break;
      case Value::Kind::integer: put(value.as_int()); break;
      case Value::Kind::real: put(value.as_double()); break;
      case Value::Kind::string: put(value.as_string()); break;
      case Value::Kind::tensor: put(value.as_tensor()); break;
      case Value::Kind::list: put_elements("](", value.as_list(), 'e', depth); break;
      case Value::Kind::tuple: put_elements("(", value.as_list(), 't', depth); break;
      case Value::Kind::dict:
        out_ += "}(";
        for (const auto& [key, item] : value.as_dict()) {
          put(key, depth + 1);
          put(item, depth + 1);
        }
        out_ += 'u';
        break;
      case Value::Kind::object: break;
    }
  }

  void put_elements(std::string_view begin, const Value::List& elements, char end, int depth) {
    out_ += begin;
    for (const Value& element : elements) put(element, depth + 1);
    out_ += end;
  }

  void put(std::int64_t integer) {
    if (integer == static_cast<std::int32_t>(integer)) {
      out_ += 'J';
      put_raw(static_cast<std::int32_t>(integer));
    } else {
      out_ += "\x8a\x08";  // an integer of 8 bytes
      put_raw(integer);
    }
  }

  void put(double real) {
    out_ += 'G';
    put_raw(__builtin_bswap64(std::bit_cast<std::uint64_t>(real)));
  }

  void put(const std::string& text) {
    check_utf8(text);
    out_ += 'X';
    put_raw(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }

  void put(const Tensor& tensor) {
    // _rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)
    out_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    put("storage");
    out_ += message("ctorch\n", names_of(tensor.dtype()).torch, "Storage\n");
    put(std::to_string(storage_of(tensor)));
    put("cpu");
    put(tensor.numel());
    out_ += "tQ";
    put(std::int64_t{0});
    put(tensor.shape());
    put(strides_of(tensor.shape()));
    out_ +=
        "\x89"
        "ccollections\nOrderedDict\n)R"
        "tR";
  }

  void put(const Shape& numbers) {
    out_ += '(';
    for (const std::int64_t number : numbers) put(number);
    out_ += 't';
  }

  std::size_t storage_of(const Tensor& tensor) {
    const std::pair<const void*, Dtype> place{element_bytes(tensor).data(), tensor.dtype()};
    const auto same = known_.find(place);
    if (same != known_.end() && storages_[same->second].numel() == tensor.numel()) return same->second;
    if (tensor.numel() > 0) known_.insert_or_assign(place, storages_.size());
    storages_.push_back(tensor);
    return storages_.size() - 1;
  }

  std::string out_;
  std::vector<Tensor> storages_;
  std::map<std::pair<const void*, Dtype>, std::size_t> known_;  // where elements lie -> their storage
};

}  // namespace gradus::detail
