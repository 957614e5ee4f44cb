#include "io/budget.hpp"
#include "io/elements.hpp"
#include "io/npy.hpp"
#include "io/pytorch.hpp"
#include "io/safetensors.hpp"
#include "io/value_json.hpp"
#include "tensor/message.hpp"

#include <gradus/core/io.hpp>

namespace gradus {
namespace {

constexpr const char* value_key = "gradus.value";  // of the metadata, for the part of a checkpoint that is not tensors

/// What the extension tells; `automatic` when it tells nothing.
FileFormat format_of_extension(std::string_view path) {
  if (path.ends_with(".safetensors")) return FileFormat::safetensors;
  if (path.ends_with(".pt") || path.ends_with(".pth")) return FileFormat::pytorch;
  if (path.ends_with(".npy")) return FileFormat::npy;
  return path.ends_with(".npz") ? FileFormat::npz : FileFormat::automatic;
}

/// What the first bytes tell; `automatic` when they tell nothing.
FileFormat format_in(detail::Bytes file) {
  const std::string_view text = detail::as_text(file);
  if (text.starts_with("\x93NUMPY")) return FileFormat::npy;
  if (detail::is_pytorch_pickle(file)) return FileFormat::pytorch;
  if (text.starts_with("PK\3\4")) return detail::is_npz(file) ? FileFormat::npz : FileFormat::pytorch;
  constexpr std::size_t length = 8;  // of the length of the header of safetensors
  const std::size_t first = text.find_first_not_of(" \t\n\r", length);
  return text.size() > length && first != text.npos && text[first] == '{' ? FileFormat::safetensors
                                                                          : FileFormat::automatic;
}

Value parse_safetensors_value(detail::Bytes file) {
  const detail::Safetensors content = detail::parse_safetensors(file);
  const auto tree = content.metadata.find(value_key);
  return tree == content.metadata.end() ? content.tensors : detail::value_from_json(tree->second, content.tensors);
}

/// All that a file holds; of a safetensors file only the tensors, unless `whole`. A file in memory has no path.
Value parse(detail::Bytes file, const std::string* path, const LoadOptions& options, bool whole) {
  FileFormat format = options.format;
  if (format == FileFormat::automatic) format = format_in(file);
  if (format == FileFormat::automatic) {
    detail::throw_if<FileError>(!path, "it begins as no file of PyTorch, safetensors or NumPy does");
    format = format_of(*path);
  }
  detail::Budget budget(options.memory_limit, file.size());
  switch (format) {
    case FileFormat::safetensors:
      return whole ? parse_safetensors_value(file) : detail::parse_safetensors(file).tensors;
    case FileFormat::npy: return StateDict{{"arr_0", detail::parse_npy(file)}};
    case FileFormat::npz: return detail::parse_npz(file, budget);
    case FileFormat::pytorch:
    case FileFormat::automatic: break;
  }
  return detail::parse_pytorch(file, budget, options.share_storage);
}

/// Runs `parse` on the content of a file; what it throws gets in front which file that is.
template <class Parse>
auto parse_memory(detail::Bytes file, Parse parse, const std::string& which = "the file in memory") {
  try {
    return parse(file);
  } catch (const Error& error) {
    detail::fail<FileError>("cannot read ", which, ": ", error.what());
  }
}
template <class Parse>
auto parse_file(const std::string& path, Parse parse) {
  return parse_memory(detail::read_file(path), parse, "'" + path + "'");
}

Value load_whole(const std::string& path, const LoadOptions& options, bool whole) {
  return parse_file(path, [&](detail::Bytes file) { return parse(file, &path, options, whole); });
}
Value load_whole(detail::Bytes file, const LoadOptions& options, bool whole) {
  return parse_memory(file, [&](detail::Bytes bytes) { return parse(bytes, nullptr, options, whole); });
}

const Tensor& only_array(const StateDict& state) {
  if (state.size() == 1) return state.entry(0).second;
  detail::fail<ValueError>("save: a .npy file holds one array, there are ", state.size(), "\nUse .npz.");
}

/// The format in which to write these tensors, which it can hold.
FileFormat format_to_write(const StateDict& tensors, const std::string& path, const SaveOptions& options) {
  const FileFormat format = options.format != FileFormat::automatic ? options.format : format_of(path);
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined()) detail::fail<ValueError>("save: tensor '", name, "' is undefined");
  }
  detail::throw_if<ValueError>(
      !options.metadata.empty() && format != FileFormat::safetensors,
      "save: only a safetensors file can hold metadata\nUse save_value to save numbers and strings as well.");
  return format;
}

void write_safetensors(const StateDict& tensors, Metadata metadata, const std::string& path) {
  metadata.emplace("format", "pt");  // some programs in Python do not read a file without it
  detail::AtomicFile file(path);
  detail::write_safetensors(file, tensors, metadata);
  file.commit();
}

}  // namespace

FileFormat recognise_format(const std::string& path) {
  const FileFormat format = format_in(detail::read_file(path));
  return format == FileFormat::automatic ? format_of_extension(path) : format;
}

FileFormat format_of(const std::string& path) {
  const FileFormat format = format_of_extension(path);
  if (format != FileFormat::automatic) return format;
  detail::fail<FileError>("the extension of '", path, "' tells no format\nKnown are .safetensors, .pt, .pth, .npy ",
                          "and .npz; or choose one with the option `format`.");
}

void save(const StateDict& state, const std::string& path, const SaveOptions& options) {
  const FileFormat format = format_to_write(state, path, options);
  switch (format) {
    case FileFormat::safetensors: return write_safetensors(state, options.metadata, path);
    case FileFormat::npz: return detail::write_file(path, detail::npz_bytes(state));
    case FileFormat::npy: {
      const Tensor& array = only_array(state);
      return detail::write_file(path, detail::npy_header(array) + std::string(detail::element_bytes(array)));
    }
    case FileFormat::pytorch:
    case FileFormat::automatic: return detail::write_file(path, detail::pytorch_bytes(state));
  }
}

StateDict load(const std::string& path, const LoadOptions& options) {
  return load_whole(path, options, false).tensors();
}

StateDict load(std::span<const std::byte> file, const LoadOptions& options) {
  return load_whole(file, options, false).tensors();
}

StateDict load_safetensors(const std::string& path) { return parse_file(path, detail::parse_safetensors).tensors; }
StateDict load_safetensors(std::span<const std::byte> file) {
  return parse_memory(file, detail::parse_safetensors).tensors;
}

void save_value(const Value& value, const std::string& path, const SaveOptions& options) {
  const StateDict tensors = value.tensors();
  const FileFormat format = format_to_write(tensors, path, options);
  detail::throw_if<ValueError>(format == FileFormat::npy || format == FileFormat::npz,
                               "save_value: NumPy's formats hold arrays alone\nUse .safetensors or .pt.");
  if (format == FileFormat::pytorch) return detail::write_file(path, detail::pytorch_bytes(value));
  Metadata metadata = options.metadata;
  metadata[value_key] = detail::value_to_json(value, tensors);
  write_safetensors(tensors, std::move(metadata), path);
}

Value load_value(const std::string& path, const LoadOptions& options) { return load_whole(path, options, true); }
Value load_value(std::span<const std::byte> file, const LoadOptions& options) {
  return load_whole(file, options, true);
}

Metadata load_metadata(const std::string& path) { return parse_file(path, detail::parse_safetensors).metadata; }

}  // namespace gradus
