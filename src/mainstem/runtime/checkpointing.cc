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

std::vector<Committable> Contents(const std::vector<checkpoint::PendingCommit>& pending) {
  std::vector<Committable> contents;
  for (const auto& commit : pending) contents.push_back({commit.content});
  return contents;
}

}  // namespace

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
  for (const SubtaskId& id : lanes) regions[ToLane(id)] = pointwise ? id.lane : 0;
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
  return coordinator_->OnLaneAdded(ToLane(lane), pointwise_ ? lane.lane : 0);
}

Status Checkpointing::WhileIdle(const std::function<Status(const std::function<bool(SubtaskId)>&)>& change) {
  const std::lock_guard lock(mutex_);
  if (!coordinator_->idle()) return RetryError("a checkpoint is under way");
  return change([&](SubtaskId lane) { return coordinator_->OnLaneAdded(ToLane(lane), pointwise_ ? lane.lane : 0); });
}

void Checkpointing::Tick() {
  const std::lock_guard lock(mutex_);
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
  Carry(coordinator_->OnRegionFailed(pointwise_ ? lane.lane : 0, parts_.clock->MonotonicNs()));
}

bool Checkpointing::MayRestart(SubtaskId lane) const {
  const std::lock_guard lock(mutex_);
  return coordinator_->MayRestart(pointwise_ ? lane.lane : 0);
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
  coordinator_->OnRegionRestored(pointwise_ ? lane.lane : 0);
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

// What the manifest of a checkpoint is made of.
Checkpointing::Work Checkpointing::WorkOf(const checkpoint::Publish& publish) {
  const std::lock_guard lock(mutex_);
  Work work{.action = publish};
  if (!parts_.plants.keep_only_newest_pending) work.pending = pending_;
  std::map<SubtaskId, int64_t> taken_at;
  for (const auto& [lane, barrier] : publish.taken_at) {
    const SubtaskId id{lane.task, lane.lane};
    taken_at[id] = barrier;
    // A lane that has ended since it took the barrier stands in the checkpoint as it was then.
    const bool ended = ended_.contains(id) && barrier == publish.checkpoint && !files_[id].contains(barrier);
    if (ended) work.ended.push_back(id);
    for (const Claim& claim : claims_[id]) {
      if (claim.barrier > barrier && !ended) continue;
      for (const Committable& committable : claim.committables) {
        work.pending.push_back({.checkpoint = publish.checkpoint, .content = committable.content});
        work.new_committables.push_back(committable);
      }
    }
  }
  work.sources = parts_.host->SourceStates(taken_at);
  return work;
}

void Checkpointing::DoPublish(const Work& work) {
  const checkpoint::Publish& action = work.action;
  std::map<SubtaskId, int64_t> set_aside;
  auto made = MakeManifest(work, &set_aside);
  Status status = made.status();
  if (status.ok()) status = WriteLetters(set_aside, &*made);
  if (status.ok() && parts_.plants.commit_before_manifest && parts_.settings.commits) {
    status = parts_.sink->Commit(Contents(made->pending));
  }
  if (status.ok()) status = parts_.storage->Publish(*made);
  parts_.letters->Settle(status.ok());
  DiePoint("checkpoint.published");
  const std::lock_guard lock(mutex_);
  if (status.ok()) {
    pending_ = made->pending;
    last_sources_ = made->sources;
    last_manifest_ = *made;
    last_taken_at_.clear();
    figures_.last_bytes = 0;
    figures_.last_in_flight_bytes = 0;
    for (const auto& subtask : made->subtasks) {
      const SubtaskId id{subtask.task, subtask.lane};
      last_taken_at_[id] = subtask.taken_at;
      files_[id] = {{subtask.taken_at, subtask}};
      std::erase_if(counters_[id], [&](const auto& entry) { return entry.first < subtask.taken_at; });
      const bool ended = std::find(work.ended.begin(), work.ended.end(), id) != work.ended.end();
      std::erase_if(claims_[id], [&](const Claim& claim) { return claim.barrier <= subtask.taken_at || ended; });
      if (ended) ended_files_[id] = subtask;
      figures_.last_bytes += subtask.file.bytes;
      figures_.last_in_flight_bytes += subtask.in_flight_bytes;
    }
    parts_.host->Covered(last_taken_at_);
    ++figures_.completed;
    figures_.last = action.checkpoint;
    if (action.purpose == checkpoint::Purpose::kSavepoint) {
      last_savepoint_ = parts_.storage->folder().Path(ToString(checkpoint::FolderName{action.checkpoint, true}));
    }
    figures_.last_duration_ns = made->duration_ns;
    std::erase_if(triggered_wall_ns_, [&](const auto& entry) { return entry.first <= action.checkpoint; });
    parts_.host->CheckpointEnded(action.checkpoint, Status::OK());
    parts_.post([this] {
      const Status retained = parts_.storage->Retain(parts_.retained);
      if (!retained.ok()) Log(LogLevel::kWarning, "checkpoint", "old checkpoints remain: {}", retained.message());
    });
  }
  Carry(coordinator_->OnPublished(action.checkpoint, status, parts_.clock->MonotonicNs()));
}

// The file of dead letters never knows less than the manifest counts.
Status Checkpointing::WriteLetters(const std::map<SubtaskId, int64_t>& set_aside, checkpoint::Manifest* manifest) {
  ARROW_ASSIGN_OR_RAISE(const int64_t letters, parts_.letters->Write(set_aside));
  if (letters > 0) manifest->counters["dead_letters"] = letters;
  DiePoint("letters.written");
  return Status::OK();
}

Result<checkpoint::Manifest> Checkpointing::MakeManifest(const Work& work,
                                                         std::map<SubtaskId, int64_t>* set_aside) {
  const checkpoint::Publish& action = work.action;
  if (!work.new_committables.empty()) ARROW_RETURN_NOT_OK(MakeDurable(work.new_committables));
  std::map<SubtaskId, checkpoint::SubtaskSnapshot> ended_files;
  for (const SubtaskId& id : work.ended) {
    Snapshot snapshot;
    {
      const std::lock_guard lock(mutex_);
      // The file of an earlier checkpoint that says so serves on.
      const auto earlier = ended_files_.find(id);
      if (earlier != ended_files_.end()) {
        ended_files[id] = earlier->second;
        continue;
      }
      snapshot = ended_[id];
    }
    ARROW_ASSIGN_OR_RAISE(auto buffers, ToBuffers(snapshot));
    ARROW_ASSIGN_OR_RAISE(auto file,
                          parts_.storage->WriteSnapshot(action.checkpoint, id.task, id.lane, std::move(buffers)));
    ended_files[id] = {.task = id.task, .lane = id.lane, .file = std::move(file)};
  }
  const std::lock_guard lock(mutex_);
  checkpoint::Manifest manifest{.checkpoint = action.checkpoint,
                                .epoch = parts_.storage->epoch(),
                                .job = parts_.job,
                                .graph = parts_.graph,
                                .unaligned = action.unaligned,
                                .sources = work.sources,
                                .pending = work.pending};
  switch (action.purpose) {
    case checkpoint::Purpose::kPeriodic: manifest.kind = checkpoint::Manifest::Kind::kCheckpoint; break;
    case checkpoint::Purpose::kSavepoint: manifest.kind = checkpoint::Manifest::Kind::kSavepoint; break;
    case checkpoint::Purpose::kFinal: manifest.kind = checkpoint::Manifest::Kind::kFinal; break;
  }
  const auto triggered = triggered_wall_ns_.find(action.checkpoint);
  const int64_t now = parts_.clock->WallNs();
  manifest.started_wall_ns = triggered == triggered_wall_ns_.end() ? now : triggered->second;
  manifest.duration_ns = std::max<int64_t>(0, now - manifest.started_wall_ns);
  for (const auto& [lane, barrier] : action.taken_at) {
    const SubtaskId id{lane.task, lane.lane};
    const auto ended = ended_files.find(id);
    auto subtask = ended != ended_files.end() ? ended->second : files_[id].at(barrier);
    if (ended != ended_files.end()) subtask.taken_at = action.checkpoint;
    manifest.parallelism[id.task] = std::max(manifest.parallelism[id.task], id.lane + 1);
    const auto& counted = ended != ended_files.end() ? ended_[id].numbers : counters_[id][barrier];
    // A region that fell back has gone back to what earlier checkpoints cover.
    if (barrier == action.checkpoint) {
      const auto number = counted.find("set_aside");
      if (number != counted.end()) (*set_aside)[id] = number->second;
    }
    for (const char* name : {"rows_written", "source_rows"}) {
      const auto number = counted.find(name);
      if (number != counted.end()) manifest.counters[name] += number->second;
    }
    manifest.subtasks.push_back(std::move(subtask));
  }
  for (const int region : action.fallen_back) manifest.fallen_back.push_back(fmt::format("lane {}", region));
  return manifest;
}

void Checkpointing::CarryOut(const checkpoint::Commit& commit) {
  parts_.post([this, checkpoint = commit.checkpoint] { DoCommit(checkpoint); });
}

void Checkpointing::DoCommit(int64_t checkpoint) {
  std::vector<checkpoint::PendingCommit> pending;
  bool final = false;
  {
    const std::lock_guard lock(mutex_);
    pending = pending_;
    final = last_manifest_->kind == checkpoint::Manifest::Kind::kFinal;
  }
  Status status = pending.empty() ? Status::OK() : parts_.storage->commits().Note(checkpoint, pending);
  if (status.ok()) status = parts_.sink->Commit(Contents(pending));
  DiePoint("checkpoint.committed");
  if (status.ok() && final) status = parts_.sink->Finish(parts_.sink_job);
  if (status.ok()) {
    const std::lock_guard lock(mutex_);
    pending_.clear();
  }
  if (status.ok() && final) status = PublishFinished(checkpoint);
  const std::lock_guard lock(mutex_);
  if (!status.ok()) {
    Log(LogLevel::kWarning, "checkpoint", "the commit of checkpoint {} failed, it will be tried again: {}", checkpoint,
        status.message());
  }
  Carry(coordinator_->OnCommitted(checkpoint, status, parts_.clock->MonotonicNs()));
}

// A manifest without anything to commit: whoever reads it knows that the job is done.
Status Checkpointing::PublishFinished(int64_t checkpoint) {
  checkpoint::Manifest manifest;
  {
    const std::lock_guard lock(mutex_);
    manifest = *last_manifest_;
  }
  manifest.checkpoint = checkpoint + 1;
  manifest.pending.clear();
  ARROW_RETURN_NOT_OK(parts_.storage->Publish(manifest));
  return parts_.storage->Retain(1);
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
