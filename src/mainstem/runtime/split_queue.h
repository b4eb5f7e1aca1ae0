// Split queue: hands out the splits of a source, remembers who got which, and goes on after a restore.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/connectors/source.h"

namespace mainstem::runtime {

/// Thread-safe. Ordinals are given in the order of the source and never twice.
class SplitQueue {
 public:
  /// What a lane gets. Neither a split nor a time: nothing is left for it.
  struct Given {
    std::optional<Split> split;
    int64_t retry_after_ns = 0;
  };

  explicit SplitQueue(std::unique_ptr<SplitEnumerator> enumerator) : enumerator_(std::move(enumerator)) {}
  /// Begins at the front, or where `state` (see State) says.
  static Result<std::shared_ptr<SplitQueue>> Make(const Source& source, const ScanRequest& scan,
                                                  const std::string& state);

  /// The next split for a lane that has passed the barrier of checkpoint `barrier` and whose last split was `after`:
  /// ordinals ascend in every lane. A lane that is retiring gets only splits that were given back.
  Result<Given> Next(int lane, int64_t barrier, int64_t after, bool retiring);

  /// What is to be handed out after a restore from a checkpoint in which each lane's snapshot was taken at the barrier
  /// that `taken_at` names: everything not handed out, and what a lane got behind its barrier.
  std::string State(const std::map<int, int64_t>& taken_at) const;
  /// Forgets who got what before these barriers: a complete checkpoint covers it.
  void Covered(const std::map<int, int64_t>& taken_at);
  /// Takes back what a lane got behind a barrier, for the lane goes on from there.
  void GiveBack(int lane, int64_t barrier);
  /// Ordinals from here on have not been given.
  int64_t next_ordinal() const;

 private:
  struct Handed {
    Split split;
    int lane = 0;
    int64_t barrier = 0;
  };

  mutable std::mutex mutex_;
  std::unique_ptr<SplitEnumerator> enumerator_;  // guarded by mutex_, as are the following
  int64_t next_ordinal_ = 0;
  std::map<int64_t, Split> returned_;            // by ordinal
  std::deque<Handed> handed_;
};

}  // namespace mainstem::runtime
