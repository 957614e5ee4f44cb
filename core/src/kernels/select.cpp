// Which instruction set to use.
#include <gradus/core/error.hpp>

#include "table.hpp"
#include "tensor/message.hpp"

#include <cstdlib>
#include <string_view>

namespace gradus::kernels {

using detail::message;

extern const Table plain_table;

#if defined(__x86_64__) && defined(__SSE2__)

extern const Table sse2_table, avx2_table, avx512_table;

const Table* table_for(Isa isa) noexcept {
  // Unlike a look at CPUID this also asks whether the operating system saves the registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl");
  switch (isa) {
    case Isa::sse2:
      return &sse2_table;
    case Isa::avx2:
      return avx2 ? &avx2_table : nullptr;
    case Isa::avx512:
      return avx512 ? &avx512_table : nullptr;
    case Isa::plain:
      break;
  }
  return &plain_table;
}

#else

const Table* table_for(Isa isa) noexcept { return isa == Isa::plain ? &plain_table : nullptr; }

#endif

namespace {

constexpr Isa kBestFirst[] = {Isa::avx512, Isa::avx2, Isa::sse2, Isa::plain};

Isa best_supported() {
  for (const Isa isa : kBestFirst) {
    if (table_for(isa)) return isa;
  }
  return Isa::plain;
}

Isa choose() {
  const char* wish = std::getenv("GRADUS_ISA");
  if (!wish || !*wish) return best_supported();
  for (const Isa isa : kBestFirst) {
    if (std::string_view(isa_name(isa)) != wish) continue;
    if (table_for(isa)) return isa;
    throw ValueError(message("GRADUS_ISA=", wish, " is not supported by this processor, whose best is ",
                             isa_name(best_supported())));
  }
  throw ValueError(message("GRADUS_ISA expects plain, sse2, avx2 or avx512, got ", wish));
}

}  // namespace

const char* isa_name(Isa isa) noexcept {
  switch (isa) {
    case Isa::sse2:
      return "sse2";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::plain:
      break;
  }
  return "plain";
}

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const Table& table() {
  static const Table& chosen = *table_for(isa());
  return chosen;
}

}  // namespace gradus::kernels
