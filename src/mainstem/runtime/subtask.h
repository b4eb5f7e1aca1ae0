// Subtask: one copy of a task: reads splits or channels, drives its chain, writes to channels or a sink.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/connectors/source.h"
#include "mainstem/runtime/chain.h"
#include "mainstem/runtime/input_gate.h"
#include "mainstem/runtime/plants.h"
#include "mainstem/runtime/router.h"
#include "mainstem/runtime/runnable.h"
#include "mainstem/runtime/split_queue.h"

namespace mainstem::runtime {

/// Why a subtask does not run.
enum class Wait { kNothing, kInput, kRoom, kReply, kMemory, kTime, kEnded };
std::string_view ToString(Wait wait);

/// Which subtask: `lane` counts the copies of a task.
struct SubtaskId {
  int task = 0;
  int lane = 0;
  auto operator<=>(const SubtaskId&) const = default;
};

/// What a subtask left at a barrier.
struct SubtaskSnapshot {
  Snapshot state;
  std::vector<Committable> committables;  ///< staged since the last one
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
  virtual void AwaitTime(Runnable* subtask, int64_t after_ns) = 0;
  virtual void Failed(SubtaskId id, const Status& status) = 0;
  /// Rows that the subtask has set aside, for its snapshot.
  virtual int64_t SetAsideBy(SubtaskId id) const = 0;
  /// Whether barriers of the checkpoint overtake what is in the channels.
  virtual bool Unaligned(int64_t checkpoint) const = 0;
  virtual void SnapshotTaken(SubtaskId id, int64_t checkpoint, SubtaskSnapshot snapshot) = 0;
  /// Called once, when the subtask has ended; `completed` says whether it has done all it had to.
  virtual void Ended(SubtaskId id, bool completed, std::vector<Committable> committables, Snapshot counters) = 0;
};

struct SubtaskParts {
  SubtaskId id;
  SubtaskHost* host = nullptr;
  std::unique_ptr<Chain> chain;
  std::shared_ptr<Source> source;                 ///< where rows are read, or null
  ScanRequest scan;
  std::shared_ptr<arrow::Schema> scan_schema;
  std::shared_ptr<SplitQueue> splits;
  std::vector<std::unique_ptr<InputGate>> inputs;  ///< one an upstream task
  bool concatenates = false;                      ///< one input after the other
  bool renumber = false;                          ///< batches get an order of its own
  std::shared_ptr<const Router> router;           ///< which output an order goes to
  std::vector<int> reader_keys;                   ///< or else the columns by which rows are spread
  std::vector<int> owners;                        ///< then the outputs among which keys are divided, in order
  std::vector<std::shared_ptr<Channel>> outputs;  ///< one a downstream lane; none where a sink is
  std::unique_ptr<SinkWriter> writer;
  int64_t barrier = 0;                            ///< of the checkpoint that it starts from
  bool retiring = false;                          ///< finishes what it has and takes nothing new
  Plants plants;
};

/// Runs on the scheduler's threads, one at a time.
class Subtask : public Runnable {
 public:
  explicit Subtask(SubtaskParts parts) : parts_(std::move(parts)), barrier_(parts_.barrier),
                                         requested_(parts_.barrier), retiring_(parts_.retiring) {}

  bool Run() override;
  int depth() const override { return parts_.id.task; }
  Wait wait() const { return wait_.load(); }
  const Chain& chain() const { return *parts_.chain; }
  SubtaskId id() const { return parts_.id; }

  /// Before the first run: goes on from a snapshot. Channels of the inputs get back what was in them.
  Status Restore(Snapshot snapshot);
  /// A checkpoint has been triggered: sources take its barrier, and whoever no barrier can reach any more.
  void Request(int64_t checkpoint) { requested_.store(checkpoint); }
  /// Nothing runs while the lock is held; whoever comes meanwhile is sent away, and has to be woken afterwards.
  std::unique_lock<std::mutex> Pause() { return std::unique_lock(running_); }

  // While it is paused.
  /// No barrier is on its way to it, and nothing of a snapshot is outstanding.
  bool AtRest() const;
  bool input_ended() const { return ended_ || parts_.chain->input_ended(); }
  /// Keyed state and what is on its way to it, named as in its snapshots. It must be given back, or be given to others
  /// and its inputs be cut off.
  Snapshot TakeKeyed();
  Status GiveKeyed(Snapshot snapshot);
  /// No input any more: it ends when what it has is done.
  void CutOff() { parts_.inputs.clear(); }
  bool cut_off() const { return parts_.inputs.empty(); }
  /// It fails as soon as it runs.
  void Spoil(Status status) { spoiled_ = std::move(status); }
  void AddInput(size_t input, std::shared_ptr<Channel> channel) { parts_.inputs[input]->Add(std::move(channel)); }
  void SetOutputs(std::vector<std::shared_ptr<Channel>> outputs, std::vector<int> owners) {
    parts_.outputs = std::move(outputs);
    parts_.owners = std::move(owners);
  }

  /// Takes no further split; ends when what it has is done.
  void Retire() { retiring_.store(true); }
  bool retiring() const { return retiring_.load(); }
  /// Before the first run: it will not be one.
  void CallOff() {
    ended_ = true;
    wait_ = Wait::kEnded;
  }

  /// Figures of all attempts that count: a restored subtask goes on from its snapshot's.
  struct Figures {
    std::atomic<int64_t> source_rows{0};
    std::atomic<int64_t> source_bytes{0};
    std::atomic<int64_t> rows_written{0};
    std::atomic<int64_t> bytes_written{0};
  };
  const Figures& figures() const { return figures_; }

 private:
  enum class Read { kGot, kNothing, kEnd, kNoMemory, kLater };

  Result<bool> StepOnce();
  Result<bool> Deliver();
  Result<bool> PassOn(Batch& batch);
  Result<Read> ReadInput();
  Result<Read> ReadSource();
  Result<Read> ReadChannels();
  Result<bool> CheckBarriers();
  Result<bool> CheckChannels();
  Result<bool> StuckBehindBarriers();
  bool CapturedAll() const;
  void SaveFigures(Snapshot& to) const;
  Status TakeSnapshot(int64_t checkpoint, bool capture);
  void FinishCapture();
  void RestoreInputs(Snapshot& snapshot);
  void End(bool completed);
  template <typename Visit>
  void EachInputChannel(Visit visit) const;

  std::mutex running_;
  Status spoiled_;
  SubtaskParts parts_;
  std::optional<Split> split_;
  std::unique_ptr<SplitReader> reader_;
  int64_t rows_read_ = 0;      // of the split
  int64_t last_split_ = -1;    // ordinal
  int64_t next_order_ = 0;
  int64_t newest_order_ = -1;  // that was delivered
  int64_t retry_after_ns_ = 0;
  int64_t barrier_;            // of the newest checkpoint that it has passed
  int64_t aligning_ = 0;       // the checkpoint whose barriers are coming in
  std::optional<SubtaskSnapshot> capturing_;  // waits for what is in the channels
  std::vector<Committable> committables_;
  bool ended_ = false;
  bool born_ended_ = false;    // restored from a snapshot of one that had ended
  Figures figures_;
  std::atomic<int64_t> requested_;
  std::atomic<bool> retiring_;
  std::atomic<Wait> wait_{Wait::kInput};
};

}  // namespace mainstem::runtime
