// Instead of parallel.cpp in a library built without threads: all work is done by the caller.
#include "runtime/parallel_for.hpp"
#include "tensor/message.hpp"

#include <gradus/core/error.hpp>
#include <gradus/core/parallel.hpp>

namespace gradus {

void set_num_threads(int n) {
  if (n == 1) return;
  detail::throw_if<ValueError>(n < 1, "set_num_threads expects a positive integer, got ", n);
  detail::fail<RuntimeError>("set_num_threads: this gradus was built without threads, got ", n,
                             "\nBuild it with -DGRADUS_THREADS=ON.");
}

int get_num_threads() { return 1; }

namespace detail {

void run_chunks(int chunks, void (*task)(void*, int), void* context) {
  for (int chunk = 0; chunk < chunks; ++chunk) task(context, chunk);
}

int chunks_for(std::int64_t, std::int64_t) noexcept { return 1; }

}  // namespace detail
}  // namespace gradus
