// Instruction sets: which there are, which is in use, and the tables of kernels built for them. Each library has a
// Table of its own; its body.cpp, compiled once for every instruction set, defines built_table<Table, that one>().
#pragma once

#include <type_traits>

namespace gradus::kernels {

enum class Isa { plain, neon, sse2, avx2, avx512 };

/// Whether this build has kernels for it and this processor can run them.
bool supported(Isa isa) noexcept;

/// The instruction set in use: the best of the processor, or what the environment variable GRADUS_ISA names (plain,
/// neon, sse2, avx2 or avx512). Throws ValueError when that is unknown or unsupported.
Isa isa();

const char* isa_name(Isa isa) noexcept;

template <class Table, Isa isa>
const Table* built_table() noexcept;

/// The table of an instruction set, null when it is not supported.
template <class Table>
const Table* table_for(Isa isa) noexcept {
  if (!supported(isa)) return nullptr;
  switch (isa) {
#if defined(__aarch64__)
    case Isa::neon: return built_table<Table, Isa::neon>();
#elif defined(__x86_64__)
    case Isa::sse2: return built_table<Table, Isa::sse2>();
    case Isa::avx2: return built_table<Table, Isa::avx2>();
    case Isa::avx512: return built_table<Table, Isa::avx512>();
#elif defined(__wasm_simd128__)
    case Isa::sse2: return built_table<Table, Isa::sse2>();
#endif
    case Isa::plain:
#ifdef GRADUS_PLAIN_KERNELS
      return built_table<Table, Isa::plain>();
#endif
    default: return nullptr;
  }
}

/// table_for(isa()).
template <class Table>
const Table& table() {
  static const Table& chosen = *table_for<Table>(isa());
  return chosen;
}

/// The kernels of a library for both floating elements.
template <template <class> class Kernels>
struct BothWidths {
  Kernels<float> f32;
  Kernels<double> f64;
  template <class T>
  constexpr const Kernels<T>& of() const {
    if constexpr (std::is_same_v<T, float>) {
      return f32;
    } else {
      return f64;
    }
  }
};

}  // namespace gradus::kernels
