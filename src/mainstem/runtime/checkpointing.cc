#include "mainstem/runtime/checkpointing.h"

#include <arrow/buffer.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mainstem/base/log.h"
#include "mainstem/platform/die_point.h"

namespace mainstem::runtime {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

}  // namespace

std::vector<Committable> Checkpointing::Contents(const std::vector<checkpoint::PendingCommit>& pending) {
  std::vector<Committable> contents;
  for (const auto& commit : pending) contents.push_back({commit.content});
  return contents;
}

Checkpointing::Checkpointing(CheckpointingParts parts, const checkpoint::Manifest* last) : parts_(std::move(parts)) {
  next_checkpoint_ = parts_.next;
  if (last == nullptr) return;
  last_manifest_ = *last;
  pending_ = last->pending;
  last_sources_ = last->sources;
  for (const auto& subtask : last->subtasks) {
    const SubtaskId id{subtask.task, subtask.lane};
    files_[id][subtask.taken_at] = subtask;
    last_taken_at_[id] = subtask.taken_at;
  }
}

Status Checkpointing::ResumeSink(const checkpoint::Manifest& last) {
  const bool final = last.kind == checkpoint::Manifest::Kind::kFinal;
  const std::vector<Committable> pending = Contents(last.pending);
  const SinkJob job{.id = parts_.sink_job, .checkpoint_folder = parts_.storage->folder().path()};
  ARROW_RETURN_NOT_OK(WithdrawSince(last, job));
  ARROW_RETURN_NOT_OK(parts_.sink->Restore(job, pending));
  DiePoint("recovery.restored");
  if (parts_.plants.no_recommit_on_restore) {
    pending_.clear();
  } else if (parts_.settings.commits || final) {
    if (!pending.empty()) {
      ARROW_RETURN_NOT_OK(parts_.storage->commits().Note(last.checkpoint, last.pending));
      ARROW_RETURN_NOT_OK(parts_.sink->Commit(pending));
    }
    pending_.clear();
    DiePoint("recovery.recommitted");
  }
  if (!final) return Status::OK();
  ARROW_RETURN_NOT_OK(parts_.sink->Finish(parts_.sink_job));
  return PublishFinished(parts_.next - 1);
}

// A job that goes back further than its last commit, because of damage or because it was told to, makes again what the
// commits since have shown: readers must not see it meanwhile.
Status Checkpointing::WithdrawSince(const checkpoint::Manifest& last, const SinkJob& job) {
  checkpoint::CommitLog& commits = parts_.storage->commits();
  ARROW_ASSIGN_OR_RAISE(auto shown, commits.ShownSince(last.checkpoint));
  if (shown.empty()) return Status::OK();
  // Where each checkpoint is committed, what this one covers stays; else nothing may be seen before the end.
  const bool commits_all = parts_.settings.commits || last.kind == checkpoint::Manifest::Kind::kFinal;
  if (commits_all) {
    std::erase_if(shown, [&](const checkpoint::PendingCommit& commit) { return commit.checkpoint <= last.checkpoint; });
  }
  const Status withdrawn =
      shown.empty() ? Status::OK() : parts_.sink->Withdraw(job, Contents(shown), Contents(last.pending));
  if (!withdrawn.ok()) {
    return WithContext(withdrawn, fmt::format("going back to checkpoint {}, while rows behind it are visible. Bring newer "
                                              "checkpoints back, or, to have these rows made and shown again, remove the "
                                              "files 'commit-*' in '{}'",
                                              last.checkpoint, Escaped(parts_.storage->folder().path(), 1000)));
  }
  DiePoint("recovery.withdrawn");
  ARROW_RETURN_NOT_OK(commits.Note(last.checkpoint, commits_all ? last.pending : std::vector<checkpoint::PendingCommit>()));
  return commits.ForgetSince(last.checkpoint);
}

void Checkpointing::Begin(const std::vector<SubtaskId>& lanes, bool pointwise) {
  const std::lock_guard lock(mutex_);
  pointwise_ = pointwise;
  std::map<checkpoint::Lane, int> regions;
  for (const SubtaskId& id : lanes) regions[ToLane(id)] = RegionOf(id);
  if (coordinator_) next_checkpoint_ = std::max(next_checkpoint_, newest_.load() + 1);
  const bool savepoint_wanted = coordinator_ && coordinator_->savepoint_wanted();
  coordinator_.emplace(parts_.settings, std::move(regions), next_checkpoint_, parts_.clock->MonotonicNs());
  if (savepoint_wanted) coordinator_->WantSavepoint();  // at the next tick
  claims_.clear();
  ended_.clear();
  ended_files_.clear();
}

bool Checkpointing::AddLane(SubtaskId lane) {
  const std::lock_guard lock(mutex_);
  return coordinator_->OnLaneAdded(ToLane(lane), RegionOf(lane));
}

Status Checkpointing::WhileIdle(const std::function<Status(const std::function<bool(SubtaskId)>&)>& change) {
  const std::lock_guard lock(mutex_);
  if (!coordinator_->idle()) return RetryError("a checkpoint is under way");
  return change([&](SubtaskId lane) { return coordinator_->OnLaneAdded(ToLane(lane), RegionOf(lane)); });
}

void Checkpointing::Tick(bool may_begin) {
  const std::lock_guard lock(mutex_);
  coordinator_->Hold(!may_begin);
  Carry(coordinator_->OnTick(parts_.clock->MonotonicNs()));
}

int64_t Checkpointing::next_tick_ns() const {
  const std::lock_guard lock(mutex_);
  return coordinator_ ? coordinator_->next_tick_ns() : checkpoint::kNever;
}

void Checkpointing::RequestSavepoint() {
  const std::lock_guard lock(mutex_);
  Carry(coordinator_->RequestSavepoint(parts_.clock->MonotonicNs()));
}

void Checkpointing::Carry(checkpoint::Actions actions) {
  for (const checkpoint::Action& action : actions) {
    std::visit(Overloaded{[&](const checkpoint::Trigger& trigger) {
                            newest_ = trigger.checkpoint;
                            triggered_wall_ns_[trigger.checkpoint] = parts_.clock->WallNs();
                            if (trigger.unaligned) unaligned_ = trigger.checkpoint;
                            parts_.host->TakeBarrier(trigger.checkpoint);
                          },
                          [&](const checkpoint::TurnUnaligned& turn) {
                            unaligned_ = turn.checkpoint;
                            parts_.host->LookAgain();
                          },
                          [&](const checkpoint::Publish& publish) { CarryOut(publish); },
                          [&](const checkpoint::Commit& commit) { CarryOut(commit); },
                          [&](const checkpoint::Discard& discard) { CarryOut(discard); },
                          [&](const checkpoint::Completed& completed) {
                            if (completed.purpose == checkpoint::Purpose::kSavepoint) {
                              parts_.host->SavepointEnded(completed.status);
                            } else if (completed.purpose == checkpoint::Purpose::kFinal) {
                              parts_.host->FinalEnded(completed.status);
                            }
                          },
                          [&](const checkpoint::FailJob& fail) { parts_.host->CheckpointsFailed(JobError(fail.reason)); }},
               action);
  }
}

void Checkpointing::OnSnapshot(SubtaskId lane, int64_t checkpoint, SubtaskSnapshot snapshot) {
  {
    const std::lock_guard lock(mutex_);
    if (!snapshot.committables.empty()) claims_[lane].push_back({checkpoint, std::move(snapshot.committables)});
  }
  parts_.post([this, lane, checkpoint, state = std::make_shared<const Snapshot>(std::move(snapshot.state))] {
    WriteSnapshot(lane, checkpoint, *state);
  });
}

// Beside the data flow: makes the lane's part of a checkpoint durable.
void Checkpointing::WriteSnapshot(SubtaskId lane, int64_t checkpoint, const Snapshot& state) {
  std::vector<Committable> staged;
  {
    const std::lock_guard lock(mutex_);
    for (const Claim& claim : claims_[lane]) {
      if (claim.barrier <= checkpoint) staged.insert(staged.end(), claim.committables.begin(), claim.committables.end());
    }
  }
  const auto write = [&]() -> Result<checkpoint::SnapshotFile> {
    ARROW_ASSIGN_OR_RAISE(auto buffers, ToBuffers(state));
    if (!staged.empty()) ARROW_RETURN_NOT_OK(MakeDurable(staged));
    if (parts_.plants.commit_on_prepare) ARROW_RETURN_NOT_OK(parts_.sink->Commit(staged));
    return parts_.storage->WriteSnapshot(checkpoint, lane.task, lane.lane, std::move(buffers));
  };
  const auto file = write();
  const std::lock_guard lock(mutex_);
  const int64_t now = parts_.clock->MonotonicNs();
  if (!file.ok()) {
    Carry(coordinator_->OnSnapshotFailed(checkpoint, ToLane(lane), file.status(), now));
    return;
  }
  int64_t calls = 0;
  for (const auto& [name, list] : state.batches) {
    if (name.ends_with("/calls")) calls += static_cast<int64_t>(list.size());
  }
  files_[lane][checkpoint] = {.task = lane.task, .lane = lane.lane, .file = *file, .taken_at = checkpoint,
                              .in_flight_bytes = state.bytes(), .in_flight_batches = state.batch_count(), .calls = calls};
  counters_[lane][checkpoint] = {{"rows_written", state.Number("rows_written")},
                                 {"source_rows", state.Number("source_rows")},
                                 {"set_aside", state.Number("set_aside")}};
  Carry(coordinator_->OnSnapshot(checkpoint, ToLane(lane), now));
}

// A sync that failed may have dropped what it should have written, and the next one succeeds all the same: what was
// staged must be written again.
Status Checkpointing::MakeDurable(const std::vector<Committable>& staged) {
  const Status status = parts_.sink->MakeDurable(staged);
  if (!status.ok()) parts_.host->StagedLost(status);
  return status;
}

void Checkpointing::OnEnded(SubtaskId lane, std::vector<Committable> committables, Snapshot counters) {
  const std::lock_guard lock(mutex_);
  claims_[lane].push_back({checkpoint::kNever, std::move(committables)});
  counters.numbers["ended"] = 1;
  ended_[lane] = std::move(counters);
  Carry(coordinator_->OnEnded(ToLane(lane), parts_.clock->MonotonicNs()));
}

void Checkpointing::OnLaneFailed(SubtaskId lane) {
  const std::lock_guard lock(mutex_);
  Carry(coordinator_->OnRegionFailed(RegionOf(lane), parts_.clock->MonotonicNs()));
}

bool Checkpointing::MayRestart(SubtaskId lane) const {
  const std::lock_guard lock(mutex_);
  return coordinator_->MayRestart(RegionOf(lane));
}

Result<std::optional<Snapshot>> Checkpointing::SnapshotOf(SubtaskId lane, int64_t* taken_at) {
  checkpoint::SnapshotFile file;
  {
    const std::lock_guard lock(mutex_);
    const auto covered = last_taken_at_.find(lane);
    *taken_at = covered == last_taken_at_.end() ? 0 : covered->second;
    std::erase_if(claims_[lane], [&](const Claim& claim) { return claim.barrier > *taken_at; });
    ended_.erase(lane);
    ended_files_.erase(lane);
    if (covered == last_taken_at_.end()) return std::nullopt;
    file = files_[lane].at(covered->second).file;
  }
  ARROW_ASSIGN_OR_RAISE(const auto bytes, parts_.storage->ReadSnapshot(file));
  ARROW_ASSIGN_OR_RAISE(Snapshot snapshot, ReadSnapshot(bytes));
  return snapshot;
}

void Checkpointing::OnLaneRestarted(SubtaskId lane) {
  const std::lock_guard lock(mutex_);
  coordinator_->OnRegionRestored(RegionOf(lane));
}

Result<RestoredState> Checkpointing::ReadRestored() {
  RestoredState restored;
  std::map<SubtaskId, checkpoint::SnapshotFile> files;
  {
    const std::lock_guard lock(mutex_);
    restored.sources = last_sources_;
    restored.taken_at = last_taken_at_;
    for (const auto& [id, taken_at] : last_taken_at_) files[id] = files_[id].at(taken_at).file;
  }
  for (const auto& [id, file] : files) {
    ARROW_ASSIGN_OR_RAISE(const auto bytes, parts_.storage->ReadSnapshot(file));
    ARROW_ASSIGN_OR_RAISE(restored.lanes[id], ReadSnapshot(bytes));
  }
  return restored;
}

void Checkpointing::CarryOut(const checkpoint::Publish& publish) {
  // Behind the snapshots that are still being written.
  parts_.post([this, publish] { DoPublish(WorkOf(publish)); });
}

void Checkpointing::CarryOut(const checkpoint::Discard& discard) {
  ++figures_.failed;
  figures_.last_failure = discard.reason;
  triggered_wall_ns_.erase(discard.checkpoint);
  for (auto& [lane, files] : files_) {
    const auto covered = last_taken_at_.find(lane);
    if (covered == last_taken_at_.end() || covered->second != discard.checkpoint) files.erase(discard.checkpoint);
  }
  Log(LogLevel::kWarning, "checkpoint", "checkpoint {} was given up: {}", discard.checkpoint, discard.reason);
  parts_.host->CheckpointEnded(discard.checkpoint, JobError(discard.reason));
  parts_.post([this, checkpoint = discard.checkpoint] {
    const Status status = parts_.storage->Discard(checkpoint);
    if (!status.ok()) Log(LogLevel::kWarning, "checkpoint", "what it wrote remains: {}", status.message());
  });
}

std::string Checkpointing::last_savepoint() const {
  const std::lock_guard lock(mutex_);
  return last_savepoint_;
}

std::vector<Committable> Checkpointing::pending() const {
  const std::lock_guard lock(mutex_);
  return Contents(pending_);
}

CheckpointFigures Checkpointing::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

}  // namespace mainstem::runtime
