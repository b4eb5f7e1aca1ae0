#include "mainstem/runtime/job.h"

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/log.h"
#include "mainstem/base/quantity.h"
#include "mainstem/runtime/service_start.h"

namespace mainstem::runtime {
namespace {

constexpr double kProduceShare = 0.5;   // sources stop above this share of the budget

}  // namespace

Job::Job(plan::JobGraph graph, JobSettings settings, JobEnvironment environment)
    : graph_(std::move(graph)), settings_(std::move(settings)), environment_(std::move(environment)),
      autoscaler_(settings_.autoscaler) {}

Result<std::shared_ptr<Job>> Job::Start(plan::JobGraph graph, JobSettings settings, JobEnvironment environment) {
  std::shared_ptr<Job> job(new Job(std::move(graph), std::move(settings), std::move(environment)));
  const Status status = job->Build();
  if (!status.ok()) {
    job->stop_ = true;
    // What a job with checkpoints has staged stays for its next run.
    if (job->sink() != nullptr && !job->settings_.checkpoint && !job->sink()->Abort(job->sink_job_).ok()) {
      Log(LogLevel::kWarning, "runtime", "staged files remain in {}", job->sink()->Describe());
    }
    return status;
  }
  if (job->finished()) return job;  // an earlier run has done everything
  if (!job->environment_.driver) job->control_ = std::thread([raw = job.get()] { raw->Control(); });
  if (const auto execution = job->execution()) execution->Start();
  return job;
}

Job::~Job() {
  if (environment_.driver) return;
  Cancel();
  if (control_.joinable()) {
    // The subtasks end one after the other and the control thread removes what was staged.
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return finished_; });
    }
    control_.join();
  }
  if (scheduler_) scheduler_->Stop();
  if (background_thread_) background_thread_->Stop();
  for (const auto& service : services_) service->Stop();
  if (fetcher_) fetcher_->Stop();
  past_executions_.clear();
  execution_.reset();
}

Status Job::Build() {
  sink_job_ = environment_.random->NextId();
  started_ns_ = environment_.clock->MonotonicNs();
  baseline_bytes_ = arrow::default_memory_pool()->bytes_allocated();
  ARROW_ASSIGN_OR_RAISE(letters_, DeadLetters::Make(*environment_.files, settings_.dead_letter_path, settings_.name));
  std::optional<checkpoint::Manifest> last;
  if (settings_.checkpoint) ARROW_RETURN_NOT_OK(OpenCheckpoints(&last));
  const bool done = last && last->kind == checkpoint::Manifest::Kind::kFinal;
  if (last) {
    ARROW_RETURN_NOT_OK(ResumeSink(*last));
  } else if (sink() != nullptr) {
    ARROW_RETURN_NOT_OK(sink()->Begin({.id = sink_job_, .checkpoint_folder = storage_ ? storage_->folder().path() : ""}));
  }
  if (storage_) {
    ARROW_RETURN_NOT_OK(letters_->AwaitCheckpoints(storage_->folder().files(), storage_->folder().Path("dead-letters"),
                                                   last ? last->counters["dead_letters"] : 0));
  }
  if (done) {
    storage_.reset();
    ended_ns_ = environment_.clock->MonotonicNs();
    finished_ = true;
    return Status::OK();
  }
  if (!graph_.services.empty()) {
    ARROW_ASSIGN_OR_RAISE(services_, StartServices(graph_.services, *environment_.services, settings_.journal_folder,
                                                   settings_.journal_bounds));
  }
  bool fetches = false;
  for (const plan::TaskSpec& task : graph_.tasks) {
    for (const plan::OperatorSpec& spec : task.operators) fetches |= spec.name == "fetch";
  }
  if (fetches) fetcher_ = environment_.make_fetcher();
  if (environment_.driver) {
    executor_ = environment_.driver->executor;
  } else {
    scheduler_ = std::make_unique<Scheduler>(settings_.parallelism, [this] { WakeForMemory(); });
    executor_ = scheduler_.get();
  }
  RestoredState restored;
  if (last) {
    ARROW_ASSIGN_OR_RAISE(restored, checkpointing_->ReadRestored());
  }
  return StartExecution(std::move(restored));
}

// Attempts are numbered over all processes, so that no two stage files of one name.
std::string Job::AttemptName() const {
  const int64_t epoch = storage_ ? storage_->epoch() : 0;
  const std::lock_guard lock(mutex_);
  return fmt::format("{}.{}", sink_job_, epoch * 1'000'000 + restarts_);
}

Status Job::StartExecution(RestoredState restored) {
  // What a full channel holds is written with each unaligned checkpoint: there it is a batch, and little more.
  const bool overtakes =
      settings_.checkpoint && settings_.checkpoint->coordinator.unaligned_after_ns != checkpoint::kNever;
  const int64_t channel_bytes_most = overtakes ? 256 << 10 : 64 << 20;
  ARROW_ASSIGN_OR_RAISE(
      std::shared_ptr<Execution> execution,
      Execution::Make({.graph = &graph_,
                       .services = services_,
                       .fetcher = fetcher_,
                       .executor = executor_,
                       .host = this,
                       .clock = environment_.clock,
                       .memory_budget = settings_.memory_budget,
                       .channel_bytes_most = channel_bytes_most,
                       .threads = settings_.parallelism,
                       .attempt = AttemptName(),
                       .set_aside = [this](SubtaskId id, DeadLetter letter) { letters_->Add(id, std::move(letter)); },
                       .wake_reader =
                           [this] {
                             const std::lock_guard lock(mutex_);
                             changed_.notify_all();
                           },
                       .plants = settings_.plants},
                      std::move(restored)));
  const auto lanes = execution->lanes();
  if (checkpointing_) checkpointing_->Begin(lanes, execution->pointwise());
  const std::lock_guard lock(mutex_);
  running_ = static_cast<int>(lanes.size());
  execution_ = std::move(execution);
  return Status::OK();
}

std::shared_ptr<Execution> Job::execution() const {
  const std::lock_guard lock(mutex_);
  return execution_;
}

int64_t Job::AllocatedBytes() const {
  // What was there at the start may have been given back since.
  const int64_t bytes = std::max<int64_t>(0, arrow::default_memory_pool()->bytes_allocated() - baseline_bytes_);
  int64_t peak = peak_bytes_.load();
  while (bytes > peak && !peak_bytes_.compare_exchange_weak(peak, bytes)) {
  }
  return bytes;
}

bool Job::MayProduce() {
  const auto limit = static_cast<int64_t>(static_cast<double>(settings_.memory_budget) * kProduceShare);
  if (AllocatedBytes() < limit) return true;
  // Where nobody else can give memory back, one more batch is the only way on.
  if (!executor_->OnlyCallerRuns()) return false;
  return !AnswersOutstanding();
}

bool Job::AnswersOutstanding() const {
  const auto running = execution();
  if (!running) return false;
  for (const Subtask* subtask : running->subtasks()) {
    // What has ended takes no answer any more.
    if (subtask->wait() != Wait::kEnded && subtask->chain().Outstanding() > 0) return true;
  }
  return false;
}

// Nobody runs, so nobody will give memory back: whoever waits for it goes on, one at a time. While answers are
// outstanding their arrival ends in this place again.
void Job::WakeForMemory() {
  if (AnswersOutstanding()) return;
  Runnable* waiter = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (memory_waiters_.empty()) return;
    waiter = *memory_waiters_.begin();
    memory_waiters_.erase(memory_waiters_.begin());
  }
  executor_->Wake(waiter);
}

void Job::AwaitMemory(Runnable* subtask) {
  const std::lock_guard lock(mutex_);
  memory_waiters_.insert(subtask);
}

void Job::AwaitTime(Runnable* subtask, int64_t after_ns) {
  {
    const std::lock_guard lock(mutex_);
    timers_.emplace(environment_.clock->MonotonicNs() + after_ns, subtask);
  }
  CallControl();
}

void Job::StopWith(const Status& status) {
  std::shared_ptr<Execution> running;
  {
    const std::lock_guard lock(mutex_);
    if (finished_) return;
    if (status_.ok()) status_ = status;
    running = execution_;
  }
  stop_ = true;
  if (running) running->WakeAll();
  CallControl();
}

void Job::Cancel() { StopWith(CancelledError("the job was cancelled")); }

void Job::Ended(SubtaskId id, bool completed, std::vector<Committable> committables, Snapshot counters) {
  if (completed && checkpointing_) checkpointing_->OnEnded(id, std::move(committables), std::move(counters));
  {
    const std::lock_guard lock(mutex_);
    if (!checkpointing_) {
      for (Committable& committable : committables) committables_.push_back(std::move(committable));
    }
    --running_;
  }
  CallControl();
}

bool Job::finished() const {
  const auto running = execution();
  const std::lock_guard lock(mutex_);
  InputGate* result = running ? running->result() : nullptr;
  return finished_ && (result == nullptr || result->Drained() || !status_.ok());
}

Result<std::shared_ptr<arrow::RecordBatch>> Job::Next(int64_t timeout_ns) {
  const auto running = execution();
  InputGate* result = running ? running->result() : nullptr;
  if (result == nullptr) return JobError("a job that writes has no rows to read");
  std::unique_lock lock(mutex_);
  const int64_t deadline = environment_.clock->MonotonicNs() + timeout_ns;
  while (true) {
    std::optional<Batch> batch = result->Pop();
    if (batch) {
      if (batch->rows->num_rows() == 0) continue;
      rows_read_ += batch->rows->num_rows();
      bytes_read_ += BytesOf(*batch->rows);
      return batch->rows;
    }
    if (finished_) {
      if (!status_.ok()) return status_;
      if (result->Drained()) return std::shared_ptr<arrow::RecordBatch>();
      continue;
    }
    const int64_t left = deadline - environment_.clock->MonotonicNs();
    if (left <= 0) return std::shared_ptr<arrow::RecordBatch>();
    changed_.wait_for(lock, std::chrono::nanoseconds(left));
  }
}

Result<bool> Job::WaitEnd(int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [this] { return finished_; });
  if (finished_ && !status_.ok()) return status_;
  return finished_;
}

}  // namespace mainstem::runtime
