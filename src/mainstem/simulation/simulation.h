// Simulation: one seed: a job lives through what the seed draws, heals and finishes; what was promised is checked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/simulation/plants.h"
#include "mainstem/simulation/topology.h"
#include "mainstem/simulation/world.h"

namespace mainstem::simulation {

/// How often the world did what.
struct Figures {
  int64_t steps = 0;
  int64_t lives = 0;
  int64_t kills = 0;
  int64_t power_losses = 0;
  int64_t disk_faults = 0;
  int64_t takeovers = 0;
  int64_t failures = 0;      ///< of operators
  int64_t checkpoints = 0;
  int64_t savepoints = 0;
  int64_t rescalings = 0;
  int64_t calls = 0;         ///< that replicas answered
  int64_t messages_lost = 0;
  int64_t messages_doubled = 0;
};

void Add(Figures& sum, const Figures& more);
std::string ToString(const Figures& figures);

struct Outcome {
  std::optional<Violation> violation;
  Figures figures;
  std::vector<std::string> log;  ///< where it was asked for
};

/// The same seed, topology and plants give the same outcome, on every machine.
Outcome Simulate(uint64_t seed, Topology topology, const Planted& planted, bool keeps_log);

/// The first seed that a planted bug makes fail.
struct FoundPlant {
  uint64_t seed = 0;
  Violation violation;
};
std::optional<FoundPlant> FindPlant(const Plant& plant, uint64_t from, uint64_t seeds);

}  // namespace mainstem::simulation
