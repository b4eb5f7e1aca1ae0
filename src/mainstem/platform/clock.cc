#include "mainstem/platform/clock.h"

#include <chrono>

namespace mainstem {
namespace {

class RealClock : public Clock {
 public:
  int64_t MonotonicNs() const override {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  int64_t WallNs() const override {
    return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
  }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

}  // namespace mainstem
