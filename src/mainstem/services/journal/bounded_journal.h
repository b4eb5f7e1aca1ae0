// Bounded journal: a journal that is kept within bounds, in the background, while it is used.
#pragma once

#include <memory>

#include "mainstem/services/journal/journal.h"

namespace mainstem {

/// The same journal; while the returned one lives, a thread of it looks at once and every kJournalCheckNs and trims what
/// is out of bounds (Journal::Trim). Its end waits for a trim under way up to kJournalGraceNs, and then cuts it short.
/// A trim that fails is a warning in the log: nothing that was paid for depends on it.
Result<std::shared_ptr<Journal>> KeptWithin(std::shared_ptr<Journal> journal, const JournalBounds& bounds,
                                            const Clock& clock = SystemClock());

inline constexpr int64_t kJournalCheckNs = 10'000'000'000;
inline constexpr int64_t kJournalGraceNs = 10'000'000'000;

/// Decides when a journal is trimmed: looking costs little, trimming reads and writes much of it. One thread at a time.
class TrimSchedule {
 public:
  explicit TrimSchedule(const JournalBounds& bounds) : bounds_(bounds) {}

  /// Whether to trim now, by size or by age.
  bool IsDue(int64_t bytes, int64_t now_ns) const;
  /// After a trim: what is left may be more than the bound where this run has used it.
  void Trimmed(int64_t bytes_left, int64_t now_ns);

 private:
  JournalBounds bounds_;
  int64_t bytes_left_ = 0;
  int64_t trimmed_ns_ = INT64_MIN;
};

}  // namespace mainstem
