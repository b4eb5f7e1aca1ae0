// Engine: the way in for every front end: binds, explains and starts plans.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/connectors/catalog.h"
#include "mainstem/connectors/fetcher.h"
#include "mainstem/functions/registry.h"
#include "mainstem/runtime/job.h"
#include "mainstem/services/endpoint.h"

namespace mainstem::runtime {

/// How an engine works. Zeros stand for "as the machine has it".
struct EngineOptions {
  int parallelism = 0;                  ///< 0: the processors that this process may use
  int64_t memory_budget = 0;            ///< 0: half of the container's (or machine's) memory
  std::string python = "python3";       ///< interpreter of workers
  std::string python_host;              ///< path of mainstem/host.py
  std::string native_host;              ///< path of mainstem-host
  std::vector<std::string> environment; ///< NAME=value for workers
  FetchPolicy fetch;
  AutoscalerSettings autoscaler;

  /// Parses {"parallelism", "memory_budget", "log_level", "fetch": {…}, "autoscaler": {…}, …}; unknown names are errors.
  static Result<EngineOptions> FromJson(const std::string& json_text);
};

/// Thread-safe. Jobs must end before their engine is destroyed.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> Make(EngineOptions options);

  const Registry& registry() const { return registry_; }
  /// Schema of the plan's root; for a write, of what is written.
  Result<std::shared_ptr<arrow::Schema>> Schema(const std::string& plan_json, const MemoryTables& tables);
  /// `mode` is logical, optimized, physical or all.
  Result<std::string> Explain(const std::string& plan_json, const MemoryTables& tables, const std::string& mode);
  /// `job_json`: see job_options.h.
  Result<std::shared_ptr<Job>> Start(const std::string& plan_json, const MemoryTables& tables,
                                     const std::string& job_json, const GivenSinks& sinks = {});

 private:
  explicit Engine(EngineOptions options) : options_(std::move(options)) {}
  Result<plan::LogicalNodePtr> BindText(const std::string& plan_json, const MemoryTables& tables, bool create_sinks,
                                        const GivenSinks& sinks = {});

  EngineOptions options_;
  Registry registry_;
  std::unique_ptr<ServiceStarter> services_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Source>> source_cache_;  // guarded by mutex_
};

}  // namespace mainstem::runtime
