// Code for processors with AVX2 beside the code that every processor can run; chosen while the program runs.
#pragma once

#if defined(__x86_64__)
/// Compiles a function for AVX2. Call it only where HasAvx2().
#define MAINSTEM_AVX2 __attribute__((target("avx2")))
#else
#define MAINSTEM_AVX2
#endif

/// Makes a loop part of its callers, so that it is compiled once for each of them.
#define MAINSTEM_IN_CALLER inline __attribute__((always_inline))

namespace mainstem {

inline bool HasAvx2() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2");
#else
  return false;
#endif
}

}  // namespace mainstem
