// A text file that is complete or not there at all.
#pragma once

#include <string>

/// Reserves `path` by opening `path`.part beside it, so that a path that cannot be written to is found before the work
/// and not after it. Until something is put in place, the destructor removes it again, and `path` is what it was.
class OutputFile {
 public:
  explicit OutputFile(std::string path);  ///< Throws gradus::FileError.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(const std::string& text);  ///< Puts a file with this text in place. Throws gradus::FileError.
  void put_in_place();                  ///< The same of what is in `path`.part.
  const std::string& path() const { return path_; }
  const std::string& part() const { return part_; }

 private:
  std::string path_, part_;
};
