#include <charconv>
#include <gradus/core/create.hpp>
#include <optional>

#include "io/pickle.hpp"
#include "io/pytorch.hpp"
#include "io/zip.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

// Format: torch/serialization.py and caffe2/serialize/inline_container.cc of PyTorch.
namespace gradus::detail {
namespace {

using namespace std::string_view_literals;

std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Files from before PyTorch 1.6 are told apart, because their remedy is a better one than for a damaged file.
void check_not_legacy(Bytes file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  const bool magic_number = text.starts_with("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv);
  const bool tar = text.size() > 262 && text.substr(257, 5) == "ustar";
  if (!magic_number && !tar) return;
  throw FileError(
      "it has the format of torch.save before PyTorch 1.6\nSave it again with a newer PyTorch, or as "
      "safetensors.");
}

/// The archive behind a checkpoint, and what its pickle says.
class PytorchFile {
 public:
  PytorchFile(Bytes file, Budget& budget, bool share_storage)
      : archive_(file), budget_(budget), share_storage_(share_storage) {
    find_folder();
    check_kind();
    pickle_ = parse_pickle(archive_.read(folder_ + "data.pkl", budget_), budget_);
  }

  Value read() { return value_of(pickle_.root, 0); }

 private:
  struct Storage {
    Buffer bytes;
    Tensor whole;  // when memory is shared: all elements, in one dimension
  };

  void find_folder() {
    if (archive_.names().empty()) throw FileError("it is an empty archive");
    const std::string& first = archive_.names().front();
    folder_ = first.substr(0, first.find('/') + 1);
    for (const std::string& name : archive_.names()) {
      if (folder_.empty() || !name.starts_with(folder_)) {
        throw FileError("its archive does not have one folder with all files");
      }
    }
  }

  std::optional<std::string> text(const std::string& name) {
    if (!archive_.contains(folder_ + name)) return std::nullopt;
    return text_of(archive_.read(folder_ + name, budget_));
  }

  void check_kind() {
    if (archive_.contains(folder_ + "constants.pkl")) {
      throw FileError(
          "it is a TorchScript archive, with code in it\nSave the weights: torch.save(model.state_dict(), path).");
    }
    auto version = text("version");
    if (!version) version = text(".data/version");
    if (!version) throw FileError("its archive has no file 'version'; PyTorch did not write it");
    int number = 0;
    std::from_chars(version->data(), version->data() + version->size(), number);
    if (number < 1 || number > 10) throw FileError("its version '" + *version + "' is unknown");
    if (text("byteorder").value_or("little") != "little") {
      throw FileError("it was written on a big-endian machine\nSave it again on another one, or as safetensors.");
    }
  }

  Value value_of(Pickle::Id id, int depth) {
    if (depth > max_value_depth) throw FileError(message("its values are nested more than ", max_value_depth, " deep"));
    budget_.spend(sizeof(Value));
    return std::visit([&](const auto& node) { return convert(node, depth + 1); }, pickle_.nodes[id]);
  }

  Value convert(std::monostate, int) { return Value(); }
  Value convert(bool flag, int) { return flag; }
  Value convert(std::int64_t integer, int) { return integer; }
  Value convert(double real, int) { return real; }
  Value convert(const std::string& string, int) {
    budget_.spend(string.size());
    return string;
  }
  Value convert(const Pickle::List& list, int depth) { return Value::list(values_of(list.elements, depth)); }
  Value convert(const Pickle::Tuple& tuple, int depth) { return Value::tuple(values_of(tuple.elements, depth)); }
  Value convert(const Pickle::Dict& dict, int depth) {
    Value::Dict items;
    for (std::size_t i = 0; i < dict.elements.size(); i += 2) {
      Value key = value_of(dict.elements[i], depth);
      items.emplace_back(std::move(key), value_of(dict.elements[i + 1], depth));
    }
    return Value::dict(std::move(items));
  }
  Value convert(const Pickle::Global&, int) { throw FileError("its pickle holds a type of Python as a value"); }
  Value convert(Pickle::StorageId, int) { throw FileError("its pickle holds a storage that is not part of a tensor"); }
  Value convert(Pickle::TensorId tensor, int) { return tensor_of(pickle_.tensors[tensor.id]); }

  Value::List values_of(const std::vector<Pickle::Id>& ids, int depth) {
    Value::List values;
    for (const Pickle::Id id : ids) values.push_back(value_of(id, depth));
    return values;
  }

  Tensor tensor_of(const Pickle::TensorView& view) {
    const Pickle::Storage& described = pickle_.storages[view.storage];
    const Stored type = described.type;
    Storage& storage = load(described);
    const std::int64_t bytes = checked_bytes(view.shape, item_size(widened(type)));
    if (bytes == 0) return empty(view.shape, widened(type));
    if (share_storage_ && view.strides == strides_of(view.shape)) {
      if (!storage.whole.defined()) storage.whole = whole(storage.bytes, described);
      return make_view(storage.whole, view.shape, view.offset);
    }
    budget_.spend(static_cast<std::uint64_t>(bytes));
    const std::byte* first = storage.bytes.data() + view.offset * static_cast<std::int64_t>(stored_size(type));
    return tensor_from_stored(type, first, view.shape, view.strides);
  }

  Tensor whole(Buffer& bytes, const Pickle::Storage& described) {
    budget_.spend(
        static_cast<std::uint64_t>(checked_bytes(Shape(described.numel), item_size(widened(described.type)))));
    return tensor_from_stored(described.type, bytes.data(), Shape(described.numel), Shape(1));
  }

  Storage& load(const Pickle::Storage& described) {
    const auto& [type, key, numel] = described;
    const std::string name = folder_ + "data/" + key;
    const std::int64_t expected = checked_bytes(Shape(numel), stored_size(type));
    if (archive_.size(name) != static_cast<std::uint64_t>(expected)) {
      throw FileError(
          message("its file '", name, "' has ", archive_.size(name), " bytes, the storage in it needs ", expected));
    }
    const auto found = storages_.find({key, type});
    if (found != storages_.end()) return found->second;
    return storages_.try_emplace({key, type}, Storage{archive_.read(name, budget_), {}}).first->second;
  }

  ZipReader archive_;
  Budget& budget_;
  bool share_storage_;
  std::string folder_;
  Pickle pickle_;
  std::map<std::pair<std::string, Stored>, Storage> storages_;
};

}  // namespace

Value parse_pytorch(Bytes file, Budget& budget, bool share_storage) {
  check_not_legacy(file);
  return PytorchFile(file, budget, share_storage).read();
}

}  // namespace gradus::detail
