#include "mainstem/services/journal/bounded_journal.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "mainstem/base/log.h"
#include "mainstem/platform/thread.h"

namespace mainstem {
namespace {

// A journal that is over its bound whatever is done is trimmed again when it has grown by so much.
constexpr int64_t kGrowthBytes = int64_t{16} << 20;
constexpr int64_t kMinuteNs = 60'000'000'000;
constexpr int64_t kDayNs = 24 * 60 * kMinuteNs;

class BoundedJournal final : public Journal {
 public:
  BoundedJournal(std::shared_ptr<Journal> journal, const JournalBounds& bounds, const Clock& clock)
      : journal_(std::move(journal)), bounds_(bounds), clock_(clock), schedule_(bounds),
        keeper_("journal-trim", [this] { Run(); }) {}

  ~BoundedJournal() override {
    {
      std::unique_lock<std::mutex> lock(mutex_);
      ending_ = true;
      changed_.notify_all();
      changed_.wait_for(lock, std::chrono::nanoseconds(kJournalGraceNs), [this] { return ended_; });
    }
    cut_short_ = true;
    keeper_.Join();
  }

  const std::string& folder() const override { return journal_->folder(); }
  Result<std::vector<std::optional<std::string>>> Lookup(const std::vector<JournalKey>& keys) override {
    return journal_->Lookup(keys);
  }
  Status Append(const std::vector<JournalEntry>& entries) override { return journal_->Append(entries); }
  Result<JournalStats> Stats() override { return journal_->Stats(); }
  Result<JournalCollection> Collect(const JournalBounds& bounds) override { return journal_->Collect(bounds); }
  Status StartTrims(const JournalBounds& bounds) override { return journal_->StartTrims(bounds); }
  Result<JournalCollection> Trim(const JournalBounds& bounds, const std::atomic<bool>& cut_short) override {
    return journal_->Trim(bounds, cut_short);
  }

 private:
  void Run() {
    for (bool on = true; on;) {
      Look();
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait_for(lock, std::chrono::nanoseconds(kJournalCheckNs), [this] { return ending_; });
      on = !ending_;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }

  void Look() {
    const Status status = TrimIfDue();
    if (status.ok() || warned_) return;
    warned_ = true;
    Log(LogLevel::kWarning, "services", "the journal in {} is not kept within its bounds: {}", Escaped(folder()),
        status.message());
  }

  Status TrimIfDue() {
    ARROW_ASSIGN_OR_RAISE(const JournalStats stats, journal_->Stats());
    if (!schedule_.IsDue(stats.bytes, clock_.WallNs())) return Status::OK();
    ARROW_ASSIGN_OR_RAISE(const JournalCollection done, journal_->Trim(bounds_, cut_short_));
    schedule_.Trimmed(done.after.bytes, clock_.WallNs());
    return Status::OK();
  }

  const std::shared_ptr<Journal> journal_;
  const JournalBounds bounds_;
  const Clock& clock_;
  TrimSchedule schedule_;  // of the thread
  bool warned_ = false;    // of the thread
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;    // guarded by mutex_, as is the next
  bool ended_ = false;
  std::atomic<bool> cut_short_{false};
  Thread keeper_;          // the last: it uses the others
};

}  // namespace

bool TrimSchedule::IsDue(int64_t bytes, int64_t now_ns) const {
  if (bounds_.bytes_max > 0 && bytes > bounds_.bytes_max) {
    const int64_t growth = std::max(kGrowthBytes, bounds_.bytes_max / 10);
    if (trimmed_ns_ == INT64_MIN || bytes - bytes_left_ > growth) return true;
  }
  if (bounds_.age_ns_max <= 0) return false;
  const int64_t pause_ns = std::clamp(bounds_.age_ns_max / 10, kMinuteNs, kDayNs);
  return trimmed_ns_ == INT64_MIN || now_ns - trimmed_ns_ >= pause_ns;
}

void TrimSchedule::Trimmed(int64_t bytes_left, int64_t now_ns) {
  bytes_left_ = std::max(bytes_left, bounds_.bytes_max - bounds_.bytes_max / 10);
  trimmed_ns_ = now_ns;
}

Result<std::shared_ptr<Journal>> KeptWithin(std::shared_ptr<Journal> journal, const JournalBounds& bounds,
                                            const Clock& clock) {
  if (bounds.bytes_max <= 0 && bounds.age_ns_max <= 0) return journal;
  ARROW_RETURN_NOT_OK(journal->StartTrims(bounds));
  return std::make_shared<BoundedJournal>(std::move(journal), bounds, clock);
}

}  // namespace mainstem
