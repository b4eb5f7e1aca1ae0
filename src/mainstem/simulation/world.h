// World: what a simulated run shares: its random numbers, its time, its disk, and the record of what happened.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mainstem/platform/clock.h"
#include "mainstem/platform/random.h"
#include "mainstem/platform/simulated_file_system.h"

namespace mainstem::simulation {

/// SplitMix64 (Steele, Lea, Flood 2014): one seed, one sequence, on every machine.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  /// From 0 to `count` - 1.
  int64_t Below(int64_t count) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(count)); }
  int64_t Between(int64_t least, int64_t most) { return least + Below(most - least + 1); }
  bool OneIn(int64_t count) { return Below(count) == 0; }

 private:
  uint64_t state_;
};

/// Stands still until somebody moves it.
class SimulatedClock : public Clock {
 public:
  int64_t MonotonicNs() const override { return now_ns_; }
  int64_t WallNs() const override { return kBeginWallNs + now_ns_; }
  void Advance(int64_t ns) { now_ns_ += ns; }

 private:
  static constexpr int64_t kBeginWallNs = int64_t{1'700'000'000} * 1'000'000'000;
  int64_t now_ns_ = 1'000'000;
};

/// What was found wrong: which promise was broken, and how.
struct Violation {
  std::string invariant;
  std::string what;
};

class World {
 public:
  World(uint64_t seed, bool keeps_log) : random(seed), keeps_log_(keeps_log) {}

  /// Notes what happened, for whoever reads the schedule of a failing seed.
  template <typename... Args>
  void Note(fmt::format_string<Args...> format, Args&&... args) {
    if (!keeps_log_ || log_.size() >= kLinesMax) return;
    log_.push_back(fmt::format("step {:>6} {:>9} us  {}", step, clock.MonotonicNs() / 1000,
                               fmt::format(format, std::forward<Args>(args)...)));
  }
  /// The first one counts.
  void Violate(std::string invariant, std::string what) {
    if (violation_) return;
    Note("VIOLATED: {}: {}", invariant, what);
    violation_ = Violation{std::move(invariant), std::move(what)};
  }
  const std::optional<Violation>& violation() const { return violation_; }
  std::vector<std::string> TakeLog() { return std::move(log_); }

  SeededRandom random;
  SimulatedClock clock;
  SimulatedFileSystem disk;
  int64_t step = 0;
  bool healed = false;         ///< no fault happens any more
  bool disk_troubled = false;  ///< file operations may fail just now

 private:
  static constexpr size_t kLinesMax = 20'000;

  const bool keeps_log_;
  std::vector<std::string> log_;
  std::optional<Violation> violation_;
};

}  // namespace mainstem::simulation
