// How a checkpoint becomes complete, and what it covers visible: manifests and commits, beside the data flow.
#include <arrow/buffer.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/log.h"
#include "mainstem/platform/die_point.h"
#include "mainstem/runtime/checkpointing.h"

namespace mainstem::runtime {

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

}  // namespace mainstem::runtime
