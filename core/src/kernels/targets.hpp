// Plain loops, of which the compiler makes vectors, for the instruction set in use. With SSE2 it makes none of what
// compares, multiplies or converts elements of 64 bits.
#pragma once

#include "kernels/isa.hpp"

#include <cstdint>
#include <type_traits>

namespace gradus::kernels {

/// f() with the instructions of one set; what f calls is inlined, so that no code for a new processor is ever shared.
template <Isa isa>
struct Target {
  template <class F>
  static void run(F f) {
    f();
  }
};

#ifdef __x86_64__
template <>
struct Target<Isa::avx2> {
  template <class F>
  [[gnu::target("avx2"), gnu::flatten]] static void run(F f) {
    f();
  }
};
template <>
struct Target<Isa::avx512> {
  template <class F>
  [[gnu::target("avx2,avx512f,avx512cd,avx512dq,avx512bw,avx512vl"), gnu::flatten]] static void run(F f) {
    f();
  }
};
#endif

/// f() with those of isa(), for an f whose results do not depend on them; without, where that is not worth the code.
template <bool worth_it = true, class F>
void run_vectorised(F f) {
  if constexpr (worth_it) {
    [ f, in_use = isa() ]<Isa... isas>(IsaList<isas...>) { ((in_use == isas ? Target<isas>::run(f) : void()), ...); }
    (Built());
  } else {
    f();
  }
}

/// x[i] in such a loop: g++ makes no vectors of bool, but of bytes.
template <class T>
T element(const T* x, std::int64_t i) {
  if constexpr (std::is_same_v<T, bool>) {
    return reinterpret_cast<const unsigned char*>(x)[i];
  } else {
    return x[i];
  }
}

}  // namespace gradus::kernels
