// Job: a running job graph: its subtasks, channels and services, from start to commit.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "mainstem/platform/clock.h"
#include "mainstem/platform/random.h"
#include "mainstem/plan/job_graph.h"
#include "mainstem/runtime/subtask.h"

namespace mainstem::runtime {

/// What a job runs with.
struct JobSettings {
  std::string name;
  int parallelism = 1;
  int64_t memory_budget = int64_t{4} << 30;
  int64_t watchdog_ns = 60'000'000'000;   ///< nothing moves for so long: say who waits for what
  std::string dead_letter_path;           ///< JSON lines; empty: memory only
  std::string journal_folder;             ///< finished replies of services; empty: none are kept
};

/// What a job is lent. Outlives the job.
struct JobEnvironment {
  ServiceStarter* services = nullptr;
  std::function<std::shared_ptr<Fetcher>()> make_fetcher;
  const Clock* clock = &SystemClock();
  Random* random = &SystemRandom();
};

/// Dead letters kept in memory; the count goes on beyond them, and a file holds all where one was asked for.
constexpr size_t kDeadLettersKept = 100'000;

/// Runs until its rows are read or written, it fails, or it is cancelled. Thread-safe.
class Job : private SubtaskHost {
 public:
  static Result<std::shared_ptr<Job>> Start(plan::JobGraph graph, JobSettings settings, JobEnvironment environment);
  ~Job() override;

  /// Returns the next batch of a job whose root is not a write; null when none came within the time or all have
  /// been read (then `finished` says so). A failed job gives its error once all that came before has been read.
  Result<std::shared_ptr<arrow::RecordBatch>> Next(int64_t timeout_ns);
  /// Waits for the end and returns whether it came; the job's error where it failed.
  Result<bool> WaitEnd(int64_t timeout_ns);
  bool finished() const;
  /// Stops within moments; what was staged is removed.
  void Cancel();

  /// JSON for progress displays and for the report at the end.
  std::string FiguresJson() const;
  std::vector<DeadLetter> DeadLetters() const;
  const Columns& output() const { return graph_.output; }

 private:
  Job(plan::JobGraph graph, JobSettings settings, JobEnvironment environment);
  Status Build();
  Status BuildTask(size_t index);
  void Watch();
  void Finish();
  std::string Waiting() const;
  std::string Bottleneck() const;

  // SubtaskHost
  bool cancelled() const override { return stop_.load(); }
  bool MayProduce() override;
  void AwaitMemory(Runnable* subtask) override;
  bool AnswersOutstanding() const;
  void WakeForMemory();
  void Failed(const Status& status) override;
  void SourceRead(int64_t rows, int64_t bytes) override;
  void Written(int64_t rows, int64_t bytes) override;
  void Ended(std::vector<Committable> committables) override;

  void SetAside(DeadLetter letter);
  int64_t AllocatedBytes() const;

  plan::JobGraph graph_;
  const JobSettings settings_;
  const JobEnvironment environment_;
  std::string attempt_;
  int64_t started_ns_ = 0;
  int64_t baseline_bytes_ = 0;

  std::vector<std::shared_ptr<Endpoint>> services_;
  std::shared_ptr<Fetcher> fetcher_;
  std::vector<std::vector<std::unique_ptr<Subtask>>> subtasks_;      // by task
  std::vector<std::vector<std::vector<std::shared_ptr<Channel>>>> channels_;  // task, its subtask, the reader's subtask
  std::unique_ptr<OrderedMerge> result_;
  std::unique_ptr<Scheduler> scheduler_;
  std::thread watchdog_;

  std::atomic<bool> stop_{false};
  std::atomic<int64_t> source_rows_{0};
  std::atomic<int64_t> source_bytes_{0};
  std::atomic<int64_t> rows_out_{0};
  std::atomic<int64_t> bytes_out_{0};
  mutable std::atomic<int64_t> peak_bytes_{0};
  std::atomic<int64_t> dead_letter_count_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Status status_;                              // guarded by mutex_, as are the following
  bool finished_ = false;
  int running_ = 0;
  int64_t ended_ns_ = 0;
  std::vector<Committable> committables_;
  std::set<Runnable*> memory_waiters_;
  std::vector<DeadLetter> dead_letters_;
  std::FILE* dead_letter_file_ = nullptr;
};

}  // namespace mainstem::runtime
