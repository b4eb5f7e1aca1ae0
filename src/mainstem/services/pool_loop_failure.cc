// What happens to rows when replicas fail: they are tried again in smaller batches until the rows at fault are known.
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/log.h"
#include "mainstem/services/pool_loop.h"

namespace mainstem {
namespace {

// Replicas that end before they answer anything, one after the other, until the pool gives up.
constexpr int kFailedStartsMax = 3;
constexpr int64_t kStartBackoffNs = 200'000'000;
// A row that ends its replica alone is at fault only when it, or a batch with it, did so before: somebody else
// may have killed the first.
constexpr int kLossesMin = 2;
// Rows, one after the other and none answered in between, that each ended a replica, until the pool gives up.
constexpr int kLostRowsMax = 20;

}  // namespace

void PoolLoop::Lose(Replica* replica, const std::string& how) {
  const bool was_ready = replica->is_ready();
  const std::string why = replica->lost_because.empty() ? how : replica->lost_because;
  const int64_t progress = replica->Progress();
  std::vector<WorkBatch> batches = replica->TakeOutstanding();
  ++figures_.replicas_lost;
  if (!was_ready) {
    if (replica->start_failure_counted) return;
    const std::string tail = replica->ErrorTail();
    FailedStart(fmt::format("the worker process {}{}{}", why, tail.empty() ? "" : "; it printed:", tail), false);
    return;
  }
  if (batches.empty()) {
    if (replica->answered() == 0) FailedStart(fmt::format("the worker process {}", why), false);
    return;
  }
  // The later ones were not begun: they go back as they are, in order.
  for (size_t i = batches.size(); i-- > 1;) queue_.Return(std::move(batches[i]));
  Retry(std::move(batches.front()), why, replica->timed_out, progress);
}

void PoolLoop::Retry(WorkBatch batch, const std::string& how, bool timed_out, int64_t progress) {
  if (IsObsolete(batch)) return;
  ++batch.losses;
  if (batch.rows == 1) {
    if (!timed_out && batch.losses < kLossesMin) {
      queue_.Return(std::move(batch));
      return;
    }
    if (!timed_out && ++lost_rows_in_a_row_ >= kLostRowsMax) {
      FailPool(JobError(fmt::format("service '{}': the last {} rows each ended the worker process (the last one {}); "
                                    "does its code end the process for every row?",
                                    spec_.name, kLostRowsMax, how)));
      return;
    }
    FailRow(batch, fmt::format("the worker process {} while processing this row", how));
    return;
  }
  if (batch.careful && progress >= 0) {
    // The row it was on is tried alone; the batch is split around it.
    if (progress + 1 < batch.rows) queue_.Return(Cut(batch, progress + 1, batch.rows - progress - 1));
    WorkBatch suspect = Cut(batch, progress, 1);
    queue_.Return(std::move(suspect));
    if (progress > 0) queue_.Return(Cut(batch, 0, progress));
    return;
  }
  if (!batch.careful) {
    batch.careful = true;
    queue_.Return(std::move(batch));
    return;
  }
  Split(batch);
}

void PoolLoop::Split(const WorkBatch& batch) {
  const int64_t half = batch.rows / 2;
  queue_.Return(Cut(batch, half, batch.rows - half));
  queue_.Return(Cut(batch, 0, half));
}

void PoolLoop::FailRow(const WorkBatch& batch, const std::string& reason) {
  const Status status = queue_.FailRow(batch, reason);
  if (!status.ok()) queue_.FailCalls(batch, status);
}

void PoolLoop::FailedStart(const std::string& why, bool permanent) {
  if (!failure_.ok()) return;
  ++failed_starts_in_a_row_;
  next_start_ns_ = Now() + kStartBackoffNs * (failed_starts_in_a_row_ - 1);
  if (!permanent && failed_starts_in_a_row_ < kFailedStartsMax) return;
  const bool others_answer = std::any_of(replicas_.begin(), replicas_.end(), [](const auto& entry) {
    return entry.second->is_ready() && entry.second->kill_at_ns == 0;
  });
  if (others_answer) {
    stopped_growing_ = true;
    Log(LogLevel::kWarning, "services", "service '{}' goes on with {} replicas: another could not start: {}",
        spec_.name, replicas_.size(), why);
    return;
  }
  FailPool(JobError(fmt::format("service '{}' could not start: {}", spec_.name, why)));
}

void PoolLoop::FailOutstanding(const Status& status) {
  for (const auto& [id, replica] : replicas_) {
    for (const WorkBatch& batch : replica->TakeOutstanding()) queue_.FailCalls(batch, status);
  }
  queue_.FailAll(status);
}

void PoolLoop::FailPool(const Status& status) {
  if (failure_.ok()) failure_ = status;
  next_start_ns_ = 0;
  FailOutstanding(failure_);
  for (const auto& [id, replica] : replicas_) {
    if (replica->kill_at_ns == 0) Condemn(replica.get(), "was not needed any more");
  }
}

}  // namespace mainstem
