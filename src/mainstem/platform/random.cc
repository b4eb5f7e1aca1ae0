#include "mainstem/platform/random.h"

#include <fmt/format.h>

#include <random>

namespace mainstem {
namespace {

class RealRandom : public Random {
 public:
  uint64_t Next() override {
    // random_device reads the kernel's generator and may be used from several threads one object each.
    thread_local std::random_device device;
    return (uint64_t{device()} << 32) | device();
  }
};

}  // namespace

std::string Random::NextId() { return fmt::format("{:016x}{:016x}", Next(), Next()); }

Random& SystemRandom() {
  // Never destroyed: a thread may outlive the statics of a process that ends.
  static RealRandom& random = *new RealRandom();
  return random;
}

}  // namespace mainstem
