// Test-only: how many seeds a test tries.
#pragma once

#include <cstdlib>

namespace mainstem::simulation {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kSeeds = 150;  // each takes twenty times as long
#else
constexpr int kSeeds = 5'000;
#endif

/// MAINSTEM_SEEDS in the environment says how many, for longer and for shorter runs.
inline int Seeds() {
  const char* asked = std::getenv("MAINSTEM_SEEDS");
  return asked == nullptr ? kSeeds : std::atoi(asked);
}

}  // namespace mainstem::simulation
