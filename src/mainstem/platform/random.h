// Random: the only source of randomness.
#pragma once

#include <cstdint>
#include <string>

namespace mainstem {

/// Draws random numbers. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
  /// Sixteen random bytes in hexadecimal: the name of an attempt, a job, a file.
  std::string NextId();
};

/// The operating system's randomness.
Random& SystemRandom();

}  // namespace mainstem
