// Every planted bug is found by a seed: the simulator can fail.
#include "mainstem/simulation/plants.h"

#include <gtest/gtest.h>

#include <iostream>

#include "mainstem/base/log.h"
#include "mainstem/simulation/seeds.h"
#include "mainstem/simulation/simulation.h"

namespace mainstem::simulation {
namespace {

std::string NameOf(const ::testing::TestParamInfo<Plant>& info) { return info.param.name; }

class PlantedBug : public ::testing::TestWithParam<Plant> {
 protected:
  PlantedBug() { SetLogLevel(LogLevel::kError); }
  ~PlantedBug() override { SetLogLevel(LogLevel::kWarning); }
};

TEST_P(PlantedBug, IsFoundAndIsWhatTheSeedFailsOf) {
  const auto found = FindPlant(GetParam(), /*from=*/1, /*seeds=*/5'000);
  ASSERT_TRUE(found) << GetParam().what << ": no seed finds it";
  std::cout << GetParam().name << ": seed " << found->seed << " breaks \"" << found->violation.invariant
            << "\": " << found->violation.what << "\n";
  // Else it would prove nothing that the seed fails with the plant.
  EXPECT_FALSE(Simulate(found->seed, GetParam().topology, Planted(), /*keeps_log=*/false).violation);
}

INSTANTIATE_TEST_SUITE_P(Plants, PlantedBug, ::testing::ValuesIn(AllPlants()), NameOf);

}  // namespace
}  // namespace mainstem::simulation
