// Instruction sets: which there are, which is in use, and the kernels built for them. Each library has a Table of its
// own; its body.cpp, compiled once for every instruction set, defines built_table<Table, that one>() and, one by one,
// built<kernel, that one>(). The library asks for single kernels alone, so that a program gets no others.
#pragma once

#include <atomic>
#include <string>
#include <type_traits>

namespace gradus::kernels {

enum class Isa { plain, neon, sse2, avx2, avx512 };

template <Isa... isas>
struct IsaList {};
/// Those there are kernels for: the option GRADUS_INSTRUCTION_SETS.
using Built = IsaList<GRADUS_INSTRUCTION_SETS>;

/// Whether this build has kernels for it and this processor can run them.
bool supported(Isa isa) noexcept;

/// The instruction set in use: the best of the processor, or what the environment variable GRADUS_ISA names (plain,
/// neon, sse2, avx2 or avx512). Throws ValueError when that is unknown or unsupported, RuntimeError when none is
/// supported.
Isa isa();

const char* isa_name(Isa isa) noexcept;

/// The names of those in Built: "sse2;avx2;avx512".
std::string built_isas();

template <class Table, Isa isa>
const Table* built_table() noexcept;

/// The table of an instruction set, null when it is not supported.
template <class Table>
const Table* table_for(Isa isa) noexcept {
  const Table* table = nullptr;
  [&]<Isa... built>(IsaList<built...>) { ((isa == built ? table = built_table<Table, built>() : nullptr), ...); }
  (Built());
  return supported(isa) ? table : nullptr;
}

/// table_for(isa()).
template <class Table>
const Table& table() {
  static const Table& chosen = *table_for<Table>(isa());
  return chosen;
}

/// The type of the kernel in a place of a table.
template <class Table, class Kernel>
Kernel kernel_at(Kernel Table::*place);
template <auto place>
using KernelAt = decltype(kernel_at(place));

template <auto place, Isa isa>
KernelAt<place> built() noexcept;

/// The kernel in this place, &Kernels<T>::sum, of the table of isa().
template <auto place>
KernelAt<place> chosen() {
  static constinit std::atomic<KernelAt<place>> known{nullptr};
  KernelAt<place> kernel = known.load(std::memory_order_relaxed);
  if (!kernel) [[unlikely]] {
    [&, in_use = isa() ]<Isa... isas>(IsaList<isas...>) {
      ((in_use == isas ? void(kernel = built<place, isas>()) : void()), ...);
    }
    (Built());
    known.store(kernel, std::memory_order_relaxed);
  }
  return kernel;
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
