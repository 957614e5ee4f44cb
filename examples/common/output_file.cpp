#include "output_file.hpp"

#include <gradus/core/error.hpp>

#include <cstdio>
#include <fstream>

using gradus::FileError;

OutputFile::OutputFile(std::string path) : path_(std::move(path)), part_(path_ + ".part") {
  if (!std::ofstream(part_)) throw FileError(path_ + ": cannot be written");
}

OutputFile::~OutputFile() { std::remove(part_.c_str()); }

void OutputFile::write(const std::string& text) {
  std::ofstream file(part_, std::ios::binary);
  if (!(file << text << std::flush)) throw FileError(path_ + ": cannot be written");
  file.close();
  put_in_place();
}

void OutputFile::put_in_place() {
  if (std::rename(part_.c_str(), path_.c_str()) != 0) throw FileError(path_ + ": cannot be written");
}
