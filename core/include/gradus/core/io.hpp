// Files: weights and checkpoints in the formats of Python's world.
#pragma once

#include <gradus/core/value.hpp>

namespace gradus {

/// Strings beside the tensors of a safetensors file.
using Metadata = std::map<std::string, std::string>;

enum class FileFormat : std::uint8_t {
  automatic,  ///< by what the file holds, of a file to be written by its extension
  safetensors,
  pytorch,  ///< what torch.save writes; files of before PyTorch 1.6 are read, not written
  npy,      ///< one array
  npz,      ///< arrays with names
};

/// The format that the extension of `path` tells: .safetensors; .pt or .pth; .npy; .npz. Throws FileError, with a list
/// of those known, when it tells none.
FileFormat format_of(const std::string& path);

/// The format of the file at `path`: what its first bytes tell, or else its extension; `automatic` when neither tells.
/// Throws FileError for a file that cannot be read.
FileFormat recognise_format(const std::string& path);

struct SaveOptions {
  FileFormat format = FileFormat::automatic;
  Metadata metadata = {};  ///< safetensors only
};

struct LoadOptions {
  FileFormat format = FileFormat::automatic;
  /// Tensors of a PyTorch file that are views of one storage, such as tied weights, share their memory as they did in
  /// Python. Otherwise each has its own.
  bool share_storage = false;
  /// The bytes that a compressed or strided file may unfold to; 0 is 64 MiB and 16 times the size of the file.
  std::uint64_t memory_limit = 0;
};

/// Writes the tensors to `path`. The file is complete or not there at all: it is written beside `path`, flushed, and
/// put in place in one step, so that a crash or a full disk leaves the old file as it was. A process that is killed in
/// between also leaves `path`.partial, which may be deleted; the next save() to `path` overwrites it. Throws FileError,
/// also for a file that is protected against writing, and ValueError for a state that the format cannot hold.
void save(const StateDict& state, const std::string& path, const SaveOptions& options = {});

/// Reads the tensors that save() wrote, or a program in Python. float16 and bfloat16 become float32, shorter integers
/// int64, and so do integers without sign where they are below 2^63. Of a checkpoint with numbers and strings, or
/// nested dicts, it returns the tensors alone, under names such as "model.0.weight" (see Value::tensors); of a whole
/// module of PyTorch those of its state_dict(). Objects of Python are passed over (load_value shows which), and no code
/// in a file is ever run. The array of a .npy file has the name "arr_0". Throws FileError for a file that cannot be
/// read or that breaks a rule of its format.
[[nodiscard]] StateDict load(const std::string& path, const LoadOptions& options = {});

/// The same for a file in memory, such as weights that are part of a program.
[[nodiscard]] StateDict load(std::span<const std::byte> file, const LoadOptions& options = {});

/// load() for safetensors alone: a program that reads no other format holds no code for one.
[[nodiscard]] StateDict load_safetensors(const std::string& path);
[[nodiscard]] StateDict load_safetensors(std::span<const std::byte> file);

/// As save() and load(), for all that a training needs to go on: as a .pt file it is the same dict in Python, in a
/// .safetensors file the tensors keep their names and the rest becomes metadata.
void save_value(const Value& value, const std::string& path, const SaveOptions& options = {});
[[nodiscard]] Value load_value(const std::string& path, const LoadOptions& options = {});
[[nodiscard]] Value load_value(std::span<const std::byte> file, const LoadOptions& options = {});

/// The strings beside the tensors of a safetensors file.
Metadata load_metadata(const std::string& path);

}  // namespace gradus
