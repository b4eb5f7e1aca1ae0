// Oracle: looks at the simulated disk and says which promise is broken. What must be there it knows without the engine.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "mainstem/simulation/topology.h"
#include "mainstem/simulation/world.h"

namespace mainstem::simulation {

inline constexpr char kSinkFolder[] = "/out";
inline constexpr char kCheckpointFolder[] = "/state";
inline constexpr char kJobName[] = "job";

/// The promises, as they are named in reports.
namespace promise {
inline constexpr char kOnce[] = "every row once";
inline constexpr char kContent[] = "content as expected";
inline constexpr char kWhole[] = "whole checkpoints visible";
inline constexpr char kShrinks[] = "visible data never shrinks";
inline constexpr char kNewest[] = "the newest checkpoint is restored";
inline constexpr char kNoDamage[] = "a crash damages no checkpoint";
inline constexpr char kStarts[] = "the job can be started";
inline constexpr char kFails[] = "the job fails for a reason";
inline constexpr char kFinishes[] = "the job finishes";
inline constexpr char kNothingLeft[] = "nothing staged is left";
inline constexpr char kCounts[] = "counts of a key are contiguous";
inline constexpr char kFenced[] = "an old process is fenced";
inline constexpr char kPaidOnce[] = "no used reply is paid again";
}  // namespace promise

class Oracle {
 public:
  Oracle(World& world, const JobShape& shape);

  /// After anything that may have changed the disk.
  void Look();
  /// After a power loss, which takes back what was not acknowledged: everything is read anew.
  void LookAgain();
  /// Every complete checkpoint verifies.
  void LookAtCheckpoints();
  /// A process says that this checkpoint is complete.
  void Acknowledge(int64_t checkpoint);
  /// A process has started from this checkpoint, 0: from the beginning.
  void Restored(int64_t checkpoint);
  /// A new process owns the job: checkpoints of earlier ones may not appear any more.
  void TakenOver();

  bool all_visible() const { return lines_.size() == expected_.size(); }
  /// How many rows are not visible, and some of them.
  std::string Missing() const;
  size_t manifests_seen() const { return checkpoints_.size(); }
  /// After the end: everything is there, and nothing else.
  void LookAtTheEnd();

 private:
  // Files that one checkpoint makes visible.
  using Files = std::set<std::string>;

  void Read(const std::string& name);
  void Take(const std::string& line, const std::string& file);
  void TakeCount(const std::string& id, const std::string& count, const std::string& file);
  void ReadManifest(const std::string& folder);
  void LookAtManifests();
  void CheckWhole();
  bool CommitUnderWay() const;
  std::vector<std::string> FilesBelow(const std::string& folder) const;

  World& world_;
  const bool bounded_;
  const bool keyed_;
  std::set<std::string> expected_;                // lines; of a keyed job ids
  const std::map<int64_t, int64_t> expected_counts_;
  std::map<std::string, std::string> files_;      // what is visible: name → content
  std::set<std::string> settled_;                 // files whose commit was acknowledged
  std::set<std::string> lines_;                   // that are visible
  std::map<int64_t, std::set<int64_t>> counts_;   // key → running counts
  std::set<std::string> read_;                    // manifests, by path and time
  std::set<std::string> checkpoints_;             // every manifest that was ever seen
  std::map<int64_t, Files> commits_;              // number of a checkpoint → files that it was the first to cover
  std::set<std::string> covered_;                 // files that any of them names
  std::map<int64_t, Files> pending_;              // number of a checkpoint → what it still had to commit
  int64_t acknowledged_ = 0;
  int64_t epoch_ = 0;                             // of the newest process
};

}  // namespace mainstem::simulation
