// Job: a running job graph, from start to commit: its attempts, its checkpoints, its end.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "mainstem/checkpoint/storage.h"
#include "mainstem/platform/clock.h"
#include "mainstem/platform/file_system.h"
#include "mainstem/platform/random.h"
#include "mainstem/plan/job_graph.h"
#include "mainstem/runtime/background.h"
#include "mainstem/runtime/checkpointing.h"
#include "mainstem/runtime/dead_letters.h"
#include "mainstem/runtime/execution.h"
#include "mainstem/runtime/scheduler.h"
#include "mainstem/services/journal/journal.h"

namespace mainstem::runtime {

/// How a job that writes survives.
struct CheckpointOptions {
  std::string folder;                            ///< of all jobs; each has a folder of its name in it
  checkpoint::CoordinatorSettings coordinator;
  int retained = 3;                              ///< complete checkpoints that are kept
  bool resume = true;                            ///< false: what is in the folder of the job is removed first
  std::string from;                              ///< a checkpoint or savepoint to go on from; empty: the newest
  int restarts_in_a_row = 5;                     ///< without a complete checkpoint in between; one more fails the job
  int64_t restart_delay_ns = 1'000'000'000;      ///< doubled with each restart in a row
  int64_t restart_delay_most_ns = 60'000'000'000;
};

/// What a job runs with.
struct JobSettings {
  std::string name;
  int parallelism = 1;
  int64_t memory_budget = int64_t{4} << 30;
  int64_t watchdog_ns = 60'000'000'000;   ///< nothing moves for so long: say who waits for what
  std::string dead_letter_path;           ///< JSON lines; empty: memory only
  std::string journal_folder;             ///< finished replies of services; empty: none are kept
  JournalBounds journal_bounds;           ///< that the job keeps the folder within
  std::optional<CheckpointOptions> checkpoint;
  AutoscalerSettings autoscaler;
  Plants plants;
  checkpoint::StoragePlants storage_plants;
};

/// Drives a job from outside, for a simulator: the job then has no threads of its own, its executor's runnables, its
/// background work and Job::Step are run by whoever drives it. Destroying such a job is the death of its process: nothing is
/// waited for or cleaned up.
struct JobDriver {
  Executor* executor = nullptr;
  Background* background = nullptr;
};

/// What a job is lent. Outlives the job.
struct JobEnvironment {
  ServiceStarter* services = nullptr;
  std::function<std::shared_ptr<Fetcher>()> make_fetcher;
  const Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
  FileSystem* files = &LocalFileSystem();
  std::optional<JobDriver> driver;
};

/// Runs until its rows are read or written, it fails, or it is cancelled. Thread-safe.
class Job : private SubtaskHost, private CheckpointHost {
 public:
  static Result<std::shared_ptr<Job>> Start(plan::JobGraph graph, JobSettings settings, JobEnvironment environment);
  ~Job() override;

  /// Returns the next batch of a job whose root is not a write; null when none came within the time or all have
  /// been read (then `finished` says so). A failed job gives its error once all that came before has been read.
  Result<std::shared_ptr<arrow::RecordBatch>> Next(int64_t timeout_ns);
  /// Waits for the end and returns whether it came; the job's error where it failed.
  Result<bool> WaitEnd(int64_t timeout_ns);
  bool finished() const;
  /// Stops within moments. What was staged is removed; with checkpoints it stays for the next run, which goes on.
  void Cancel();
  /// Takes a savepoint and, with `stop`, ends the job after it. Returns the savepoint's path; nothing when the time is
  /// over (the savepoint is still taken).
  Result<std::optional<std::string>> Savepoint(bool stop, int64_t timeout_ns);
  /// Changes how many lanes of a task run, while it runs.
  Status Rescale(int task, int lanes);

  /// One round of the control thread; only of a job that is driven from outside. Returns when it has something to do
  /// next at the latest.
  int64_t Step();

  /// JSON for progress displays and for the report at the end.
  std::string FiguresJson() const;
  std::vector<DeadLetter> SetAside() const { return letters_->List(); }
  const Columns& output() const { return graph_.output; }

 private:
  struct FailedLane {
    SubtaskId id;
    int64_t due_ns = 0;
  };

  Job(plan::JobGraph graph, JobSettings settings, JobEnvironment environment);
  Status Build();
  Status OpenCheckpoints(std::optional<checkpoint::Manifest>* last);
  Status ResumeSink(const checkpoint::Manifest& last);
  Status StartExecution(RestoredState restored);
  std::string AttemptName() const;
  std::shared_ptr<Execution> execution() const;

  // The control thread.
  void Control();
  void Round();
  void CallControl();
  int64_t NextDue() const;
  void WakeDue();
  void Watch();
  void LookForStopRequest();
  void TakeStopRequest();
  void RestartLanes();
  void AttemptEnded();
  void RestartAll();
  void Finish(Status status);
  Status CommitAtEnd();
  Status MayRestartAfter(const Status& cause, int64_t* due_ns);  // under mutex_

  std::string Waiting() const;
  std::string Bottleneck(const Execution& execution) const;

  // SubtaskHost
  bool cancelled() const override { return stop_.load() || attempt_stop_.load(); }
  bool MayProduce() override;
  void AwaitMemory(Runnable* subtask) override;
  void AwaitTime(Runnable* subtask, int64_t after_ns) override;
  void Failed(SubtaskId id, const Status& status) override;
  int64_t SetAsideBy(SubtaskId id) const override { return letters_->SetAsideBy(id); }
  bool Unaligned(int64_t checkpoint) const override;
  void SnapshotTaken(SubtaskId id, int64_t checkpoint, SubtaskSnapshot snapshot) override;
  void Ended(SubtaskId id, bool completed, std::vector<Committable> committables, Snapshot counters) override;

  // CheckpointHost
  void TakeBarrier(int64_t checkpoint) override { execution()->Request(checkpoint); }
  void LookAgain() override { execution()->WakeAll(); }
  std::map<int, std::string> SourceStates(const std::map<SubtaskId, int64_t>& taken_at) override;
  void Covered(const std::map<SubtaskId, int64_t>& taken_at) override { execution()->Covered(taken_at); }
  void CheckpointEnded(int64_t checkpoint, const Status& reason) override;
  void SavepointEnded(const Status& status) override;
  void FinalEnded(const Status& status) override;
  void CheckpointsFailed(const Status& status) override { StopWith(status); }
  void StagedLost(const Status& status) override;

  void StopWith(const Status& status);
  Status TryToRescale(int task, int lanes);
  void Autoscale();
  bool RescalingWanted() const { return rescalers_ > 0 || !rescale_wanted_.empty(); }  // of the control thread
  bool AnswersOutstanding() const;
  void WakeForMemory();
  int64_t AllocatedBytes() const;
  Sink* sink() const { return graph_.tasks.back().sink.get(); }

  plan::JobGraph graph_;
  const JobSettings settings_;
  const JobEnvironment environment_;
  std::string sink_job_;                   // the job's id at its sink
  int64_t started_ns_ = 0;
  int64_t baseline_bytes_ = 0;
  int64_t restored_rows_ = 0;
  std::string damage_;                     // of a newer checkpoint than the one that it goes on from
  int64_t restored_from_ = 0;              // checkpoint; 0: began at the beginning

  std::shared_ptr<FileSystem> checkpoint_files_;  // outlives what is stored on it
  std::unique_ptr<checkpoint::Storage> storage_;
  std::vector<std::shared_ptr<Endpoint>> services_;
  std::shared_ptr<Fetcher> fetcher_;
  std::vector<std::shared_ptr<Execution>> past_executions_;  // the scheduler may still hold their subtasks
  std::unique_ptr<Scheduler> scheduler_;        // unless driven, as is the following
  std::unique_ptr<BackgroundThread> background_thread_;
  Executor* executor_ = nullptr;
  Background* background_ = nullptr;
  std::unique_ptr<DeadLetters> letters_;
  std::unique_ptr<Checkpointing> checkpointing_;
  std::thread control_;

  std::atomic<bool> stop_{false};
  std::atomic<bool> attempt_stop_{false};
  std::atomic<int> rescalers_{0};          // callers of Rescale
  std::atomic<int64_t> rows_read_{0};      // by whoever reads the root
  std::atomic<int64_t> bytes_read_{0};
  mutable std::atomic<int64_t> peak_bytes_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;        // for those who wait for rows or the end
  std::condition_variable control_changed_;
  bool control_called_ = false;            // guarded by mutex_
  std::shared_ptr<Execution> execution_;   // guarded by mutex_, as are the following
  Status status_;
  bool finished_ = false;
  bool stopped_ = false;                   // by a savepoint
  int running_ = 0;                        // lanes
  int64_t ended_ns_ = 0;
  std::vector<Committable> committables_;  // of a job without checkpoints
  std::vector<FailedLane> failed_lanes_;
  std::optional<int64_t> restart_due_ns_;  // of all lanes
  Status first_cause_;
  int restarts_ = 0;
  int restarts_in_a_row_ = 0;
  std::optional<Status> final_status_;     // of the final checkpoint
  std::optional<Status> savepoint_status_;
  bool stop_after_savepoint_ = false;
  std::set<Runnable*> memory_waiters_;
  std::multimap<int64_t, Runnable*> timers_;
  // Of the control thread.
  Autoscaler autoscaler_;
  std::map<int, int> rescale_wanted_;      // task → lanes, until no checkpoint is under way
  int64_t last_moved_ns_ = 0;
  int64_t last_sum_ = -1;
  bool warned_ = false;
  int64_t looked_ns_ = 0;
};

}  // namespace mainstem::runtime
