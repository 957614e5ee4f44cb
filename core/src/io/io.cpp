#include <gradus/core/io.hpp>

#include "io/budget.hpp"
#include "io/elements.hpp"
#include "io/npy.hpp"
#include "io/pytorch.hpp"
#include "io/safetensors.hpp"
#include "io/value_json.hpp"
#include "tensor/message.hpp"

namespace gradus {
namespace {

constexpr const char* value_key = "gradus.value";  // of the metadata, for the part of a checkpoint that is not tensors

FileFormat format_of(const std::string& path, FileFormat wanted) {
  return wanted != FileFormat::by_extension ? wanted : gradus::format_of(path);
}

/// Runs `parse` on the content of the file; what it throws gets the path in front.
template <class Parse>
auto parse_file(const std::string& path, Parse parse) {
  const detail::Buffer content = detail::read_file(path);
  try {
    return parse(content);
  } catch (const Error& error) {
    throw FileError(detail::message("cannot read '", path, "': ", error.what()));
  }
}

Value parse_pytorch(detail::Bytes file, const LoadOptions& options) {
  detail::Budget budget(options.memory_limit, file.size());
  return detail::parse_pytorch(file, budget, options.share_storage);
}

Value parse_safetensors_value(detail::Bytes file) {
  const detail::Safetensors content = detail::parse_safetensors(file);
  const auto tree = content.metadata.find(value_key);
  return tree == content.metadata.end() ? content.tensors : detail::value_from_json(tree->second, content.tensors);
}

const Tensor& only_array(const StateDict& state) {
  if (state.size() == 1) return state.entry(0).second;
  throw ValueError(detail::message("save: a .npy file holds one array, there are ", state.size(), "\nUse .npz."));
}

void check_defined(const StateDict& state) {
  for (const auto& [name, tensor] : state) {
    if (!tensor.defined()) throw ValueError(detail::message("save: tensor '", name, "' is undefined"));
  }
}

void check_metadata(const SaveOptions& options, FileFormat format) {
  if (options.metadata.empty() || format == FileFormat::safetensors) return;
  throw ValueError(
      "save: only a safetensors file can hold metadata\nUse save_value to save numbers and strings as well.");
}

void write_safetensors(const StateDict& tensors, Metadata metadata, const std::string& path) {
  metadata.emplace("format", "pt");  // some programs in Python do not read a file without it
  detail::AtomicFile file(path);
  detail::write_safetensors(file, tensors, metadata);
  file.commit();
}

void write_bytes(const std::string& bytes, const std::string& path) {
  detail::AtomicFile file(path);
  file.write(bytes);
  file.commit();
}

}  // namespace

FileFormat format_of(const std::string& path) {
  if (path.ends_with(".safetensors")) return FileFormat::safetensors;
  if (path.ends_with(".pt") || path.ends_with(".pth")) return FileFormat::pytorch;
  if (path.ends_with(".npy")) return FileFormat::npy;
  if (path.ends_with(".npz")) return FileFormat::npz;
  throw FileError(detail::message("the extension of '", path,
                                  "' tells no format\nKnown are .safetensors, .pt, .pth, .npy ",
                                  "and .npz; or choose one with the option `format`."));
}

void save(const StateDict& state, const std::string& path, const SaveOptions& options) {
  const FileFormat format = format_of(path, options.format);
  check_defined(state);
  check_metadata(options, format);
  switch (format) {
    case FileFormat::safetensors:
      return write_safetensors(state, options.metadata, path);
    case FileFormat::npz:
      return write_bytes(detail::npz_bytes(state), path);
    case FileFormat::npy: {
      const Tensor& array = only_array(state);
      return write_bytes(detail::npy_header(array) + std::string(detail::element_bytes(array)), path);
    }
    case FileFormat::pytorch:
    case FileFormat::by_extension:
      return write_bytes(detail::pytorch_bytes(state), path);
  }
}

StateDict load(const std::string& path, const LoadOptions& options) {
  const FileFormat format = format_of(path, options.format);
  return parse_file(path, [&](detail::Bytes file) {
    switch (format) {
      case FileFormat::safetensors:
        return detail::parse_safetensors(file).tensors;
      case FileFormat::npy:
        return StateDict{{"arr_0", detail::parse_npy(file)}};
      case FileFormat::npz: {
        detail::Budget budget(options.memory_limit, file.size());
        return detail::parse_npz(file, budget);
      }
      case FileFormat::pytorch:
      case FileFormat::by_extension:
        break;
    }
    return parse_pytorch(file, options).tensors();
  });
}

void save_value(const Value& value, const std::string& path, const SaveOptions& options) {
  const FileFormat format = format_of(path, options.format);
  if (format == FileFormat::npy || format == FileFormat::npz) {
    throw ValueError("save_value: NumPy's formats hold arrays alone\nUse .safetensors or .pt.");
  }
  const StateDict tensors = value.tensors();
  check_defined(tensors);
  check_metadata(options, format);
  if (format == FileFormat::pytorch) return write_bytes(detail::pytorch_bytes(value), path);
  Metadata metadata = options.metadata;
  metadata[value_key] = detail::value_to_json(value, tensors);
  write_safetensors(tensors, std::move(metadata), path);
}

Value load_value(const std::string& path, const LoadOptions& options) {
  const FileFormat format = format_of(path, options.format);
  if (format == FileFormat::pytorch) {
    return parse_file(path, [&](detail::Bytes file) { return parse_pytorch(file, options); });
  }
  if (format == FileFormat::safetensors) return parse_file(path, parse_safetensors_value);
  return load(path, options);
}

Metadata load_metadata(const std::string& path) { return parse_file(path, detail::parse_safetensors).metadata; }

}  // namespace gradus
