// Which instruction set to use.
#include "kernels/isa.hpp"

#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <cstdlib>
#include <string_view>

namespace gradus::kernels {

using detail::message;

#if defined(__x86_64__) && defined(__SSE2__)

bool supported(Isa isa) noexcept {
  // Unlike a look at CPUID this also asks whether the operating system saves the registers.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == Isa::avx2) return avx2;
  if (isa != Isa::avx512) return true;
  return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

#else

bool supported(Isa isa) noexcept { return isa == Isa::plain; }

#endif

namespace {

constexpr Isa best_first[] = {Isa::avx512, Isa::avx2, Isa::sse2, Isa::plain};

Isa best_supported() {
  for (const Isa isa : best_first) {
    if (supported(isa)) return isa;
  }
  return Isa::plain;
}

Isa choose() {
  const char* wish = std::getenv("GRADUS_ISA");
  if (!wish || !*wish) return best_supported();
  for (const Isa isa : best_first) {
    if (std::string_view(isa_name(isa)) != wish) continue;
    if (supported(isa)) return isa;
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

}  // namespace gradus::kernels
