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
  const bool built = []<Isa... isas>(Isa wanted, IsaList<isas...>) { return ((wanted == isas) || ...); }
  (isa, Built());
#ifdef __x86_64__
  if (isa == Isa::avx2) return built && has_avx2();
  if (isa == Isa::avx512) return built && has_avx512();
#endif
  return built;
}

namespace {

constexpr Isa best_first[] = {Isa::avx512, Isa::avx2, Isa::sse2, Isa::neon, Isa::plain};

Isa best_supported() {
  for (const Isa isa : best_first) {
    if (supported(isa)) return isa;
  }
  throw RuntimeError(message("gradus was built for instruction sets that this processor lacks: ", built_isas(),
                             "\nBuild it with others in GRADUS_INSTRUCTION_SETS."));
}

Isa choose() {
  const char* wish = std::getenv("GRADUS_ISA");
  if (!wish || !*wish) return best_supported();
  for (const Isa isa : best_first) {
    if (std::string_view(isa_name(isa)) != wish) continue;
    if (supported(isa)) return isa;
    throw ValueError(message("GRADUS_ISA=", wish, " is not supported by this processor, or is none of the ",
                             "GRADUS_INSTRUCTION_SETS of this build: ", built_isas(), "; the best here is ",
                             isa_name(best_supported())));
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

std::string built_isas() {
  std::string names;
  []<Isa... isas>(std::string & text, IsaList<isas...>) {
    ((text += (text.empty() ? "" : ";"), text += isa_name(isas)), ...);
  }
  (names, Built());
  return names;
}

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

}  // namespace gradus::kernels
