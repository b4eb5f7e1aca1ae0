// Clock: the only source of time.
#pragma once

#include <cstdint>

namespace mainstem {

/// Tells the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds that never go back; their origin means nothing.
  virtual int64_t MonotonicNs() const = 0;
  /// Nanoseconds since 1970-01-01T00:00:00Z.
  virtual int64_t WallNs() const = 0;
};

/// The operating system's clock.
const Clock& SystemClock();

}  // namespace mainstem
