// Chain: the operators of one subtask, driven one event at a time.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "mainstem/connectors/fetcher.h"
#include "mainstem/operators/operator.h"
#include "mainstem/plan/job_graph.h"
#include "mainstem/services/endpoint.h"

namespace mainstem::runtime {

/// Figures of one operator of one subtask. Written by the running thread, read by anybody.
struct OperatorFigures {
  std::atomic<int64_t> rows_in{0};
  std::atomic<int64_t> rows_out{0};
  std::atomic<int64_t> busy_ns{0};
  std::atomic<int64_t> calls_open{0};
};

/// What a chain is built from.
struct ChainParts {
  const plan::TaskSpec* task = nullptr;
  std::vector<std::shared_ptr<Endpoint>> services;  ///< of the job, by index
  std::shared_ptr<Fetcher> fetcher;
  int64_t target_batch_bytes = 8 << 20;
  int64_t holding_limit_bytes = int64_t{1} << 30;
  int input_count = 1;
  std::function<void(DeadLetter)> set_aside;
  std::function<void()> wake;                        ///< an answer has arrived
  std::function<int64_t()> now_ns;
};

/// Drives operators: the consumer nearest the end is always given room first, replies before new input. Not
/// thread-safe but for the arrival of answers.
class Chain {
 public:
  static Result<std::unique_ptr<Chain>> Make(ChainParts parts);
  ~Chain();

  /// Room for a batch at the front.
  bool WantsInput() const;
  /// Nothing more will be read: the chain, or an operator in it, is satisfied.
  bool Satisfied() const;
  void Push(Batch batch);
  void EndInput();

  /// Does one step. False when nothing can be done before something arrives or leaves.
  Result<bool> Step();
  /// Batches that leave the chain; Step stops producing while more than a few stand here.
  std::deque<Batch>& outgoing() { return outgoing_; }
  /// Everything has been read, done and taken out.
  bool Finished() const;
  /// What the chain holds: the operators' declared state, and the batches on their way between them and out of it.
  Snapshot Take() const;
  /// Before the first step.
  Status Restore(Snapshot snapshot);
  /// Whether it has been told that nothing more will be read.
  bool input_ended() const { return input_ended_; }
  /// State of the first operator, and the batches that wait for it, taken out; named as in Take. GiveFirst puts such in:
  /// the state in the place of what is there.
  Snapshot TakeFirst();
  Status GiveFirst(Snapshot snapshot);
  /// A planted defect: what is answered to `old`, an earlier attempt at the same lane, answers this one.
  void AnswerForOld(const Chain& old);
  /// Calls and fetches that have not been answered.
  int64_t Outstanding() const;
  const std::vector<std::unique_ptr<OperatorFigures>>& figures() const { return figures_; }

 private:
  class Stage;
  struct Answer;
  struct Mailbox;

  explicit Chain(ChainParts parts);
  bool RoomBehind(size_t stage) const;
  Result<bool> DeliverAnswers();
  Result<bool> StepStage(size_t index);
  Result<Progress> Timed(size_t index, const std::function<Result<Progress>()>& event);

  ChainParts parts_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<std::unique_ptr<OperatorFigures>> figures_;
  std::shared_ptr<Mailbox> mailbox_;
  std::deque<Batch> outgoing_;
  bool input_ended_ = false;
};

}  // namespace mainstem::runtime
