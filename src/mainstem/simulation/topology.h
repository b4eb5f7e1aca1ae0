// Topology: the shapes of jobs that are simulated.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/plan/job_graph.h"
#include "mainstem/simulation/rows.h"
#include "mainstem/simulation/world.h"

namespace mainstem::simulation {

enum class Topology {
  kPointwise,  ///< source and sink in one task: every lane is a region
  kKeyed,      ///< rows spread by keys over lanes that count each key; lanes come and go while it runs
  kSpread,     ///< gathered into one and spread over many again; readers of the source come and go
  kUnion,      ///< two sources read by one task, one after the other
  kCalls,      ///< every row is sent to a service behind a journal
  kRescaling,  ///< pointwise, lanes come and go while it runs
};
inline constexpr Topology kTopologies[] = {Topology::kPointwise, Topology::kKeyed, Topology::kSpread,
                                           Topology::kUnion,     Topology::kCalls, Topology::kRescaling};

std::string_view ToString(Topology topology);
std::optional<Topology> ParseTopology(std::string_view name);

/// One job: its shape, and what of it is drawn from the seed. The same in all lives of the job.
struct JobShape {
  Topology topology = Topology::kPointwise;
  std::vector<SourceShape> sources;
};
JobShape DrawShape(World& world, Topology topology);

/// Fails with RetryError when the world says so.
struct FlakyRows {
  int64_t failures_left = 0;
};

plan::JobGraph MakeGraph(World& world, const JobShape& shape, int parallelism, std::shared_ptr<Sink> sink,
                         std::shared_ptr<FlakyRows> flaky);

/// The lines that the sink must show in the end, each once; of a keyed job without the counts, which ExpectedCounts
/// tells: key → how many rows.
std::vector<std::string> ExpectedLines(const JobShape& shape);
std::map<int64_t, int64_t> ExpectedCounts(const JobShape& shape);

}  // namespace mainstem::simulation
