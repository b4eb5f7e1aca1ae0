#include "mainstem/services/service_starter.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <mutex>

#include "mainstem/platform/fork_server.h"
#include "mainstem/services/pool.h"
#include "mainstem/services/rows.h"

namespace mainstem {
namespace {

Status Check(const ServiceSpec& spec) {
  const auto refuse = [&spec](std::string_view why) {
    return JobError(fmt::format("service '{}': {}", Escaped(spec.name), why));
  };
  if (spec.input == nullptr || spec.output == nullptr) return refuse("its input and output schemas are missing");
  if (spec.max_replicas < 1) return refuse("it needs at least one replica (concurrency is below 1)");
  if (spec.min_replicas < 0 || spec.min_replicas > spec.max_replicas) {
    return refuse(fmt::format("min_replicas ({}) must be within 0 … max_replicas ({})", spec.min_replicas,
                              spec.max_replicas));
  }
  if (spec.batch_rows < 0) return refuse("batch_rows is negative");
  if (spec.timeout_ns < 0) return refuse("the timeout is negative");
  ARROW_RETURN_NOT_OK(WithContext(CheckCrossesProcesses(*spec.input), spec.name));
  return WithContext(CheckCrossesProcesses(*spec.output), spec.name);
}

class ProcessStarter final : public ServiceStarter {
 public:
  explicit ProcessStarter(ServiceStarterOptions options) : options_(std::move(options)) {}

  Result<std::shared_ptr<Endpoint>> Start(const ServiceSpec& spec) override {
    ARROW_RETURN_NOT_OK(Check(spec));
    PoolOptions pool{.output = options_.output,
                     .start_timeout_ns = options_.start_timeout_ns,
                     .arena_bytes_max = options_.arena_bytes_max,
                     .platform = {options_.processes, options_.sockets, options_.memory},
                     .clock = options_.clock};
    pool.arena_bytes = std::min(pool.arena_bytes, pool.arena_bytes_max);
    if (spec.host == ServiceSpec::Host::kPython) {
      if (options_.python_host.empty()) return JobError("no Python host is installed; user functions cannot run");
      pool.arguments = {options_.python, options_.python_host};
    } else {
      if (options_.native_host.empty()) return JobError("no model host is installed; built-in models cannot run");
      pool.arguments = {options_.native_host};
    }
    std::vector<std::string> changes = options_.environment;
    changes.insert(changes.end(), spec.environment.begin(), spec.environment.end());
    pool.environment = EnvironmentWith(changes);
    if (spec.host == ServiceSpec::Host::kPython && spec.environment.empty()) pool.own_processes = Forks(pool);
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<Endpoint> endpoint, Pool::Start(spec, std::move(pool)));
    return endpoint;
  }

 private:
  // The pools that run side by side share one parent of their workers; it ends with the last of them.
  std::shared_ptr<Processes> Forks(const PoolOptions& pool) {
    const bool simulated = options_.processes != &SystemProcesses() || options_.sockets != &SystemSockets();
    if (simulated) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Processes> forks = forks_.lock();
    if (forks == nullptr) {
      forks = std::make_shared<ForkServer>(
          ProcessSpec{.arguments = pool.arguments, .environment = pool.environment});
      forks_ = forks;
    }
    return forks;
  }

  const ServiceStarterOptions options_;
  std::mutex mutex_;
  std::weak_ptr<Processes> forks_;  // guarded by mutex_
};

}  // namespace

std::unique_ptr<ServiceStarter> MakeServiceStarter(ServiceStarterOptions options) {
  return std::make_unique<ProcessStarter>(std::move(options));
}

}  // namespace mainstem
