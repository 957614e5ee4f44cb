// A limit on the memory that a file may ask for.
#pragma once

#include <gradus/core/error.hpp>

#include <cstdint>

namespace gradus::detail {

/// How deep values may be nested, because whoever walks a tree does so recursively. Checkpoints have three or four
/// levels.
inline constexpr int max_value_depth = 100;

/// Compressed data, repeated references and strides of zero let a small file describe a huge tree. Whoever reads one
/// spends the budget before it allocates.
class Budget {
 public:
  /// `limit` bytes, or when it is 0 enough for every file that was not made to do harm: 64 MiB and 16 times the size of
  /// the file.
  Budget(std::uint64_t limit, std::uint64_t file_size)
      : left_(limit != 0 ? limit : (std::uint64_t{64} << 20) + 16 * file_size), limit_(left_) {}

  /// Throws FileError when less is left.
  void spend(std::uint64_t bytes) {
    if (bytes > left_) {
      throw FileError("it would take more than " + std::to_string(limit_) +
                      " bytes of memory, far more than its own size\nAn honest file can be read with the option "
                      "`memory_limit`.");
    }
    left_ -= bytes;
  }

 private:
  std::uint64_t left_, limit_;
};

}  // namespace gradus::detail
