// Which instruction set to use.
#include "kernels/isa.hpp"

#include "tensor/message.hpp"

#include <gradus/core/error.hpp>

#include <cstdlib>
#include <string_view>

namespace gradus::kernels {

using detail::message;

namespace {

#ifdef __x86_64__
// Unlike a look at CPUID this also asks whether the operating system saves the registers.
bool has_avx2() noexcept { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

bool has_avx512() noexcept {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

}  // namespace

bool supported(Isa isa) noexcept {
  switch (isa) {
#ifdef GRADUS_PLAIN_KERNELS
    case Isa::plain: return true;
#endif
#if defined(__aarch64__)
    case Isa::neon: return true;
#elif defined(__x86_64__)
    case Isa::sse2: return true;
    case Isa::avx2: return has_avx2();
    case Isa::avx512: return has_avx512();
#elif defined(__wasm_simd128__)
    case Isa::sse2: return true;
#endif
    default: return false;
  }
}

namespace {

constexpr Isa best_first[] = {Isa::avx512, Isa::avx2, Isa::sse2, Isa::neon, Isa::plain};

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
    throw ValueError(message("GRADUS_ISA=", wish, " is not supported by ",
                             isa == Isa::plain ? "this build, for want of GRADUS_PLAIN_KERNELS=ON" : "this processor",
                             "; the best here is ", isa_name(best_supported())));
  }
  throw ValueError(message("GRADUS_ISA expects plain, neon, sse2, avx2 or avx512, got ", wish));
}

}  // namespace

const char* isa_name(Isa isa) noexcept {
  switch (isa) {
    case Isa::neon: return "neon";
    case Isa::sse2: return "sse2";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
    case Isa::plain: break;
  }
  return "plain";
}

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

}  // namespace gradus::kernels
