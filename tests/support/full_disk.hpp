// A disk that is full: writing fails as it does there.
#pragma once

#include <sys/resource.h>

#include <csignal>
#include <stdexcept>

namespace gradus::test {

/// While alive, no file of this process, or of one that it starts, grows beyond a size.
class FullDisk {
 public:
  explicit FullDisk(rlim_t size) {
    if (::getrlimit(RLIMIT_FSIZE, &before_) != 0) throw std::runtime_error("getrlimit fails");
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{size, before_.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &small) != 0) throw std::runtime_error("setrlimit fails");
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

}  // namespace gradus::test
