// Plants: the bugs that can be put in on purpose, by name, so that the simulator proves that it finds them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mainstem/checkpoint/storage.h"
#include "mainstem/connectors/staging/staging.h"
#include "mainstem/runtime/plants.h"
#include "mainstem/services/journal/journaled_endpoint.h"
#include "mainstem/simulation/topology.h"

namespace mainstem::simulation {

/// One field of these is set at a time; none is where the engine is simulated as it is.
struct Planted {
  runtime::Plants runtime;
  checkpoint::StoragePlants storage;
  StagingPlants staging;
  JournalPlants journal;
};

struct Plant {
  std::string name;
  std::string what;
  std::function<void(Planted&)> put;
  Topology topology;  ///< where it is looked for
};

/// Every plant there is.
const std::vector<Plant>& AllPlants();

}  // namespace mainstem::simulation
