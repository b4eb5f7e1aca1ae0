// Process: one life of a simulated job: the real runtime on a simulated disk, driven step by step until it dies.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "mainstem/runtime/job.h"
#include "mainstem/simulation/driver.h"
#include "mainstem/simulation/oracle.h"
#include "mainstem/simulation/plants.h"
#include "mainstem/simulation/services.h"
#include "mainstem/simulation/topology.h"

namespace mainstem::simulation {

/// What may differ between two lives of a job.
struct LifeSettings {
  int parallelism = 1;
  runtime::CheckpointOptions checkpoint;
};

class Process {
 public:
  Process(World& world, Oracle& oracle, Services& services, const JobShape& shape, const Planted& planted,
          LifeSettings settings, std::shared_ptr<FlakyRows> flaky);
  ~Process();

  /// Starts the job, which goes on where an earlier life left it.
  Status Start();
  /// Does one thing that could be done now, a drawn one. False where there is nothing to do but wait.
  bool Step();
  /// When there will be something to do at the latest.
  int64_t due_ns() const { return due_ns_; }

  bool is_alive() const { return files_->is_alive(); }
  SimulatedProcess& files() { return *files_; }
  runtime::Job& job() { return *job_; }
  bool started() const { return job_ != nullptr; }
  int64_t restored_from() const;
  std::string Describe() const;

  bool stops = false;     ///< a savepoint that ends it was asked for
  bool troubled = false;  ///< its disk failed at some time: it may give up
  bool replaced = false;  ///< another process has taken over

 private:
  void AfterBackground();
  int64_t FigureOf(const std::string& key) const;

  World& world_;
  Oracle& oracle_;
  const JobShape& shape_;
  const Planted& planted_;
  const LifeSettings settings_;
  const std::shared_ptr<FlakyRows> flaky_;
  std::unique_ptr<SimulatedProcess> files_;
  SimulatedExecutor executor_;
  SimulatedBackground background_;
  ServiceDoor door_;
  int64_t due_ns_ = 0;
  size_t manifests_seen_ = 0;
  std::shared_ptr<runtime::Job> job_;  // goes first: it holds on to all of the above
};

}  // namespace mainstem::simulation
