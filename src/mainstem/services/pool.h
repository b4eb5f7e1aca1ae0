// Pool: the replicas of one service and the thread that feeds them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/platform/clock.h"
#include "mainstem/platform/thread.h"
#include "mainstem/services/child_output.h"
#include "mainstem/services/endpoint.h"
#include "mainstem/services/replica.h"

namespace mainstem {

/// What a pool is made of beside the service's own description.
struct PoolOptions {
  std::vector<std::string> arguments;    ///< the command line of a replica
  std::vector<std::string> environment;  ///< all of its environment
  OutputSink output = PrintOutput;
  int64_t start_timeout_ns = 600'000'000'000;  ///< for loading code or a model; then the replica is killed
  int64_t arena_bytes = int64_t{16} << 20;
  int64_t arena_bytes_max = int64_t{1} << 30;
  ServicePlatform platform;
  std::shared_ptr<Processes> own_processes;  ///< used in place of the platform's, and kept until it is stopped
  const Clock* clock = nullptr;
};

class PoolLoop;

/// An endpoint whose replicas are child processes of this one.
class Pool final : public Endpoint {
 public:
  static Result<std::shared_ptr<Pool>> Start(const ServiceSpec& spec, PoolOptions options);
  ~Pool() override;

  /// After Stop, `done` is called with a cancelled status before Submit returns.
  void Submit(Call call, std::function<void(Reply)> done) override;
  int SuggestedInFlight() const override;
  int64_t SuggestedRows() const override;
  ServiceStats Stats() const override;
  void BeginStop() override;
  /// Returns when every replica has ended, within about a second. Called from a `done` it only begins to stop.
  void Stop() override;

 private:
  explicit Pool(std::shared_ptr<PoolLoop> loop);

  std::shared_ptr<PoolLoop> loop_;
  std::mutex join_mutex_;
  Thread thread_;
};

}  // namespace mainstem
