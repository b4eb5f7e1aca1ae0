// Subtask: one copy of a task: reads splits or channels, drives its chain, writes to channels or a sink.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/connectors/source.h"
#include "mainstem/runtime/chain.h"
#include "mainstem/runtime/ordered_merge.h"
#include "mainstem/runtime/scheduler.h"

namespace mainstem::runtime {

/// Why a subtask does not run.
enum class Wait { kNothing, kInput, kRoom, kReply, kMemory, kEnded };
std::string_view ToString(Wait wait);

/// The splits of a source, handed out one at a time in order. Thread-safe.
class SplitQueue {
 public:
  explicit SplitQueue(std::unique_ptr<SplitEnumerator> enumerator) : enumerator_(std::move(enumerator)) {}
  Result<std::optional<Split>> Next();

 private:
  std::mutex mutex_;
  std::unique_ptr<SplitEnumerator> enumerator_;  // guarded by mutex_
  int64_t next_ordinal_ = 0;                     // guarded by mutex_
};

/// What the job lends its subtasks.
class SubtaskHost {
 public:
  virtual ~SubtaskHost() = default;
  virtual bool cancelled() const = 0;
  /// Memory for another batch at the source's end; consumers are given room first.
  virtual bool MayProduce() = 0;
  /// Wakes the subtask when memory has been given back.
  virtual void AwaitMemory(Runnable* subtask) = 0;
  virtual void Failed(const Status& status) = 0;
  virtual void SourceRead(int64_t rows, int64_t bytes) = 0;
  virtual void Written(int64_t rows, int64_t bytes) = 0;
  /// Called once, when the subtask has ended, well or not.
  virtual void Ended(std::vector<Committable> committables) = 0;
};

struct SubtaskParts {
  int depth = 0;
  SubtaskHost* host = nullptr;
  std::unique_ptr<Chain> chain;
  std::shared_ptr<Source> source;                 ///< where rows are read, or null
  ScanRequest scan;
  std::shared_ptr<arrow::Schema> scan_schema;
  std::shared_ptr<SplitQueue> splits;
  std::vector<std::unique_ptr<OrderedMerge>> inputs;  ///< one an upstream task
  bool renumber = false;                          ///< union: one input after the other, in one order of its own
  std::vector<std::shared_ptr<Channel>> outputs;  ///< one a downstream subtask; none where a sink is
  std::unique_ptr<SinkWriter> writer;
};

/// Runs on the scheduler's threads, one at a time.
class Subtask : public Runnable {
 public:
  explicit Subtask(SubtaskParts parts) : parts_(std::move(parts)) {}

  bool Run() override;
  int depth() const override { return parts_.depth; }
  Wait wait() const { return wait_.load(); }
  const Chain& chain() const { return *parts_.chain; }

 private:
  enum class Read { kGot, kNothing, kEnd, kNoMemory };

  Result<bool> StepOnce();
  Result<bool> Deliver();
  Result<Read> ReadInput();
  Result<Read> ReadSource();
  Result<Read> ReadChannels();
  void End();

  SubtaskParts parts_;
  std::optional<Split> split_;
  std::unique_ptr<SplitReader> reader_;
  int64_t next_order_ = 0;
  std::vector<Committable> committables_;
  bool ended_ = false;
  std::atomic<Wait> wait_{Wait::kInput};
};

}  // namespace mainstem::runtime
