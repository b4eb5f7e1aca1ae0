// Execution: one attempt at running a job graph: its subtasks and channels, from a snapshot or from the beginning.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mainstem/plan/job_graph.h"
#include "mainstem/platform/clock.h"
#include "mainstem/runtime/autoscaler.h"
#include "mainstem/runtime/subtask.h"

namespace mainstem::runtime {

/// Where an execution goes on.
struct RestoredState {
  std::map<SubtaskId, Snapshot> lanes;
  std::map<SubtaskId, int64_t> taken_at;     ///< checkpoint of each lane's snapshot
  std::map<int, std::string> sources;        ///< task → state of its split queue
};

struct ExecutionParts {
  const plan::JobGraph* graph = nullptr;
  std::vector<std::shared_ptr<Endpoint>> services;
  std::shared_ptr<Fetcher> fetcher;
  Executor* executor = nullptr;
  SubtaskHost* host = nullptr;
  const Clock* clock = nullptr;
  int64_t memory_budget = int64_t{4} << 30;
  int64_t channel_bytes_most = int64_t{64} << 20;
  int threads = 1;
  std::string attempt;                       ///< prefix of the names of what sinks stage
  std::function<void(SubtaskId, DeadLetter)> set_aside;
  std::function<void()> wake_reader;         ///< rows have come for whoever reads the root
  Plants plants;
};

/// All but construction and Start is thread-safe.
class Execution {
 public:
  static Result<std::unique_ptr<Execution>> Make(ExecutionParts parts, RestoredState restored);
  ~Execution();

  /// Wakes everybody for the first time.
  void Start();
  void WakeAll();
  /// A checkpoint has been triggered.
  void Request(int64_t checkpoint);
  /// Puts a new subtask in the place of one that has failed, from its snapshot or, without one, from the beginning.
  /// Only where the lane is a region of its own.
  Status RestartLane(SubtaskId id, std::optional<Snapshot> snapshot, int64_t taken_at, const std::string& attempt);
  /// Says that a lane comes, before it runs; where that is answered with false, it does not.
  using Announce = std::function<bool(SubtaskId)>;
  /// Runs a change while no checkpoint is under way and none can begin; a retry error where one is.
  using WhileIdle = std::function<Status(const std::function<Status(const Announce&)>&)>;
  /// Changes how many lanes of a task take splits, or own keys. Only of tasks that read a source or stand behind an
  /// exchange by keys. Lanes that come have passed `barrier`, the newest one. Returns how many came. A retry error says
  /// that it can be done in a moment.
  Result<int> Rescale(int task, int lanes, int64_t barrier, const Announce& announce, const WhileIdle& while_idle);

  /// What the lanes of every task that can be rescaled are doing, for the autoscaler.
  std::vector<TaskLook> Look() const;

  /// State of every source, as of the barriers named.
  std::map<int, std::string> SourceStates(const std::map<SubtaskId, int64_t>& taken_at) const;
  void Covered(const std::map<SubtaskId, int64_t>& taken_at);

  std::vector<const Subtask*> subtasks() const;
  std::vector<SubtaskId> lanes() const;
  /// Lanes of a task that take new splits or orders.
  int active_lanes(int task) const;
  /// Every lane is a region of its own: nothing joins them but the queue of splits.
  bool pointwise() const { return graph().tasks.size() == 1; }
  InputGate* result() const { return result_.get(); }
  const plan::JobGraph& graph() const { return *parts_.graph; }

 private:
  // The place of a lane: what wakes it finds whoever runs there.
  struct Slot {
    std::atomic<Subtask*> subtask{nullptr};
    std::atomic<bool> started{false};  // answers to what a restored lane has asked for may come before everybody is there
  };
  struct Task {
    std::shared_ptr<SplitQueue> splits;
    std::shared_ptr<arrow::Schema> scan_schema;
    std::shared_ptr<Router> router;
    std::vector<std::shared_ptr<Slot>> slots;                  // by lane
    std::vector<int> owners;                                   // lanes among which keys are divided, in that order
    std::vector<std::vector<std::shared_ptr<Channel>>> outputs;  // lane, the reader's lane
    std::optional<size_t> reader;
  };

  explicit Execution(ExecutionParts parts) : parts_(std::move(parts)) {}
  Status Prepare(const RestoredState& restored);
  Status BuildTask(size_t index, RestoredState& restored);
  Status RekeyRestored(size_t index, RestoredState& restored);
  Result<std::unique_ptr<Subtask>> BuildLane(size_t index, int lane, const std::string& attempt, int64_t barrier,
                                             bool retiring);
  std::shared_ptr<Channel> MakeChannel(const Task& task, size_t index, size_t lane, size_t reader_lane);
  /// The same, closed where the reader's lane owns no keys.
  std::shared_ptr<Channel> MakeOutput(size_t index, size_t lane, size_t reader_lane);
  InputGate::Reads ReadsOf(size_t upstream) const;
  static bool Owns(const Task& task, int lane);
  /// Lanes of a task that take splits, or own keys.
  std::vector<const Subtask*> Active(size_t index) const;  // under mutex_
  Result<int> RescaleAlone(size_t index, int lanes, int64_t barrier, const Announce& announce);
  Result<int> RescaleJoined(size_t index, int lanes, int64_t barrier, const WhileIdle& while_idle);
  Result<int> Change(size_t index, int lanes, int64_t barrier, const Announce& announce);
  std::vector<Subtask*> Around(size_t index) const;
  Status CheckMayChange(size_t index) const;
  Result<std::vector<Subtask*>> BuildAdded(size_t index, int count, int64_t barrier);
  Status MoveKeys(size_t index, const std::vector<int>& from, const std::vector<int>& owners);
  void Join(size_t index, const std::vector<Subtask*>& added);
  std::function<void()> WakeSlot(const std::shared_ptr<Slot>& slot) const;

  ExecutionParts parts_;
  std::mutex rescaling_;                              // one at a time
  mutable std::mutex mutex_;
  std::vector<Task> tasks_;                           // lanes guarded by mutex_, as are the following
  std::vector<std::unique_ptr<Subtask>> subtasks_;    // also those that have been replaced: somebody may hold them
  std::unique_ptr<InputGate> result_;
};

}  // namespace mainstem::runtime
