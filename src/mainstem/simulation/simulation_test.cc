// Every seed of every topology keeps what is promised.
#include "mainstem/simulation/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "mainstem/base/log.h"
#include "mainstem/simulation/seeds.h"

namespace mainstem::simulation {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

std::string NameOf(const ::testing::TestParamInfo<Topology>& info) { return std::string(ToString(info.param)); }

class Simulated : public ::testing::TestWithParam<Topology> {
 protected:
  Simulated() { SetLogLevel(LogLevel::kError); }
  ~Simulated() override { SetLogLevel(LogLevel::kWarning); }
};

TEST_P(Simulated, EverySeedKeepsWhatIsPromised) {
  Figures sum;
  for (int seed = 1; seed <= Seeds(); ++seed) {
    const Outcome outcome = Simulate(static_cast<uint64_t>(seed), GetParam(), Planted(), /*keeps_log=*/false);
    Add(sum, outcome.figures);
    if (!outcome.violation) continue;
    for (const std::string& line : Simulate(static_cast<uint64_t>(seed), GetParam(), Planted(), true).log) {
      std::cout << line << "\n";
    }
    FAIL() << "seed " << seed << " breaks \"" << outcome.violation->invariant << "\": " << outcome.violation->what
           << "\nagain: mainstem-simulate --topology " << ToString(GetParam()) << " --from " << seed << " --seeds 1";
  }
  std::cout << Seeds() << " seeds: " << ToString(sum) << "\n";
  // A world in which nothing happens proves nothing.
  EXPECT_GT(sum.kills, 0);
  EXPECT_GT(sum.power_losses, 0);
  EXPECT_GT(sum.checkpoints, 0);
}

TEST_P(Simulated, ASeedReproducesBitForBit) {
  for (int seed = 1; seed <= std::min(Seeds(), 100); ++seed) {
    const Outcome once = Simulate(static_cast<uint64_t>(seed), GetParam(), Planted(), /*keeps_log=*/true);
    const Outcome again = Simulate(static_cast<uint64_t>(seed), GetParam(), Planted(), /*keeps_log=*/true);
    ASSERT_THAT(once.log, Not(IsEmpty()));
    ASSERT_EQ(once.log, again.log) << "seed " << seed;
    ASSERT_EQ(ToString(once.figures), ToString(again.figures)) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Topologies, Simulated, ::testing::ValuesIn(kTopologies), NameOf);

}  // namespace
}  // namespace mainstem::simulation
