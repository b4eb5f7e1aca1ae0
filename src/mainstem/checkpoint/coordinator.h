// Coordinator: decides when checkpoints are taken, which count, and what follows from them. Events in, actions out.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem::checkpoint {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct CoordinatorSettings {
  int64_t interval_ns = 10'000'000'000;
  int64_t timeout_ns = 600'000'000'000;   ///< from the trigger to the last snapshot
  int64_t minimum_pause_ns = 0;           ///< from the end of one to the trigger of the next
  int64_t unaligned_after_ns = kNever;    ///< 0: unaligned from the start; kNever: aligned whatever it takes
  int tolerated_failures = 100;           ///< in a row; one more fails the job
  bool commits = false;                   ///< sinks commit with every checkpoint and not at the end alone
  // Regions that fail may stand in a checkpoint with their previous snapshot (FLIP-600).
  bool regions_may_fall_back = false;
  double fallen_back_most = 0.3;          ///< share of the regions
  int fallen_back_in_a_row = 2;           ///< then a full one is forced
};

/// A copy of a task.
struct Lane {
  int task = 0;
  int lane = 0;
  auto operator<=>(const Lane&) const = default;
};

enum class Purpose { kPeriodic, kSavepoint, kFinal };

/// All lanes take the barrier.
struct Trigger {
  int64_t checkpoint = 0;
  Purpose purpose = Purpose::kPeriodic;
  bool unaligned = false;
};
/// Barriers overtake from now on.
struct TurnUnaligned {
  int64_t checkpoint = 0;
};
/// The manifest is made durable: each lane with the snapshot that was taken at the barrier named.
struct Publish {
  int64_t checkpoint = 0;
  Purpose purpose = Purpose::kPeriodic;
  bool unaligned = false;
  std::map<Lane, int64_t> taken_at;
  std::set<int> fallen_back;  ///< regions
};
/// The manifest is durable; sinks may make visible what it covers.
struct Commit {
  int64_t checkpoint = 0;
};
/// The checkpoint is given up; what was written for it goes.
struct Discard {
  int64_t checkpoint = 0;
  std::string reason;
};
/// A savepoint or the final checkpoint has come to its end.
struct Completed {
  int64_t checkpoint = 0;
  Purpose purpose = Purpose::kPeriodic;
  Status status;
};
struct FailJob {
  std::string reason;
};
using Action = std::variant<Trigger, TurnUnaligned, Publish, Commit, Discard, Completed, FailJob>;
using Actions = std::vector<Action>;

/// A pure state machine: no clock, no input or output, no threads. At most one checkpoint is under way.
class Coordinator {
 public:
  /// `regions`: which region each lane belongs to. Checkpoints are numbered from `next`.
  Coordinator(CoordinatorSettings settings, std::map<Lane, int> regions, int64_t next, int64_t now_ns);

  Actions OnTick(int64_t now_ns);
  /// While it is held, no periodic checkpoint begins.
  void Hold(bool held) { held_ = held; }
  /// The lane's snapshot is durable.
  Actions OnSnapshot(int64_t checkpoint, Lane lane, int64_t now_ns);
  Actions OnSnapshotFailed(int64_t checkpoint, Lane lane, const Status& reason, int64_t now_ns);
  /// The lane has done all it had to; having ended is its snapshot from now on.
  Actions OnEnded(Lane lane, int64_t now_ns);
  /// The region's lanes run no more, until OnRegionRestored says that they go on from their last complete snapshot.
  Actions OnRegionFailed(int region, int64_t now_ns);
  /// Whether the region may go on from its last complete snapshot now: a checkpoint under way that has a newer one of
  /// it would count what it then does twice.
  bool MayRestart(int region) const { return !current_ || current_->fallen_back.contains(region); }
  void OnRegionRestored(int region);
  /// Lanes come and go while the job runs. False when all lanes have ended: then it is too late.
  bool OnLaneAdded(Lane lane, int region);
  Actions OnPublished(int64_t checkpoint, const Status& status, int64_t now_ns);
  Actions OnCommitted(int64_t checkpoint, const Status& status, int64_t now_ns);
  /// A full checkpoint as soon as none is under way. Completed tells how it ended.
  Actions RequestSavepoint(int64_t now_ns);
  /// Whether one was requested and has not come to its end; the next coordinator of the job is told by WantSavepoint.
  bool savepoint_wanted() const { return savepoint_wanted_; }
  void WantSavepoint() { savepoint_wanted_ = true; }

  /// When OnTick has something to do at the latest.
  int64_t next_tick_ns() const;
  /// Of the last complete checkpoint: where each lane restarts.
  const std::map<Lane, int64_t>& covered() const { return covered_; }
  int64_t last_complete() const { return last_complete_; }
  bool idle() const { return !current_; }

 private:
  enum class Phase { kSnapshots, kPublishing, kCommitting };
  struct Current {
    int64_t checkpoint = 0;
    Purpose purpose = Purpose::kPeriodic;
    Phase phase = Phase::kSnapshots;
    int64_t triggered_ns = 0;
    bool unaligned = false;
    std::set<Lane> missing;
    std::map<Lane, int64_t> taken_at;
    std::set<int> fallen_back;
  };

  Actions Begin(Purpose purpose, int64_t now_ns);
  Actions GiveUp(std::string reason, int64_t now_ns);
  Actions WhenComplete(int64_t now_ns);
  /// Puts the region's last complete snapshot in the current checkpoint's place, where the rules allow it.
  bool FallBack(int region);
  bool IsCurrent(int64_t checkpoint, Phase phase) const;
  void Over(int64_t now_ns);
  Actions Next(int64_t now_ns);
  std::set<int> AllRegions() const;
  bool AllEnded() const;

  const CoordinatorSettings settings_;
  std::map<Lane, int> regions_;
  std::set<Lane> ended_;
  std::set<int> failed_regions_;
  int64_t next_checkpoint_;
  int64_t due_ns_;
  bool held_ = false;
  bool savepoint_wanted_ = false;
  bool final_done_ = false;
  int failures_in_a_row_ = 0;
  int fallen_back_in_a_row_ = 0;
  std::optional<Current> current_;
  std::map<Lane, int64_t> covered_;
  int64_t last_complete_ = 0;
};

}  // namespace mainstem::checkpoint
