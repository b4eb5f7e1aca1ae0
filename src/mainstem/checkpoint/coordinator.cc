#include "mainstem/checkpoint/coordinator.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mainstem::checkpoint {
namespace {

int64_t Plus(int64_t time_ns, int64_t duration_ns) {
  return duration_ns >= kNever - std::max<int64_t>(0, time_ns) ? kNever : time_ns + duration_ns;
}

void Append(Actions& actions, Actions more) {
  for (Action& action : more) actions.push_back(std::move(action));
}

}  // namespace

Coordinator::Coordinator(CoordinatorSettings settings, std::map<Lane, int> regions, int64_t next, int64_t now_ns)
    : settings_(settings), regions_(std::move(regions)), next_checkpoint_(next),
      due_ns_(Plus(now_ns, settings_.interval_ns)) {}

Actions Coordinator::OnTick(int64_t now_ns) {
  if (!current_) return Next(now_ns);
  if (current_->phase != Phase::kSnapshots) return {};
  if (now_ns >= Plus(current_->triggered_ns, settings_.timeout_ns)) {
    const Lane lane = *current_->missing.begin();
    return GiveUp(fmt::format("subtask {} of task {} did not reach its barrier in time", lane.lane, lane.task), now_ns);
  }
  if (!current_->unaligned && now_ns >= Plus(current_->triggered_ns, settings_.unaligned_after_ns)) {
    current_->unaligned = true;
    return {TurnUnaligned{current_->checkpoint}};
  }
  return {};
}

int64_t Coordinator::next_tick_ns() const {
  if (!current_) return due_ns_;
  if (current_->phase != Phase::kSnapshots) return kNever;
  const int64_t timeout = Plus(current_->triggered_ns, settings_.timeout_ns);
  return current_->unaligned ? timeout : std::min(timeout, Plus(current_->triggered_ns, settings_.unaligned_after_ns));
}

// What to begin when nothing is under way.
Actions Coordinator::Next(int64_t now_ns) {
  if (AllEnded()) return final_done_ ? Actions{} : Begin(Purpose::kFinal, now_ns);
  if (savepoint_wanted_ && failed_regions_.empty()) return Begin(Purpose::kSavepoint, now_ns);
  if (held_ || now_ns < due_ns_) return {};
  if (!failed_regions_.empty() && !settings_.regions_may_fall_back) return {};
  return Begin(Purpose::kPeriodic, now_ns);
}

Actions Coordinator::Begin(Purpose purpose, int64_t now_ns) {
  due_ns_ = Plus(now_ns, settings_.interval_ns);
  current_ = Current{.checkpoint = next_checkpoint_++,
                     .purpose = purpose,
                     .triggered_ns = now_ns,
                     .unaligned = settings_.unaligned_after_ns == 0};
  for (const auto& [lane, region] : regions_) {
    if (ended_.contains(lane)) {
      current_->taken_at[lane] = current_->checkpoint;
    } else {
      current_->missing.insert(lane);
    }
  }
  Actions actions;
  for (const int region : failed_regions_) {
    if (!FallBack(region)) return GiveUp(fmt::format("region {} is recovering", region), now_ns);
  }
  if (purpose != Purpose::kFinal) {
    actions.push_back(Trigger{current_->checkpoint, purpose, current_->unaligned});
  }
  Append(actions, WhenComplete(now_ns));
  return actions;
}

Actions Coordinator::WhenComplete(int64_t now_ns) {
  if (!current_ || current_->phase != Phase::kSnapshots || !current_->missing.empty()) return {};
  current_->phase = Phase::kPublishing;
  return {Publish{current_->checkpoint, current_->purpose, current_->unaligned, current_->taken_at,
                  current_->fallen_back}};
}

bool Coordinator::IsCurrent(int64_t checkpoint, Phase phase) const {
  return current_ && current_->checkpoint == checkpoint && current_->phase == phase;
}

Actions Coordinator::OnSnapshot(int64_t checkpoint, Lane lane, int64_t now_ns) {
  if (!IsCurrent(checkpoint, Phase::kSnapshots) || !regions_.contains(lane)) return {};
  // A region that fell back stays with its previous snapshot: its lanes must be of one checkpoint.
  if (current_->fallen_back.contains(regions_[lane])) return {};
  current_->missing.erase(lane);
  current_->taken_at[lane] = checkpoint;
  return WhenComplete(now_ns);
}

Actions Coordinator::OnSnapshotFailed(int64_t checkpoint, Lane lane, const Status& reason, int64_t now_ns) {
  if (!IsCurrent(checkpoint, Phase::kSnapshots) || !regions_.contains(lane)) return {};
  if (FallBack(regions_[lane])) return WhenComplete(now_ns);
  return GiveUp(fmt::format("the snapshot of subtask {} of task {}: {}", lane.lane, lane.task, reason.message()), now_ns);
}

Actions Coordinator::OnEnded(Lane lane, int64_t now_ns) {
  ended_.insert(lane);
  if (!current_) return Next(now_ns);
  return OnSnapshot(current_->checkpoint, lane, now_ns);
}

bool Coordinator::FallBack(int region) {
  if (!settings_.regions_may_fall_back || current_->purpose != Purpose::kPeriodic) return false;
  if (fallen_back_in_a_row_ >= settings_.fallen_back_in_a_row) return false;
  const auto fallen = static_cast<double>(current_->fallen_back.size() + 1);
  if (fallen > settings_.fallen_back_most * static_cast<double>(AllRegions().size())) return false;
  for (const auto& [lane, of] : regions_) {
    if (of == region && !covered_.contains(lane)) return false;  // there is no previous snapshot
  }
  for (const auto& [lane, of] : regions_) {
    if (of != region) continue;
    current_->missing.erase(lane);
    current_->taken_at[lane] = covered_[lane];
  }
  current_->fallen_back.insert(region);
  return true;
}

std::set<int> Coordinator::AllRegions() const {
  std::set<int> all;
  for (const auto& [lane, region] : regions_) all.insert(region);
  return all;
}

Actions Coordinator::OnRegionFailed(int region, int64_t now_ns) {
  failed_regions_.insert(region);
  // Its lanes go on from their last complete snapshot, so those that had ended since run again.
  std::erase_if(ended_, [&](const Lane& lane) { return regions_[lane] == region; });
  if (!current_ || current_->phase != Phase::kSnapshots || current_->fallen_back.contains(region)) return {};
  const bool complete = std::none_of(current_->missing.begin(), current_->missing.end(),
                                     [&](const Lane& lane) { return regions_[lane] == region; });
  if (complete && current_->purpose != Purpose::kFinal) return {};  // its snapshots are durable: they count
  if (FallBack(region)) return WhenComplete(now_ns);
  return GiveUp(fmt::format("region {} failed", region), now_ns);
}

void Coordinator::OnRegionRestored(int region) { failed_regions_.erase(region); }

bool Coordinator::OnLaneAdded(Lane lane, int region) {
  if (AllEnded()) return false;
  regions_[lane] = region;
  // A lane that comes while a checkpoint is under way has nothing that belongs to it.
  if (current_ && current_->phase == Phase::kSnapshots) current_->missing.erase(lane);
  return true;
}

bool Coordinator::AllEnded() const {
  return std::all_of(regions_.begin(), regions_.end(), [&](const auto& entry) { return ended_.contains(entry.first); });
}

Actions Coordinator::GiveUp(std::string reason, int64_t now_ns) {
  const Current given_up = *current_;
  Over(now_ns);
  Actions actions = {Discard{given_up.checkpoint, reason}};
  if (given_up.purpose != Purpose::kPeriodic) {
    if (given_up.purpose == Purpose::kSavepoint) savepoint_wanted_ = false;
    if (given_up.purpose == Purpose::kFinal) final_done_ = true;
    actions.push_back(Completed{given_up.checkpoint, given_up.purpose, JobError(reason)});
  }
  if (++failures_in_a_row_ > settings_.tolerated_failures) {
    actions.push_back(FailJob{fmt::format("{} checkpoints in a row have failed; the last one: {}", failures_in_a_row_,
                                          reason)});
    return actions;
  }
  Append(actions, Next(now_ns));
  return actions;
}

void Coordinator::Over(int64_t now_ns) {
  current_.reset();
  due_ns_ = std::max(due_ns_, Plus(now_ns, settings_.minimum_pause_ns));
}

Actions Coordinator::OnPublished(int64_t checkpoint, const Status& status, int64_t now_ns) {
  if (!IsCurrent(checkpoint, Phase::kPublishing)) return {};
  if (!status.ok()) return GiveUp(fmt::format("its manifest could not be written: {}", status.message()), now_ns);
  failures_in_a_row_ = 0;
  fallen_back_in_a_row_ = current_->fallen_back.empty() ? 0 : fallen_back_in_a_row_ + 1;
  covered_ = current_->taken_at;
  last_complete_ = checkpoint;
  if (settings_.commits || current_->purpose == Purpose::kFinal) {
    current_->phase = Phase::kCommitting;
    return {Commit{checkpoint}};
  }
  return OnCommitted(checkpoint, Status::OK(), now_ns);
}

Actions Coordinator::OnCommitted(int64_t checkpoint, const Status& status, int64_t now_ns) {
  if (!current_ || current_->checkpoint != checkpoint) return {};
  const Purpose purpose = current_->purpose;
  Over(now_ns);
  Actions actions;
  if (purpose == Purpose::kFinal) final_done_ = true;
  if (purpose == Purpose::kSavepoint) savepoint_wanted_ = false;
  if (purpose != Purpose::kPeriodic) actions.push_back(Completed{checkpoint, purpose, status});
  if (purpose == Purpose::kPeriodic && !status.ok() && ++failures_in_a_row_ > settings_.tolerated_failures) {
    actions.push_back(FailJob{fmt::format("the sink could not commit: {}", status.message())});
    return actions;
  }
  Append(actions, Next(now_ns));
  return actions;
}

Actions Coordinator::RequestSavepoint(int64_t now_ns) {
  savepoint_wanted_ = true;
  return current_ ? Actions{} : Next(now_ns);
}

}  // namespace mainstem::checkpoint
