// The control thread of a job: time, restarts, and how an attempt and the job come to their ends.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/log.h"
#include "mainstem/base/quantity.h"
#include "mainstem/connectors/files/remote_file_system.h"
#include "mainstem/platform/die_point.h"
#include "mainstem/runtime/checkpoint_folder.h"
#include "mainstem/runtime/job.h"

namespace mainstem::runtime {
namespace {

constexpr int64_t kTickNs = 250'000'000;
constexpr int64_t kSoonNs = 5'000'000;
constexpr int64_t kRemoteTickNs = 10'000'000'000;  // between looks into a store, each of which is paid for

}  // namespace

void Job::Control() {
  last_moved_ns_ = environment_.clock->MonotonicNs();
  while (true) {
    const int64_t due = NextDue();
    {
      std::unique_lock lock(mutex_);
      if (finished_) return;
      const int64_t now = environment_.clock->MonotonicNs();
      if (due > now && !control_called_) control_changed_.wait_for(lock, std::chrono::nanoseconds(due - now));
      control_called_ = false;
    }
    Round();
  }
}

int64_t Job::Step() {
  Round();
  return NextDue();
}

void Job::CallControl() {
  {
    const std::lock_guard lock(mutex_);
    control_called_ = true;
  }
  control_changed_.notify_all();
}

// What has happened or become due.
void Job::Round() {
  bool attempt_over = false;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    attempt_over = running_ == 0 && (failed_lanes_.empty() || stop_);
  }
  WakeDue();
  Watch();
  if (!attempt_over && !stop_) Autoscale();
  if (checkpointing_ && !stop_) {
    checkpointing_->Tick(/*may_begin=*/!RescalingWanted());
    LookForStopRequest();
  }
  RestartLanes();
  if (attempt_over) AttemptEnded();
}

int64_t Job::NextDue() const {
  const int64_t tick = checkpointing_ ? checkpointing_->next_tick_ns() : checkpoint::kNever;
  const std::lock_guard lock(mutex_);
  const int64_t now = environment_.clock->MonotonicNs();
  // While a change waits for the end of a checkpoint, none begins: then the change is tried soon again.
  int64_t due = RescalingWanted() ? now + kSoonNs : std::min(now + kTickNs, tick);
  if (!timers_.empty()) due = std::min(due, timers_.begin()->first);
  for (const FailedLane& lane : failed_lanes_) due = std::min(due, std::max(lane.due_ns, now + 10'000'000));
  if (restart_due_ns_) due = std::min(due, *restart_due_ns_);
  return due;
}

void Job::WakeDue() {
  std::vector<Runnable*> due;
  {
    const std::lock_guard lock(mutex_);
    const int64_t now = environment_.clock->MonotonicNs();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      due.push_back(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    due.insert(due.end(), memory_waiters_.begin(), memory_waiters_.end());
    memory_waiters_.clear();
  }
  for (Runnable* runnable : due) executor_->Wake(runnable);
}

// Another process may ask for a savepoint and the end by a file in the job's folder.
void Job::LookForStopRequest() {
  const int64_t now = environment_.clock->MonotonicNs();
  const bool is_remote = IsRemoteFolder(storage_->folder().path());
  if (now - looked_ns_ < (is_remote ? kRemoteTickNs : kTickNs)) return;
  looked_ns_ = now;
  if (!is_remote) return TakeStopRequest();
  // A store may take its time to answer: this thread goes on meanwhile.
  background_->Post([this] { TakeStopRequest(); });
}

void Job::TakeStopRequest() {
  FileSystem& files = storage_->folder().files();
  const std::string path = storage_->folder().Path(kStopRequest);
  const auto found = files.Stat(path);
  if (!found.ok() || found->kind != FileKind::kFile) return;
  (void)files.Remove(path);
  {
    const std::lock_guard lock(mutex_);
    if (stop_after_savepoint_) return;
    stop_after_savepoint_ = true;
  }
  Log(LogLevel::kInfo, "runtime", "job '{}' was asked to stop: it takes a savepoint and ends", settings_.name);
  checkpointing_->RequestSavepoint();
}

// Says who waits for what when nothing moves.
void Job::Watch() {
  AllocatedBytes();
  const auto running = execution();
  int64_t sum = rows_read_ + letters_->count();
  for (const Subtask* subtask : running->subtasks()) {
    sum += subtask->figures().source_rows + subtask->figures().rows_written;
    for (const auto& figures : subtask->chain().figures()) sum += figures->rows_in + figures->rows_out;
  }
  for (const auto& service : services_) sum += service->Stats().rows;
  const int64_t now = environment_.clock->MonotonicNs();
  if (sum != last_sum_) {
    last_sum_ = sum;
    last_moved_ns_ = now;
    warned_ = false;
  } else if (now - last_moved_ns_ > settings_.watchdog_ns && !warned_) {
    warned_ = true;
    Log(LogLevel::kWarning, "runtime", "nothing has moved for {}: {}", FormatDuration(now - last_moved_ns_), Waiting());
  }
}

// What may be tried again, and when: under mutex_.
Status Job::MayRestartAfter(const Status& cause, int64_t* due_ns) {
  const ErrorClass error_class = ClassOf(cause);
  if (!checkpointing_ || (error_class != ErrorClass::kRetry && error_class != ErrorClass::kRegion)) return cause;
  const CheckpointOptions& options = *settings_.checkpoint;
  if (restarts_in_a_row_ == 0) first_cause_ = cause;
  if (restarts_in_a_row_ >= options.restarts_in_a_row) {
    return WithContext(first_cause_, fmt::format("given up after {} restarts without a checkpoint in between; the first "
                                                 "failure",
                                                 restarts_in_a_row_));
  }
  int64_t delay = options.restart_delay_ns;
  for (int i = 0; i < restarts_in_a_row_ && delay < options.restart_delay_most_ns; ++i) delay *= 2;
  ++restarts_in_a_row_;
  ++restarts_;
  *due_ns = environment_.clock->MonotonicNs() + std::min(delay, options.restart_delay_most_ns);
  return Status::OK();
}

void Job::Failed(SubtaskId id, const Status& status) {
  const auto running = execution();
  bool restarts_all = false;
  Status given_up;
  {
    const std::lock_guard lock(mutex_);
    if (!status_.ok() || restart_due_ns_) return;  // one failure brings others with it
    int64_t due_ns = 0;
    given_up = MayRestartAfter(status, &due_ns);
    if (given_up.ok()) {
      Log(LogLevel::kWarning, "runtime", "subtask {} of task {} failed and is started again in {}: {}", id.lane, id.task,
          FormatDuration(due_ns - environment_.clock->MonotonicNs()), status.message());
      if (running->pointwise()) {
        failed_lanes_.push_back({id, due_ns});
      } else {
        restart_due_ns_ = due_ns;
        restarts_all = true;
      }
    }
  }
  if (!given_up.ok()) return StopWith(given_up);
  if (restarts_all) {
    attempt_stop_ = true;
    running->WakeAll();
  } else {
    checkpointing_->OnLaneFailed(id);
  }
  CallControl();
}

// All go on from the last complete checkpoint, whatever region staged what is lost.
void Job::StagedLost(const Status& status) {
  Status given_up;
  {
    const std::lock_guard lock(mutex_);
    if (!status_.ok() || restart_due_ns_) return;
    int64_t due_ns = 0;
    given_up = MayRestartAfter(RetryError(status.message()), &due_ns);
    if (given_up.ok()) {
      Log(LogLevel::kWarning, "runtime", "what was staged since the last checkpoint is written again: {}",
          status.message());
      failed_lanes_.clear();
      restart_due_ns_ = due_ns;
    }
  }
  if (!given_up.ok()) return StopWith(given_up);
  attempt_stop_ = true;
  execution()->WakeAll();
  CallControl();
}

// Lanes that are regions of their own go on from their last complete snapshot; the others have not noticed.
void Job::RestartLanes() {
  if (stop_) return;
  const int64_t now = environment_.clock->MonotonicNs();
  std::vector<SubtaskId> due;
  std::shared_ptr<Execution> running;
  {
    const std::lock_guard lock(mutex_);
    running = execution_;
    for (const FailedLane& lane : failed_lanes_) {
      if (lane.due_ns <= now) due.push_back(lane.id);
    }
  }
  for (const SubtaskId id : due) {
    if (!checkpointing_->MayRestart(id)) continue;
    background_->Drain();
    int64_t taken_at = 0;
    auto snapshot = checkpointing_->SnapshotOf(id, &taken_at);
    Status status = snapshot.status();
    {
      const std::lock_guard lock(mutex_);
      std::erase_if(failed_lanes_, [&](const FailedLane& lane) { return lane.id == id; });
      ++running_;
    }
    letters_->GoBack(id);
    DiePoint("region.restart");
    if (status.ok()) status = running->RestartLane(id, std::move(*snapshot), taken_at, AttemptName());
    if (!status.ok()) {
      {
        const std::lock_guard lock(mutex_);
        --running_;
      }
      return StopWith(status);
    }
    checkpointing_->OnLaneRestarted(id);
  }
}

// Nobody runs any more: because all is done, because something failed, or because a restart is to come.
void Job::AttemptEnded() {
  Status status;
  bool restarts = false;
  std::optional<Status> final_status;
  {
    const std::lock_guard lock(mutex_);
    status = status_;
    restarts = restart_due_ns_.has_value();
    if (restarts && status.ok() && *restart_due_ns_ > environment_.clock->MonotonicNs()) return;
    final_status = final_status_;
  }
  if (!status.ok()) return Finish(status);
  if (restarts) return RestartAll();
  if (!checkpointing_) {
    for (const auto& service : services_) service->BeginStop();  // the replicas end while the result is committed
    return Finish(CommitAtEnd());
  }
  // The final checkpoint makes the result visible.
  if (final_status) return Finish(*final_status);
}

void Job::RestartAll() {
  background_->Drain();
  std::shared_ptr<Execution> old;
  {
    const std::lock_guard lock(mutex_);
    old = execution_;
    timers_.clear();
    memory_waiters_.clear();
    restart_due_ns_.reset();
    final_status_.reset();
  }
  past_executions_.push_back(old);
  letters_->GoBackAll();
  attempt_stop_ = false;
  const auto restart = [&]() -> Status {
    ARROW_ASSIGN_OR_RAISE(RestoredState restored, checkpointing_->ReadRestored());
    const std::vector<Committable> pending = checkpointing_->pending();
    // Where another process has taken over, what is staged is no longer this one's to sweep.
    ARROW_RETURN_NOT_OK(storage_->CheckFence());
    ARROW_RETURN_NOT_OK(sink()->Restore({.id = sink_job_, .checkpoint_folder = storage_->folder().path()}, pending));
    return StartExecution(std::move(restored));
  };
  const Status status = restart();
  if (!status.ok()) return Finish(status);
  execution()->Start();
}

Status Job::CommitAtEnd() {
  if (sink() == nullptr) return Status::OK();
  std::vector<Committable> committables;
  {
    const std::lock_guard lock(mutex_);
    committables = committables_;
  }
  ARROW_RETURN_NOT_OK(sink()->MakeDurable(committables));
  if (!committables.empty()) ARROW_RETURN_NOT_OK(sink()->Commit(committables));
  return sink()->Finish(sink_job_);
}

// Makes the end known, after what was staged has been removed or left for the next run.
void Job::Finish(Status status) {
  for (const auto& service : services_) service->BeginStop();
  for (const auto& service : services_) service->Stop();
  if (background_) background_->Drain();
  bool stopped = false;
  {
    const std::lock_guard lock(mutex_);
    stopped = stopped_;
  }
  if (stopped) status = Status::OK();
  if (!status.ok() && sink() != nullptr && !checkpointing_) {
    const Status aborted = sink()->Abort(sink_job_);
    if (!aborted.ok()) Log(LogLevel::kWarning, "runtime", "staged files remain: {}", aborted.message());
  }
  AllocatedBytes();
  storage_.reset();  // whoever runs the job next may begin at once
  {
    const std::lock_guard lock(mutex_);
    status_ = status;
    finished_ = true;
    ended_ns_ = environment_.clock->MonotonicNs();
  }
  changed_.notify_all();
}

}  // namespace mainstem::runtime
