// Checkpointing: carries out what the coordinator decides: snapshots to storage, manifests, commits.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/checkpoint/coordinator.h"
#include "mainstem/checkpoint/manifest.h"
#include "mainstem/checkpoint/storage.h"
#include "mainstem/platform/clock.h"
#include "mainstem/runtime/dead_letters.h"
#include "mainstem/runtime/execution.h"

namespace mainstem::runtime {

/// What a job does for its checkpoints.
class CheckpointHost {
 public:
  virtual ~CheckpointHost() = default;
  /// Every lane takes the barrier.
  virtual void TakeBarrier(int64_t checkpoint) = 0;
  /// Lanes look again at their barriers.
  virtual void LookAgain() = 0;
  virtual std::map<int, std::string> SourceStates(const std::map<SubtaskId, int64_t>& taken_at) = 0;
  virtual void Covered(const std::map<SubtaskId, int64_t>& taken_at) = 0;
  /// A periodic checkpoint is complete, or was given up (then `reason` says why).
  virtual void CheckpointEnded(int64_t checkpoint, const Status& reason) = 0;
  virtual void SavepointEnded(const Status& status) = 0;
  /// All rows are in place, or could not be put there.
  virtual void FinalEnded(const Status& status) = 0;
  virtual void CheckpointsFailed(const Status& status) = 0;
  /// What was staged since the last complete checkpoint may be lost: the job goes on from there. Called without locks.
  virtual void StagedLost(const Status& status) = 0;
};

/// Figures of one job's checkpoints.
struct CheckpointFigures {
  int64_t completed = 0;
  int64_t failed = 0;
  int64_t last = 0;
  int64_t last_duration_ns = 0;
  int64_t last_bytes = 0;
  int64_t last_in_flight_bytes = 0;
  std::string last_failure;
};

struct CheckpointingParts {
  checkpoint::CoordinatorSettings settings;
  int retained = 3;
  checkpoint::Storage* storage = nullptr;
  Sink* sink = nullptr;
  std::string sink_job;                 ///< id of the job at its sink
  std::string job;
  std::string graph;                    ///< text that a restore compares
  int64_t next = 1;                     ///< number of the first checkpoint
  const Clock* clock = nullptr;
  CheckpointHost* host = nullptr;
  DeadLetters* letters = nullptr;
  /// Runs work one piece after the other, beside the data flow.
  std::function<void(std::function<void()>)> post;
  Plants plants;
};

/// Thread-safe. Must outlive what it has posted.
class Checkpointing {
 public:
  /// `last`: the manifest that the job goes on from, or null.
  Checkpointing(CheckpointingParts parts, const checkpoint::Manifest* last);

  /// Readies the sink for a job that goes on: sweeps what the manifest does not cover, commits what is due.
  Status ResumeSink(const checkpoint::Manifest& last);
  /// The lanes of a new execution; what they have staged is not covered yet. `pointwise`: each lane is a region.
  void Begin(const std::vector<SubtaskId>& lanes, bool pointwise);
  /// False when it is too late for another one.
  bool AddLane(SubtaskId lane);
  /// Runs a change while no checkpoint is under way and none can begin; a retry error where one is. The change is given
  /// AddLane.
  Status WhileIdle(const std::function<Status(const std::function<bool(SubtaskId)>&)>& change);
  /// `may_begin`: a periodic checkpoint may begin now; false while a change waits for the end of one.
  void Tick(bool may_begin);
  int64_t next_tick_ns() const;

  bool Unaligned(int64_t checkpoint) const { return unaligned_.load() == checkpoint; }
  /// The newest barrier that was triggered.
  int64_t newest() const { return newest_.load(); }
  void OnSnapshot(SubtaskId lane, int64_t checkpoint, SubtaskSnapshot snapshot);
  void OnEnded(SubtaskId lane, std::vector<Committable> committables, Snapshot counters);
  void OnLaneFailed(SubtaskId lane);
  /// Whether a failed lane may go on now: no checkpoint under way counts on what it did.
  bool MayRestart(SubtaskId lane) const;
  /// The lane's last complete snapshot, and forgets what it has staged since.
  Result<std::optional<Snapshot>> SnapshotOf(SubtaskId lane, int64_t* taken_at);
  void OnLaneRestarted(SubtaskId lane);
  void RequestSavepoint();
  /// Of the last complete checkpoint, read back.
  Result<RestoredState> ReadRestored();

  /// What complete checkpoints cover and no commit has made visible.
  std::vector<Committable> pending() const;
  /// Path of the newest savepoint of this process.
  std::string last_savepoint() const;
  CheckpointFigures figures() const;

 private:
  // What a lane has staged and no complete checkpoint covers.
  struct Claim {
    int64_t barrier = 0;  ///< checkpoint::kNever: staged by its end
    std::vector<Committable> committables;
  };
  struct Work {
    checkpoint::Publish action;
    std::vector<checkpoint::PendingCommit> pending;
    std::vector<Committable> new_committables;
    std::vector<SubtaskId> ended;
    std::map<int, std::string> sources;
  };

  Status WithdrawSince(const checkpoint::Manifest& last, const SinkJob& job);
  void Carry(checkpoint::Actions actions);  // under mutex_
  void CarryOut(const checkpoint::Publish& publish);
  void CarryOut(const checkpoint::Commit& commit);
  void CarryOut(const checkpoint::Discard& discard);
  void WriteSnapshot(SubtaskId lane, int64_t checkpoint, const Snapshot& state);
  Work WorkOf(const checkpoint::Publish& publish);
  void DoPublish(const Work& work);
  Result<checkpoint::Manifest> MakeManifest(const Work& work, std::map<SubtaskId, int64_t>* set_aside);
  Status WriteLetters(const std::map<SubtaskId, int64_t>& set_aside, checkpoint::Manifest* manifest);
  Status MakeDurable(const std::vector<Committable>& staged);
  void DoCommit(int64_t checkpoint);
  Status PublishFinished(int64_t checkpoint);
  static checkpoint::Lane ToLane(SubtaskId id) { return {id.task, id.lane}; }
  int RegionOf(SubtaskId id) const { return pointwise_ ? id.lane : 0; }
  static std::vector<Committable> Contents(const std::vector<checkpoint::PendingCommit>& pending);

  const CheckpointingParts parts_;
  mutable std::mutex mutex_;
  std::optional<checkpoint::Coordinator> coordinator_;  // guarded by mutex_, as are the following
  int64_t next_checkpoint_ = 1;
  bool pointwise_ = false;
  std::map<SubtaskId, std::map<int64_t, checkpoint::SubtaskSnapshot>> files_;  // lane → checkpoint → its snapshot
  std::map<SubtaskId, std::map<int64_t, std::map<std::string, int64_t>>> counters_;
  std::map<SubtaskId, std::vector<Claim>> claims_;
  std::map<SubtaskId, Snapshot> ended_;
  std::map<SubtaskId, checkpoint::SubtaskSnapshot> ended_files_;  // of lanes whose end a complete checkpoint covers
  std::vector<checkpoint::PendingCommit> pending_;
  std::map<int, std::string> last_sources_;
  std::map<SubtaskId, int64_t> last_taken_at_;
  std::optional<checkpoint::Manifest> last_manifest_;
  std::map<int64_t, int64_t> triggered_wall_ns_;
  CheckpointFigures figures_;
  std::string last_savepoint_;
  std::atomic<int64_t> unaligned_{0};
  std::atomic<int64_t> newest_{0};
};

}  // namespace mainstem::runtime
