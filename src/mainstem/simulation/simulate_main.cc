// mainstem-simulate: runs seeds, with or without a planted bug, and prints the schedule of the first that fails.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "mainstem/base/log.h"
#include "mainstem/simulation/simulation.h"

namespace mainstem::simulation {
namespace {

constexpr char kUsage[] =
    "mainstem-simulate [--topology NAME|all] [--from SEED] [--seeds COUNT] [--plant NAME] [--verbose]\n"
    "mainstem-simulate --table [--seeds COUNT]   every plant, and what finds it, as Markdown\n";

struct Request {
  std::vector<Topology> topologies = {std::begin(kTopologies), std::end(kTopologies)};
  uint64_t from = 1;
  uint64_t seeds = 1000;
  std::string plant;
  bool verbose = false;
  bool table = false;
};

bool Parse(int count, char** words, Request* request) {
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--verbose") {
      request->verbose = true;
      continue;
    }
    if (word == "--table") {
      request->table = true;
      continue;
    }
    if (i + 1 == count) return false;
    const std::string value = words[++i];
    if (word == "--from") {
      request->from = std::strtoull(value.c_str(), nullptr, 10);
    } else if (word == "--seeds") {
      request->seeds = std::strtoull(value.c_str(), nullptr, 10);
    } else if (word == "--plant") {
      request->plant = value;
    } else if (word == "--topology") {
      if (value == "all") continue;
      const auto topology = ParseTopology(value);
      if (!topology) return false;
      request->topologies = {*topology};
    } else {
      return false;
    }
  }
  return true;
}

bool RunTopology(const Request& request, Topology topology, const Planted& planted) {
  Figures sum;
  const auto began = std::chrono::steady_clock::now();
  for (uint64_t seed = request.from; seed < request.from + request.seeds; ++seed) {
    Outcome outcome = Simulate(seed, topology, planted, request.verbose);
    if (outcome.violation && !request.verbose) outcome = Simulate(seed, topology, planted, /*keeps_log=*/true);
    for (const std::string& line : outcome.log) fmt::print("{}\n", line);
    if (outcome.violation) {
      fmt::print("{}: seed {} breaks \"{}\": {}\n", ToString(topology), seed, outcome.violation->invariant,
                 outcome.violation->what);
      return false;
    }
    Add(sum, outcome.figures);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print("{}: {} seeds hold in {:.1f} s: {}\n", ToString(topology), request.seeds, took.count(), ToString(sum));
  return true;
}

int PrintTable(const Request& request) {
  bool all_found = true;
  fmt::print("| plant | what it does | topology | first seed | promise that it breaks |\n|---|---|---|---|---|\n");
  for (const Plant& plant : AllPlants()) {
    const auto found = FindPlant(plant, request.from, request.seeds);
    all_found &= found.has_value();
    fmt::print("| `{}` | {} | {} | {} | {} |\n", plant.name, plant.what, ToString(plant.topology),
               found ? std::to_string(found->seed) : "none", found ? found->violation.invariant : "**not found**");
  }
  return all_found ? 0 : 1;
}

int Run(const Request& request) {
  if (request.table) return PrintTable(request);
  Planted planted;
  bool known = request.plant.empty();
  for (const Plant& plant : AllPlants()) {
    if (plant.name != request.plant) continue;
    plant.put(planted);
    known = true;
  }
  if (!known) {
    fmt::print(stderr, "no plant is called '{}'; there are:\n", request.plant);
    for (const Plant& plant : AllPlants()) fmt::print(stderr, "  {}: {}\n", plant.name, plant.what);
    return 2;
  }
  bool holds = true;
  for (const Topology topology : request.topologies) holds &= RunTopology(request, topology, planted);
  return holds ? 0 : 1;
}

}  // namespace
}  // namespace mainstem::simulation

int main(int count, char** words) {
  mainstem::SetLogLevel(mainstem::LogLevel::kError);
  mainstem::simulation::Request request;
  if (!mainstem::simulation::Parse(count, words, &request)) {
    std::fputs(mainstem::simulation::kUsage, stderr);
    return 2;
  }
  return mainstem::simulation::Run(request);
}
