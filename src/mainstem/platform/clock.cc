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
  // Never destroyed: a thread may outlive the statics of a process that ends.
  static const RealClock& clock = *new const RealClock();
  return clock;
}

}  // namespace mainstem
