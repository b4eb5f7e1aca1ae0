#include "mainstem/runtime/engine.h"

#include <arrow/type.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "mainstem/base/log.h"
#include "mainstem/base/quantity.h"
#include "mainstem/base/suggestion.h"
#include "mainstem/functions/builtin.h"
#include "mainstem/plan/rules.h"
#include "mainstem/runtime/job_options.h"
#include "mainstem/services/service_starter.h"

namespace mainstem::runtime {
namespace {

using Json = nlohmann::ordered_json;

Result<int64_t> BytesOption(const Json& value, const std::string& name) {
  if (value.is_number_integer()) return value.get<int64_t>();
  if (value.is_string()) return ParseBytes(value.get<std::string>());
  return JobError(fmt::format("'{}' takes bytes or a text like '512MB'", name));
}

Result<int64_t> DurationOption(const Json& value, const std::string& name) {
  if (value.is_number()) return static_cast<int64_t>(value.get<double>() * 1e9);
  if (value.is_string()) return ParseDuration(value.get<std::string>());
  return JobError(fmt::format("'{}' takes seconds or a text like '10s'", name));
}

Result<int> CountOption(const Json& value, const std::string& name) {
  if (value.is_number_integer() && value.get<int64_t>() >= 1 && value.get<int64_t>() <= 4096) return value.get<int>();
  return JobError(fmt::format("'{}' takes a number from 1 to 4096", name));
}

Status ParseFetch(const Json& json, FetchPolicy* policy) {
  static const std::vector<std::string> kNames = {"max_in_flight",   "max_bytes_in_flight", "max_file_bytes",
                                                  "connect_timeout", "stall_timeout",       "total_timeout",
                                                  "max_attempts",    "max_redirects",       "allow_private_addresses",
                                                  "max_in_flight_per_host"};
  for (const auto& [name, value] : json.items()) {
    if (name == "max_in_flight") {
      ARROW_ASSIGN_OR_RAISE(policy->max_in_flight, CountOption(value, name));
    } else if (name == "max_in_flight_per_host") {
      ARROW_ASSIGN_OR_RAISE(policy->max_in_flight_per_host, CountOption(value, name));
    } else if (name == "max_bytes_in_flight") {
      ARROW_ASSIGN_OR_RAISE(policy->max_bytes_in_flight, BytesOption(value, name));
    } else if (name == "max_file_bytes") {
      ARROW_ASSIGN_OR_RAISE(policy->max_file_bytes, BytesOption(value, name));
    } else if (name == "connect_timeout") {
      ARROW_ASSIGN_OR_RAISE(policy->connect_timeout_ns, DurationOption(value, name));
    } else if (name == "stall_timeout") {
      ARROW_ASSIGN_OR_RAISE(policy->stall_timeout_ns, DurationOption(value, name));
    } else if (name == "total_timeout") {
      ARROW_ASSIGN_OR_RAISE(policy->total_timeout_ns, DurationOption(value, name));
    } else if (name == "max_attempts") {
      ARROW_ASSIGN_OR_RAISE(policy->max_attempts, CountOption(value, name));
    } else if (name == "max_redirects" && value.is_number_integer()) {
      policy->max_redirects = value.get<int>();
    } else if (name == "allow_private_addresses" && value.is_boolean()) {
      policy->allow_private_addresses = value.get<bool>();
    } else {
      return JobError(fmt::format("fetch: there is no setting '{}' of this form.{}", Escaped(name),
                                  Suggestion(name, kNames)));
    }
  }
  return Status::OK();
}

Status ParseAutoscaler(const Json& json, AutoscalerSettings* settings) {
  static const std::vector<std::string> kNames = {"min_parallelism", "max_parallelism", "interval"};
  for (const auto& [name, value] : json.items()) {
    if (name == "min_parallelism") {
      ARROW_ASSIGN_OR_RAISE(settings->min_parallelism, CountOption(value, name));
    } else if (name == "max_parallelism") {
      ARROW_ASSIGN_OR_RAISE(settings->max_parallelism, CountOption(value, name));
    } else if (name == "interval") {
      ARROW_ASSIGN_OR_RAISE(settings->interval_ns, DurationOption(value, name));
    } else {
      return JobError(fmt::format("autoscaler: there is no setting '{}'.{}", Escaped(name),
                                  Suggestion(name, kNames)));
    }
  }
  if (settings->max_parallelism == 0) return JobError("autoscaler: max_parallelism says up to how many subtasks it may go");
  if (settings->min_parallelism > settings->max_parallelism) {
    return JobError("autoscaler: min_parallelism is larger than max_parallelism");
  }
  return Status::OK();
}

// What the container allows, else what the machine has.
int64_t AvailableMemory() {
  int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    int64_t limit = 0;
    if (file >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

int AvailableProcessors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace

Result<EngineOptions> EngineOptions::FromJson(const std::string& json_text) {
  const Json json = Json::parse(json_text.empty() ? "{}" : json_text, nullptr, false);
  if (!json.is_object()) return JobError("the engine's options are not a JSON object");
  static const std::vector<std::string> kNames = {"parallelism", "memory_budget", "log_level",   "python",
                                                  "python_host", "native_host",   "environment", "fetch",
                                                  "autoscaler"};
  EngineOptions options;
  for (const auto& [name, value] : json.items()) {
    if (name == "parallelism") {
      ARROW_ASSIGN_OR_RAISE(options.parallelism, CountOption(value, name));
    } else if (name == "memory_budget") {
      ARROW_ASSIGN_OR_RAISE(options.memory_budget, BytesOption(value, name));
      constexpr int64_t kLeastMemory = 16 << 20;
      if (options.memory_budget < kLeastMemory) {
        return JobError(fmt::format("memory_budget is {} ({} bytes) and must be at least {} ({} bytes)",
                                    Escaped(value.is_string() ? value.get<std::string>() : value.dump(), 80),
                                    options.memory_budget, FormatBytes(kLeastMemory), kLeastMemory));
      }
    } else if (name == "log_level" && value.is_string()) {
      static const std::map<std::string, LogLevel> kLevels = {{"debug", LogLevel::kDebug},
                                                              {"info", LogLevel::kInfo},
                                                              {"warning", LogLevel::kWarning},
                                                              {"error", LogLevel::kError}};
      const auto level = kLevels.find(value.get<std::string>());
      if (level == kLevels.end()) return JobError("log_level is debug, info, warning or error");
      SetLogLevel(level->second);
    } else if (name == "python" && value.is_string()) {
      options.python = value.get<std::string>();
    } else if (name == "python_host" && value.is_string()) {
      options.python_host = value.get<std::string>();
    } else if (name == "native_host" && value.is_string()) {
      options.native_host = value.get<std::string>();
    } else if (name == "environment" && value.is_array()) {
      for (const Json& entry : value) {
        if (!entry.is_string()) {
          return JobError(fmt::format("'environment' takes texts like 'NAME=value', not {}", Escaped(entry.dump(), 80)));
        }
        options.environment.push_back(entry.get<std::string>());
      }
    } else if (name == "fetch" && value.is_object()) {
      ARROW_RETURN_NOT_OK(ParseFetch(value, &options.fetch));
    } else if (name == "autoscaler" && value.is_object()) {
      ARROW_RETURN_NOT_OK(ParseAutoscaler(value, &options.autoscaler));
    } else {
      return JobError(fmt::format("there is no setting '{}' of this form.{}", Escaped(name), Suggestion(name, kNames)));
    }
  }
  return options;
}

Result<std::unique_ptr<Engine>> Engine::Make(EngineOptions options) {
  if (options.parallelism == 0) options.parallelism = AvailableProcessors();
  if (options.memory_budget == 0) options.memory_budget = AvailableMemory() / 2;
  std::unique_ptr<Engine> engine(new Engine(std::move(options)));
  ARROW_ASSIGN_OR_RAISE(engine->registry_, BuiltinRegistry());
  const EngineOptions& set = engine->options_;
  engine->services_ = MakeServiceStarter({.python = set.python,
                                          .python_host = set.python_host,
                                          .native_host = set.native_host,
                                          .environment = set.environment});
  return engine;
}

Result<plan::LogicalNodePtr> Engine::BindText(const std::string& plan_json, const MemoryTables& tables,
                                              bool create_sinks, const GivenSinks& sinks) {
  ARROW_ASSIGN_OR_RAISE(plan::ParsedPlan parsed, plan::ParsePlan(plan_json));
  const std::lock_guard lock(mutex_);
  constexpr size_t kSourcesKept = 256;
  if (source_cache_.size() > kSourcesKept || create_sinks) source_cache_.clear();  // a run looks at the files anew
  const plan::BindContext context{.registry = &registry_,
                                  .tables = &tables,
                                  .sinks = &sinks,
                                  .source_cache = &source_cache_,
                                  .create_sinks = create_sinks,
                                  .processors = options_.parallelism};
  return plan::BindPlan(parsed, context);
}

Result<std::shared_ptr<arrow::Schema>> Engine::Schema(const std::string& plan_json, const MemoryTables& tables) {
  ARROW_ASSIGN_OR_RAISE(plan::LogicalNodePtr root, BindText(plan_json, tables, false));
  return ToArrow(root->columns);
}

Result<std::string> Engine::Explain(const std::string& plan_json, const MemoryTables& tables, const std::string& mode) {
  static const std::vector<std::string> kModes = {"logical", "optimized", "physical", "all"};
  if (std::find(kModes.begin(), kModes.end(), mode) == kModes.end()) {
    return JobError(fmt::format("explain: there is no mode '{}'.{}", Escaped(mode), Suggestion(mode, kModes)));
  }
  ARROW_ASSIGN_OR_RAISE(plan::LogicalNodePtr root, BindText(plan_json, tables, true));
  std::string text;
  const bool all = mode == "all";
  if (all || mode == "logical") text += (all ? "== Logical plan ==\n" : "") + plan::ToString(*root);
  if (mode == "logical") return text;
  ARROW_ASSIGN_OR_RAISE(root, plan::Optimize(root, {.registry = &registry_}));
  if (all || mode == "optimized") text += (all ? "\n== Optimised plan ==\n" : "") + plan::ToString(*root);
  if (mode == "optimized") return text;
  ARROW_ASSIGN_OR_RAISE(plan::JobGraph graph, plan::MakeJobGraph(*root, registry_, options_.parallelism));
  return text + (all ? "\n== Job graph ==\n" : "") + plan::ToString(graph) + plan::DescribeRegions(graph);
}

Result<std::shared_ptr<Job>> Engine::Start(const std::string& plan_json, const MemoryTables& tables,
                                           const std::string& job_json, const GivenSinks& sinks) {
  JobSettings settings{.parallelism = options_.parallelism, .memory_budget = options_.memory_budget,
                       .autoscaler = options_.autoscaler};
  ARROW_RETURN_NOT_OK(ReadJobOptions(job_json, &settings));
  ARROW_ASSIGN_OR_RAISE(plan::LogicalNodePtr root, BindText(plan_json, tables, true, sinks));
  ARROW_ASSIGN_OR_RAISE(root, plan::Optimize(root, {.registry = &registry_,
                                                    .keeps_replies = !settings.journal_folder.empty()}));
  ARROW_ASSIGN_OR_RAISE(plan::JobGraph graph, plan::MakeJobGraph(*root, registry_, settings.parallelism));
  FetchPolicy fetch = options_.fetch;
  fetch.max_bytes_in_flight = std::min(fetch.max_bytes_in_flight, std::max<int64_t>(8 << 20, settings.memory_budget / 8));
  JobEnvironment environment{.services = services_.get(), .make_fetcher = [fetch]() -> std::shared_ptr<Fetcher> {
                               return MakeFetcher(fetch);
                             }};
  return Job::Start(std::move(graph), std::move(settings), std::move(environment));
}

}  // namespace mainstem::runtime
