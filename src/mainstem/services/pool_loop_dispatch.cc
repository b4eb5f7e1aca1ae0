// From the queue to the replicas: how many there are, and who gets which rows.
#include <algorithm>

#include "mainstem/services/pool_loop.h"

namespace mainstem {
namespace {

// How long rows for a model wait for more of them while a replica is idle.
constexpr int64_t kLingerNs = 2'000'000;

}  // namespace

void PoolLoop::Dispatch() {
  linger_until_ns_ = 0;
  if (!failure_.ok()) return;
  StartReplicas();
  while (Replica* replica = LeastOutstanding()) {
    std::optional<WorkBatch> batch = NextBatch(replica->outstanding() == 0);
    if (!batch.has_value()) return;
    Send(replica, std::move(*batch));
  }
}

int64_t PoolLoop::WantedReplicas() const {
  int64_t busy = 0;
  for (const auto& [id, replica] : replicas_) busy += replica->outstanding() > 0 ? 1 : 0;
  const int64_t rows = batch_size_.RowsFor(queue_.rows(), queue_.bytes());
  const int64_t waiting = queue_.returned() + (queue_.rows() + rows - 1) / rows;
  return std::clamp<int64_t>(busy + waiting, spec_.min_replicas, std::max(spec_.max_replicas, spec_.min_replicas));
}

void PoolLoop::StartReplicas() {
  if (replicas_.empty()) stopped_growing_ = false;
  if (Now() < next_start_ns_ && !stopped_growing_) return;
  next_start_ns_ = 0;
  if (stopped_growing_) return;
  while (static_cast<int64_t>(replicas_.size()) < WantedReplicas()) {
    const Status status = StartReplica();
    if (status.ok()) continue;
    FailedStart(status.message(), false);
    return;
  }
}

Replica* PoolLoop::LeastOutstanding() {
  Replica* least = nullptr;
  for (const auto& [id, replica] : replicas_) {
    if (!replica->HasRoom()) continue;
    if (least == nullptr || replica->outstanding() < least->outstanding()) least = replica.get();
  }
  return least;
}

std::optional<WorkBatch> PoolLoop::NextBatch(bool replica_is_idle) {
  if (queue_.returned() > 0) {
    // A batch that ended a replica goes to one that has no other work to lose.
    if (!replica_is_idle) return std::nullopt;
    if (auto batch = queue_.NextReturned()) return batch;
  }
  if (queue_.rows() == 0) return std::nullopt;
  int64_t rows = batch_size_.RowsFor(queue_.rows(), queue_.bytes());
  if (queue_.rows() < rows) {
    // Less than a batch: a busy replica does not need it yet, and more may come until it does.
    if (!replica_is_idle) return std::nullopt;
    if (spec_.host == ServiceSpec::Host::kNative && rows > 1) {
      const int64_t until = queue_.oldest_ns() + kLingerNs;
      if (Now() < until) {
        linger_until_ns_ = until;
        return std::nullopt;
      }
    }
  }
  if (replica_is_idle && !batch_size_.is_fixed()) {
    int64_t idle = 0;
    for (const auto& [id, replica] : replicas_) idle += replica->HasRoom() && replica->outstanding() == 0 ? 1 : 0;
    const int64_t share = (queue_.rows() + idle - 1) / std::max<int64_t>(idle, 1);
    rows = std::min(rows, std::max(share, batch_size_.RowsMin()));
  }
  auto batch = queue_.Next(rows);
  // Where rows have a time limit, the first that exceeds it should be known without another attempt.
  if (batch.has_value()) batch->careful = spec_.timeout_ns > 0;
  return batch;
}

void PoolLoop::Send(Replica* replica, WorkBatch batch) {
  if (replica->outstanding() == 0) replica->since_ns = Now();
  const Status status = replica->Send(batch);
  if (status.ok()) return;
  if (ClassOf(status) == ErrorClass::kRow) {
    if (batch.rows == 1) {
      FailRow(batch, "a row is too large to send to its worker process: " + status.message());
    } else {
      Split(batch);
    }
    return;
  }
  queue_.FailCalls(batch, status);
}

}  // namespace mainstem
