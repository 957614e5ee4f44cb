#include "io/pytorch.hpp"

#include "io/pickle.hpp"
#include "io/pickle_writer.hpp"
#include "io/zip.hpp"
#include "ops/strided.hpp"
#include "tensor/message.hpp"
#include "tensor/tensor_impl.hpp"

#include <gradus/core/create.hpp>

#include <charconv>
#include <cstring>
#include <map>
#include <optional>

// Format: torch/serialization.py and caffe2/serialize/inline_container.cc of PyTorch.
namespace gradus::detail {
namespace {

using namespace std::string_view_literals;

/// Tensors as views of storages, whose bytes a file has in its own way.
class StorageFile {
 protected:
  StorageFile(Budget& budget, bool share_storage) : budget_(budget), share_storage_(share_storage) {}
  virtual ~StorageFile() = default;

  Value value(const Pickle& pickle) {
    const auto tensor_of = [this](const auto& storage, const auto& view) { return tensor(storage, view); };
    return value_of(pickle, tensor_of, budget_);
  }

  /// The elements of a storage, `size` bytes. Throws FileError when there are more or fewer.
  virtual Bytes bytes_of(const Pickle::Storage& storage, std::uint64_t size) = 0;

  Budget& budget_;

 private:
  Tensor tensor(const Pickle::Storage& storage, const Pickle::TensorView& view) {
    const Stored type = storage.type;
    const Shape all(storage.numel);
    const std::byte* first = bytes_of(storage, checked_bytes(all, stored_size(type))).data();
    const std::int64_t size = checked_bytes(view.shape, item_size(widened(type)));
    if (size == 0) return empty(view.shape, widened(type));
    if (share_storage_ && view.strides == strides_of(view.shape)) {
      Tensor& whole = shared_[{storage.key, type}];
      if (!whole.defined()) {
        budget_.spend(checked_bytes(all, item_size(widened(type))));
        whole = tensor_from_stored(type, first, all, Shape(1));
      }
      Tensor x = make_view(whole, view.shape, view.offset);
      impl_of(x)->family = new_family();
      return x;
    }
    budget_.spend(size);
    first += view.offset * static_cast<std::int64_t>(stored_size(type));
    return tensor_from_stored(type, first, view.shape, view.strides);
  }

  bool share_storage_;
  std::map<std::pair<std::string, Stored>, Tensor> shared_;  // all elements of a storage, in one dimension
};

[[noreturn]] void refuse_big_endian() {
  throw FileError("it was written on a big-endian machine\nSave it again on another one, or as safetensors.");
}

/// The archive that torch.save writes since PyTorch 1.6: a pickle, and a file for each storage.
class ArchiveFile : public StorageFile {
 public:
  ArchiveFile(Bytes file, Budget& budget, bool share_storage) : StorageFile(budget, share_storage), archive_(file) {
    throw_if<FileError>(archive_.names().empty(), "it is an empty archive");
    const std::string& first = archive_.names().front();
    folder_ = first.substr(0, first.find('/') + 1);
    for (const std::string& name : archive_.names()) {
      throw_if<FileError>(folder_.empty() || !name.starts_with(folder_),
                          "its archive does not have one folder with all files");
    }
    check_kind();
  }

  Value read() {
    const Buffer program = archive_.read(folder_ + "data.pkl", budget_);
    return value(parse_pickle(program, budget_));
  }

 private:
  std::optional<std::string> text(const std::string& name) {
    if (!archive_.contains(folder_ + name)) return std::nullopt;
    return std::string(as_text(archive_.read(folder_ + name, budget_)));
  }

  void check_kind() {
    for (const char* sign : {"constants.pkl", "model.json", "attributes.pkl"}) {  // the last two before PyTorch 1.4
      if (!archive_.contains(folder_ + sign)) continue;
      throw FileError(
          "it is a TorchScript archive, as torch.jit.save and torch::save of C++ write it, with code in it\n"
          "Save the weights in Python: torch.save(model.state_dict(), path).");
    }
    auto version = text("version");
    if (!version) version = text(".data/version");
    throw_if<FileError>(!version, "its archive has no file 'version'; PyTorch did not write it");
    int number = 0;
    std::from_chars(version->data(), version->data() + version->size(), number);
    if (number < 1 || number > 10) throw FileError("its version '" + shown(*version) + "' is unknown");
    if (text("byteorder").value_or("little") != "little") refuse_big_endian();
  }

  Bytes bytes_of(const Pickle::Storage& storage, std::uint64_t size) override {
    const std::string name = folder_ + "data/" + storage.key;
    if (archive_.size(name) != size) {
      fail<FileError>("its file '", shown(name), "' has ", archive_.size(name), " bytes, the storage in it needs ",
                      size);
    }
    const auto found = contents_.find(storage.key);
    if (found != contents_.end()) return found->second;
    return contents_.emplace(storage.key, archive_.read(name, budget_)).first->second;
  }

  ZipReader archive_;
  std::string folder_;
  std::map<std::string, Buffer> contents_;
};

/// What torch.save wrote before PyTorch 1.6, and writes when it is told to: pickles of a magic number, the version of
/// the format, the machine, the object and the keys of its storages; then of each storage, in that order, the number of
/// its elements in 64 bits and the elements.
class LegacyFile : public StorageFile {
 public:
  LegacyFile(Bytes file, Budget& budget, bool share_storage) : StorageFile(budget, share_storage), rest_(file) {}

  Value read() {
    take_pickle(rest_, budget_);  // the magic number
    check_version(take_pickle(rest_, budget_));
    check_machine(take_pickle(rest_, budget_));
    const Pickle pickle = take_pickle(rest_, budget_);
    for (const Pickle::Storage& storage : pickle.storages) item_sizes_.emplace(storage.key, stored_size(storage.type));
    find_storages(take_pickle(rest_, budget_));
    return value(pickle);
  }

 private:
  static void check_version(const Pickle& pickle) {
    const auto* version = pickle.find<std::int64_t>(pickle.root);
    throw_if<FileError>(!version || *version != 1001, "its version is unknown to this reader of old PyTorch files");
  }

  static void check_machine(const Pickle& pickle) {
    const auto* machine = pickle.find<Pickle::Dict>(pickle.root);
    for (std::size_t i = 0; machine && i + 1 < machine->elements.size(); i += 2) {
      const auto* key = pickle.find<std::string>(machine->elements[i]);
      const auto* flag = pickle.find<bool>(machine->elements[i + 1]);
      if (key && *key == "little_endian" && flag && !*flag) refuse_big_endian();
    }
  }

  void find_storages(const Pickle& keys) {
    const auto* list = keys.find<Pickle::List>(keys.root);
    throw_if<FileError>(!list, "it has no list of storages");
    for (const Pickle::Id id : list->elements) {
      const auto* key = keys.find<std::string>(id);
      const auto size = key ? item_sizes_.find(*key) : item_sizes_.end();
      throw_if<FileError>(size == item_sizes_.end(), "it has a storage of unknown type");
      std::uint64_t numel = 0;
      throw_if<FileError>(rest_.size() < sizeof numel, "it ends within its storages");
      std::memcpy(&numel, rest_.data(), sizeof numel);
      rest_ = rest_.subspan(sizeof numel);
      throw_if<FileError>(numel > rest_.size() / size->second, "it ends within its storages");
      contents_.insert_or_assign(*key, rest_.first(static_cast<std::size_t>(numel) * size->second));
      rest_ = rest_.subspan(contents_.at(*key).size());
    }
    throw_if<FileError>(!rest_.empty(), "there are ", rest_.size(), " bytes behind its last storage");
  }

  Bytes bytes_of(const Pickle::Storage& storage, std::uint64_t size) override {
    const auto found = contents_.find(storage.key);
    if (found == contents_.end()) fail<FileError>("it lacks the storage '", shown(storage.key), "'");
    if (found->second.size() == size) return found->second;
    fail<FileError>("its storage '", shown(storage.key), "' has ", found->second.size(),
                    " bytes, the tensors in it need ", size);
  }

  Bytes rest_;
  std::map<std::string, std::size_t> item_sizes_;
  std::map<std::string, Bytes> contents_;
};

/// A pickle of the magic number, which the newer protocols put into a frame of nine bytes.
bool is_legacy(std::string_view file) {
  constexpr std::string_view magic_number = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."sv;
  const std::size_t place = file.substr(0, 64).find(magic_number);
  return file.starts_with('\x80') && (place == 2 || place == 11);
}

}  // namespace

bool is_pytorch_pickle(Bytes file) {
  const std::string_view text = as_text(file);
  const bool tar = text.size() > 262 && text.substr(257, 5) == "ustar";
  return tar || text.starts_with('\x80');
}

Value parse_pytorch(Bytes file, Budget& budget, bool share_storage) {
  if (is_legacy(as_text(file))) return LegacyFile(file, budget, share_storage).read();
  if (!is_pytorch_pickle(file)) return ArchiveFile(file, budget, share_storage).read();
  throw FileError(as_text(file).starts_with('\x80')
                      ? "it is a pickle that torch.save did not write\nLoad it in Python and save it with torch.save."
                      : "it is a tar archive, the format of PyTorch 0.1, long before PyTorch 1.6\n"
                        "Save it again with a newer PyTorch, or as safetensors.");
}

std::string pytorch_bytes(const Value& value) {
  const PickleWriter writer(value);
  constexpr std::size_t alignment = 64;  // torch.load(path, mmap=True) makes tensors where their elements lie
  ZipWriter archive(alignment);
  archive.add("archive/data.pkl", writer.pickle());
  archive.add("archive/byteorder", "little");
  for (std::size_t i = 0; i < writer.storages().size(); ++i) {
    archive.add("archive/data/" + std::to_string(i), std::string(element_bytes(writer.storages()[i])));
  }
  archive.add("archive/version", "3\n");
  return archive.finish();
}

}  // namespace gradus::detail
