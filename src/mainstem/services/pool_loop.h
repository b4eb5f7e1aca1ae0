// PoolLoop: what the thread of a pool does: takes calls, feeds replicas, replaces those that end.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/platform/poller.h"
#include "mainstem/services/batch_size.h"
#include "mainstem/services/call_queue.h"
#include "mainstem/services/pool.h"

namespace mainstem {

/// Submit, Stats, RequestStop and the suggestions are thread-safe; everything else belongs to the thread in Run.
class PoolLoop {
 public:
  static Result<std::shared_ptr<PoolLoop>> Make(const ServiceSpec& spec, PoolOptions options);

  /// Works until a stop is requested, then ends the replicas and answers what is open.
  void Run();
  void RequestStop();

  void Submit(Call call, std::function<void(Reply)> done);
  ServiceStats Stats() const;
  int64_t suggested_rows() const { return suggested_rows_.load(std::memory_order_relaxed); }
  const ServiceSpec& spec() const { return spec_; }

 private:
  PoolLoop(const ServiceSpec& spec, PoolOptions options, Poller poller, Wakeup wakeup);

  using Replicas = std::map<uint64_t, std::unique_ptr<Replica>>;

  int64_t Now() const { return options_.clock->MonotonicNs(); }
  void WaitAndHandle(int64_t timeout_ns);
  int64_t TimeoutNs() const;
  /// Takes over what was submitted; returns false when a stop was requested.
  bool TakeSubmitted();
  /// Makes the figures visible, then calls back for what was answered.
  void Publish();

  // pool_loop_dispatch.cc: from the queue to the replicas.
  void Dispatch();
  int64_t WantedReplicas() const;
  void StartReplicas();
  Status StartReplica();
  Replica* LeastOutstanding();
  std::optional<WorkBatch> NextBatch(bool replica_is_idle);
  void Send(Replica* replica, WorkBatch batch);

  // From the replicas to the queue.
  void HandleControl(uint64_t id);
  void HandleEvent(Replica* replica, ReplicaEvent event);
  void HandleAnswer(Replica* replica, ReplicaEvent event);
  void HandleExit(uint64_t id);
  void CheckDeadlines();
  void Condemn(Replica* replica, std::string why);

  // pool_loop_failure.cc: what happens to the rows of a replica that ended.
  void Lose(Replica* replica, const std::string& how);
  void Retry(WorkBatch batch, const std::string& how, bool timed_out, int64_t progress);
  void FailRow(const WorkBatch& batch, const std::string& reason);
  void Split(const WorkBatch& batch);
  void FailedStart(const std::string& why, bool permanent);
  void FailPool(const Status& status);
  void FailOutstanding(const Status& status);

  void Shutdown();

  const ServiceSpec spec_;
  std::shared_ptr<Processes> own_processes_;  ///< until the replicas have ended
  const PoolOptions options_;
  Poller poller_;
  Wakeup wakeup_;
  std::unique_ptr<SharedRegion> setup_;
  ReplicaSpec replica_spec_;
  CallQueue queue_;
  BatchSize batch_size_;
  Replicas replicas_;
  uint64_t last_replica_ = 0;
  int failed_starts_in_a_row_ = 0;
  int lost_rows_in_a_row_ = 0;
  bool stopped_growing_ = false;
  int64_t next_start_ns_ = 0;
  int64_t linger_until_ns_ = 0;
  Status failure_;  ///< not OK: nothing can be answered any more
  ServiceStats figures_;

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<OpenCall>> submitted_;  // guarded by mutex_
  int64_t submitted_rows_ = 0;                        // guarded by mutex_
  bool stop_requested_ = false;                       // guarded by mutex_
  bool ended_ = false;                                // guarded by mutex_
  ServiceStats published_;                            // guarded by mutex_
  std::atomic<int64_t> suggested_rows_;
};

}  // namespace mainstem
