// How a job goes on from its checkpoints, and what it does for them while it runs.
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "mainstem/base/log.h"
#include "mainstem/base/quantity.h"
#include "mainstem/connectors/files/remote_file_system.h"
#include "mainstem/connectors/staging/staging.h"
#include "mainstem/platform/die_point.h"
#include "mainstem/runtime/job.h"

namespace mainstem::runtime {
namespace {

constexpr int64_t kRescaleTimeoutNs = 60'000'000'000;         // checkpoints may follow one another without a gap
constexpr auto kRescalePause = std::chrono::milliseconds(5);  // until the next try

// The graph as text without what may differ between two runs: parallelism.
std::string Description(const plan::JobGraph& graph) {
  plan::JobGraph same = graph;
  for (plan::TaskSpec& task : same.tasks) task.parallelism = 1;
  for (ServiceSpec& service : same.services) service.max_replicas = 1;
  return plan::ToString(same);
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The first lines in which two descriptions differ.
std::string Difference(const std::string& before, const std::string& now) {
  const auto old_lines = Lines(before);
  const auto new_lines = Lines(now);
  for (size_t i = 0; i < std::max(old_lines.size(), new_lines.size()); ++i) {
    const std::string old_line = i < old_lines.size() ? old_lines[i] : "(nothing)";
    const std::string new_line = i < new_lines.size() ? new_lines[i] : "(nothing)";
    if (old_line != new_line) {
      return fmt::format("it was '{}' and is now '{}'", Escaped(old_line, 500), Escaped(new_line, 500));
    }
  }
  return "nothing";
}

// Which job staged what in a sink's folder: the name alone would be shared by jobs of two checkpoint folders.
std::string SinkJobId(const std::string& name, const std::string& folder) {
  std::string id;
  for (const char c : name) id += std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' ? c : '-';
  return fmt::format("{}-{}", id, Staging::ShortName(folder));
}

}  // namespace

Status Job::OpenCheckpoints(std::optional<checkpoint::Manifest>* last) {
  const CheckpointOptions& options = *settings_.checkpoint;
  if (sink() == nullptr) {
    return JobError("checkpoint: only a job that writes can be resumed; what has been read cannot be taken back");
  }
  if (settings_.name.empty()) return JobError("checkpoint: give the job a job_name, by which its next run finds it");
  std::string folder;
  ARROW_ASSIGN_OR_RAISE(checkpoint_files_, OpenFileSystem(options.folder, *environment_.files, &folder));
  ARROW_ASSIGN_OR_RAISE(storage_, checkpoint::Storage::Open(*checkpoint_files_, folder, settings_.name,
                                                            *environment_.clock, settings_.storage_plants));
  sink_job_ = SinkJobId(settings_.name, storage_->folder().path());
  if (!options.resume) {
    ARROW_RETURN_NOT_OK(sink()->Abort(sink_job_));
    ARROW_RETURN_NOT_OK(storage_->Remove());
    storage_.reset();
    ARROW_ASSIGN_OR_RAISE(storage_, checkpoint::Storage::Open(*checkpoint_files_, folder, settings_.name,
                                                              *environment_.clock, settings_.storage_plants));
  }
  std::vector<std::string> damaged;
  if (options.from.empty()) {
    ARROW_ASSIGN_OR_RAISE(*last, storage_->Latest(&damaged));
    DiePoint("recovery.latest");
  } else {
    ARROW_ASSIGN_OR_RAISE(*last, storage_->Read(options.from));
  }
  for (const std::string& what : damaged) {
    damage_ = fmt::format("{}; the one before it is used", what);
    Log(LogLevel::kError, "checkpoint", "{}", damage_);
  }
  const std::string description = Description(graph_);
  if (*last && (*last)->graph != description) {
    return JobError(fmt::format("job '{}' has changed since its checkpoint {}: {}. Undo the change, give the job another "
                                "job_name, or start it anew with resume=False",
                                Escaped(settings_.name), (*last)->checkpoint, Difference((*last)->graph, description)));
  }
  ARROW_ASSIGN_OR_RAISE(const int64_t largest, storage_->LargestNumber());
  checkpoint::CoordinatorSettings coordinator = options.coordinator;
  coordinator.commits = std::any_of(graph_.tasks.begin(), graph_.tasks.end(), [](const plan::TaskSpec& task) {
    return task.source && task.source->unbounded();
  });
  if (environment_.driver) {
    background_ = environment_.driver->background;
  } else {
    background_thread_ = std::make_unique<BackgroundThread>();
    background_ = background_thread_.get();
  }
  checkpointing_ = std::make_unique<Checkpointing>(
      CheckpointingParts{.settings = coordinator,
                         .retained = options.retained,
                         .storage = storage_.get(),
                         .sink = sink(),
                         .sink_job = sink_job_,
                         .job = settings_.name,
                         .graph = description,
                         .next = largest + 1,
                         .clock = environment_.clock,
                         .host = this,
                         .letters = letters_.get(),
                         .post = [this](std::function<void()> work) { background_->Post(std::move(work)); },
                         .plants = settings_.plants},
      *last ? &**last : nullptr);
  return Status::OK();
}

// What the checkpoint covers and was not committed is committed now, where it is due.
Status Job::ResumeSink(const checkpoint::Manifest& last) {
  const bool done = last.kind == checkpoint::Manifest::Kind::kFinal;
  restored_from_ = last.checkpoint;
  const auto rows = last.counters.find("rows_written");
  restored_rows_ = rows == last.counters.end() ? 0 : rows->second;
  if (done && last.pending.empty()) {
    Log(LogLevel::kInfo, "runtime", "job '{}' has finished already; resume=False starts it anew", settings_.name);
    return Status::OK();
  }
  const Status resumed = checkpointing_->ResumeSink(last);
  return resumed.ok() || damage_.empty() ? resumed : WithContext(resumed, damage_);
}

bool Job::Unaligned(int64_t checkpoint) const { return checkpointing_ && checkpointing_->Unaligned(checkpoint); }

void Job::SnapshotTaken(SubtaskId id, int64_t checkpoint, SubtaskSnapshot snapshot) {
  checkpointing_->OnSnapshot(id, checkpoint, std::move(snapshot));
}

std::map<int, std::string> Job::SourceStates(const std::map<SubtaskId, int64_t>& taken_at) {
  return execution()->SourceStates(taken_at);
}

void Job::CheckpointEnded(int64_t, const Status& reason) {
  if (!reason.ok()) return;
  const std::lock_guard lock(mutex_);
  restarts_in_a_row_ = 0;
}

void Job::SavepointEnded(const Status& status) {
  bool stop = false;
  {
    const std::lock_guard lock(mutex_);
    savepoint_status_ = status;
    stop = stop_after_savepoint_ && status.ok();
    stopped_ |= stop;
    if (!status.ok()) stop_after_savepoint_ = false;  // the job goes on, and may be asked again
  }
  if (!status.ok()) Log(LogLevel::kWarning, "checkpoint", "the savepoint failed: {}", status.message());
  changed_.notify_all();
  if (stop) StopWith(CancelledError("stopped by a savepoint"));
}

void Job::FinalEnded(const Status& status) {
  {
    const std::lock_guard lock(mutex_);
    final_status_ = status;
  }
  CallControl();
}

Result<std::optional<std::string>> Job::Savepoint(bool stop, int64_t timeout_ns) {
  if (!checkpointing_) return JobError("a savepoint needs a job that was started with checkpoint=");
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return JobError("the job has ended");
    if (stop_after_savepoint_) return JobError("the job is being stopped");
    savepoint_status_.reset();
    stop_after_savepoint_ = stop;
  }
  checkpointing_->RequestSavepoint();
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [&] {
      return finished_ || (savepoint_status_.has_value() && (!stop || !savepoint_status_->ok()));
    });
    if (!savepoint_status_) {
      if (finished_) return JobError("the job ended before the savepoint was taken");
      return std::optional<std::string>();
    }
    ARROW_RETURN_NOT_OK(*savepoint_status_);
  }
  return std::optional<std::string>(checkpointing_->last_savepoint());
}

// A retry error: not now, while a checkpoint is under way.
Status Job::TryToRescale(int task, int lanes) {
  if (lanes < 1 || lanes > 4096) return JobError("a task runs in 1 to 4096 subtasks");
  const auto running = execution();
  if (!running || stop_) return JobError("the job does not run");
  const auto count = [this](SubtaskId) {
    const std::lock_guard lock(mutex_);
    // Without checkpoints nobody else says whether all is done already.
    if (stop_ || finished_ || (!checkpointing_ && running_ == 0)) return false;
    ++running_;
    return true;
  };
  const auto announce = [&](SubtaskId id) { return (!checkpointing_ || checkpointing_->AddLane(id)) && count(id); };
  const auto while_idle = [&](const std::function<Status(const Execution::Announce&)>& change) {
    if (!checkpointing_) return change(count);
    return checkpointing_->WhileIdle(
        [&](const auto& add_lane) { return change([&](SubtaskId id) { return add_lane(id) && count(id); }); });
  };
  const int64_t newest = checkpointing_ ? checkpointing_->newest() : 0;
  ARROW_ASSIGN_OR_RAISE(const int came, running->Rescale(task, lanes, newest, announce, while_idle));
  Log(LogLevel::kInfo, "runtime", "task {} runs in {} subtasks now ({} came)", task, lanes, came);
  return Status::OK();
}

Status Job::Rescale(int task, int lanes) {
  const int64_t begun = environment_.clock->MonotonicNs();
  ++rescalers_;
  const auto done = [this](Status status) {
    --rescalers_;
    return status;
  };
  while (true) {
    const Status status = TryToRescale(task, lanes);
    // What is driven from outside cannot wait here.
    const bool over = environment_.clock->MonotonicNs() - begun > kRescaleTimeoutNs || environment_.driver;
    if (status.ok() || ClassOf(status) != ErrorClass::kRetry || over) return done(status);
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kRescalePause);
  }
}

// Of the control thread.
void Job::Autoscale() {
  if (settings_.autoscaler.max_parallelism == 0) return;
  for (const auto& [task, lanes] : autoscaler_.Look(execution()->Look(), environment_.clock->MonotonicNs())) {
    rescale_wanted_[task] = lanes;
  }
  for (auto wanted = rescale_wanted_.begin(); wanted != rescale_wanted_.end();) {
    const Status status = TryToRescale(wanted->first, wanted->second);
    wanted = ClassOf(status) == ErrorClass::kRetry ? std::next(wanted) : rescale_wanted_.erase(wanted);
  }
}

}  // namespace mainstem::runtime
