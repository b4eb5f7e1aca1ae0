#include "mainstem/runtime/chain.h"

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>

#include <thread>

namespace mainstem::runtime {
namespace {

constexpr size_t kMostQueued = 2;    // batches between two operators of a chain
constexpr size_t kMostOutgoing = 2;  // batches that wait for a channel

}  // namespace

// An answer to a stage's request, from a thread of a service, the fetcher or a computation.
struct Chain::Answer {
  size_t stage = 0;
  int64_t id = 0;
  std::variant<CallReply, Result<Bytes>, Result<std::shared_ptr<arrow::Table>>> content;
};

// Outlives the chain where a service answers late.
struct Chain::Mailbox {
  std::mutex mutex;
  std::deque<Answer> answers;  // guarded by mutex
  std::function<void()> wake;  // guarded by mutex; empty once the chain is gone
  std::atomic<int64_t> outstanding{0};
  std::shared_ptr<Mailbox> successor;  // of a planted defect; guarded by mutex

  void Deliver(Answer answer) {
    const std::lock_guard lock(mutex);
    if (successor) return successor->Deliver(std::move(answer));
    if (!wake) return;
    answers.push_back(std::move(answer));
    wake();
  }
};

// One operator with its queue, its place in the chain, and its door to the world.
class Chain::Stage : public OperatorContext, public Output {
 public:
  Stage(Chain& chain, size_t index, const plan::OperatorSpec& spec)
      : chain_(chain), index_(index), spec_(spec) {}
  ~Stage() override {
    operator_.reset();  // tells what it computes to stop
    for (std::thread& thread : computations_) thread.join();
  }

  Status Open() {
    ARROW_ASSIGN_OR_RAISE(operator_, spec_.make());
    return operator_->Open(*this);
  }

  // OperatorContext
  arrow::MemoryPool* pool() override { return arrow::default_memory_pool(); }
  int64_t target_batch_bytes() const override { return chain_.parts_.target_batch_bytes; }
  int64_t holding_limit_bytes() const override { return chain_.parts_.holding_limit_bytes; }
  DeclaredState& state() override { return state_; }
  int64_t StartCall(std::shared_ptr<arrow::RecordBatch> rows) override {
    const int64_t id = next_id_++;
    auto mailbox = chain_.mailbox_;
    ++mailbox->outstanding;
    ++figures().calls_open;
    Endpoint& endpoint = *chain_.parts_.services[*spec_.service];
    endpoint.Submit({.rows = std::move(rows)}, [mailbox, stage = index_, id](Reply reply) {
      CallReply answer{.status = std::move(reply.status), .rows = std::move(reply.rows)};
      for (RowFailure& failure : reply.failures) answer.failures.push_back({failure.row, std::move(failure.reason)});
      mailbox->Deliver({stage, id, std::move(answer)});
    });
    return id;
  }
  int64_t rows_in_flight_limit() const override {
    const Endpoint& endpoint = *chain_.parts_.services[*spec_.service];
    return std::max<int64_t>(1, endpoint.SuggestedRows() * endpoint.SuggestedInFlight());
  }
  int64_t StartFetch(FileReference file) override {
    const int64_t id = next_id_++;
    auto mailbox = chain_.mailbox_;
    ++mailbox->outstanding;
    ++figures().calls_open;
    chain_.parts_.fetcher->Fetch(std::move(file), [mailbox, stage = index_, id](Result<Bytes> bytes) {
      mailbox->Deliver({stage, id, std::move(bytes)});
    });
    return id;
  }
  void StartCompute(std::function<Result<std::shared_ptr<arrow::Table>>()> work) override {
    auto mailbox = chain_.mailbox_;
    ++mailbox->outstanding;
    computations_.emplace_back([mailbox, stage = index_, work = std::move(work)] {
      mailbox->Deliver({stage, 0, work()});
    });
  }

  // Output
  bool HasRoom() const override { return chain_.RoomBehind(index_); }
  void Emit(Batch batch) override {
    figures().rows_out += batch.rows->num_rows();
    emitted_ = true;
    if (index_ + 1 < chain_.stages_.size()) {
      batch.input = 0;
      chain_.stages_[index_ + 1]->queue_.push_back(std::move(batch));
    } else {
      chain_.outgoing_.push_back(std::move(batch));
    }
  }
  void SetAside(DeadLetter letter) override { chain_.parts_.set_aside(std::move(letter)); }

  OperatorFigures& figures() { return *chain_.figures_[index_]; }

  Chain& chain_;
  size_t index_;
  const plan::OperatorSpec& spec_;
  DeclaredState state_;
  std::unique_ptr<Operator> operator_;
  std::deque<Batch> queue_;
  bool begun_ = false;        // the front batch has been given at least once
  bool blocked_ = false;      // waits for an answer before it takes the front batch again
  bool emitted_ = false;      // since Advance was called last
  bool holds_ = false;        // may have something to emit by Advance
  bool input_ended_ = false;  // the operator has been told
  bool done_ = false;         // everything emitted after the end
  bool satisfied_ = false;
  int64_t next_id_ = 0;
  std::vector<std::thread> computations_;
};

Chain::Chain(ChainParts parts) : parts_(std::move(parts)), mailbox_(std::make_shared<Mailbox>()) {
  mailbox_->wake = parts_.wake;
}

Chain::~Chain() {
  {
    const std::lock_guard lock(mailbox_->mutex);
    mailbox_->wake = nullptr;
  }
}

Result<std::unique_ptr<Chain>> Chain::Make(ChainParts parts) {
  std::unique_ptr<Chain> chain(new Chain(std::move(parts)));
  for (const plan::OperatorSpec& spec : chain->parts_.task->operators) {
    chain->figures_.push_back(std::make_unique<OperatorFigures>());
    chain->stages_.push_back(std::make_unique<Stage>(*chain, chain->stages_.size(), spec));
  }
  for (const auto& stage : chain->stages_) {
    const Status status = stage->Open();
    if (!status.ok()) return WithContext(status, stage->spec_.name);
  }
  return chain;
}

bool Chain::RoomBehind(size_t stage) const {
  if (stage + 1 < stages_.size()) return stages_[stage + 1]->queue_.size() < kMostQueued;
  return outgoing_.size() < kMostOutgoing;
}

bool Chain::WantsInput() const {
  if (input_ended_) return false;
  if (stages_.empty()) return outgoing_.size() < kMostOutgoing;
  return stages_[0]->queue_.size() < kMostQueued && !stages_[0]->satisfied_;
}

bool Chain::Satisfied() const {
  for (const auto& stage : stages_) {
    if (stage->satisfied_) return true;
  }
  return false;
}

void Chain::Push(Batch batch) {
  if (stages_.empty()) {
    outgoing_.push_back(std::move(batch));
    return;
  }
  stages_[0]->queue_.push_back(std::move(batch));
}

void Chain::EndInput() { input_ended_ = true; }

void Chain::AnswerForOld(const Chain& old) {
  const std::lock_guard lock(old.mailbox_->mutex);
  old.mailbox_->successor = mailbox_;
}

int64_t Chain::Outstanding() const { return mailbox_->outstanding.load(); }

bool Chain::Finished() const {
  if (!outgoing_.empty()) return false;
  return stages_.empty() ? input_ended_ : stages_.back()->done_;
}

Snapshot Chain::Take() const {
  Snapshot snapshot;
  snapshot.numbers["input_ended"] = input_ended_ ? 1 : 0;
  snapshot.batches["outgoing"] = {outgoing_.begin(), outgoing_.end()};
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Stage& stage = *stages_[i];
    Snapshot part;
    part.batches["queue"] = {stage.queue_.begin(), stage.queue_.end()};
    part.numbers = {{"input_ended", stage.input_ended_ ? 1 : 0},
                    {"done", stage.done_ ? 1 : 0},
                    {"satisfied", stage.satisfied_ ? 1 : 0}};
    if (!stage.done_) part.Add("state", stage.state_.Take());
    snapshot.Add("operator/" + std::to_string(i), std::move(part));
  }
  return snapshot;
}

Status Chain::Restore(Snapshot snapshot) {
  input_ended_ = snapshot.Number("input_ended") != 0;
  for (Batch& batch : snapshot.Take("outgoing")) outgoing_.push_back(std::move(batch));
  for (size_t i = 0; i < stages_.size(); ++i) {
    Stage& stage = *stages_[i];
    Snapshot part = snapshot.Extract("operator/" + std::to_string(i));
    for (Batch& batch : part.Take("queue")) stage.queue_.push_back(std::move(batch));
    stage.input_ended_ = part.Number("input_ended") != 0;
    stage.done_ = part.Number("done") != 0;
    stage.satisfied_ = part.Number("satisfied") != 0;
    stage.holds_ = !stage.done_;  // an operator may have something to emit at once
    if (stage.done_) continue;
    const Status status = stage.state_.Restore(part.Extract("state"));
    if (!status.ok()) return WithContext(status, stage.spec_.name);
  }
  return Status::OK();
}

Snapshot Chain::TakeFirst() {
  Stage& stage = *stages_[0];
  Snapshot part;
  part.batches["queue"] = {stage.queue_.begin(), stage.queue_.end()};
  stage.queue_.clear();
  part.Add("state", stage.state_.Take());
  Snapshot snapshot;
  snapshot.Add("operator/0", std::move(part));
  return snapshot;
}

Status Chain::GiveFirst(Snapshot snapshot) {
  Snapshot part = snapshot.Extract("operator/0");
  for (Batch& batch : part.Take("queue")) stages_[0]->queue_.push_back(std::move(batch));
  return stages_[0]->state_.Restore(part.Extract("state"));
}

Result<bool> Chain::DeliverAnswers() {
  std::deque<Answer> answers;
  {
    const std::lock_guard lock(mailbox_->mutex);
    answers.swap(mailbox_->answers);
  }
  for (Answer& answer : answers) {
    --mailbox_->outstanding;
    Stage& stage = *stages_[answer.stage];
    stage.blocked_ = false;
    stage.holds_ = true;
    if (auto* reply = std::get_if<CallReply>(&answer.content)) {
      --stage.figures().calls_open;
      ARROW_RETURN_NOT_OK(stage.operator_->OnReply(answer.id, std::move(*reply)));
    } else if (auto* bytes = std::get_if<Result<Bytes>>(&answer.content)) {
      --stage.figures().calls_open;
      ARROW_RETURN_NOT_OK(stage.operator_->OnFetched(answer.id, std::move(*bytes)));
    } else {
      ARROW_RETURN_NOT_OK(stage.operator_->OnComputed(
          std::move(std::get<Result<std::shared_ptr<arrow::Table>>>(answer.content))));
    }
  }
  return !answers.empty();
}

Result<Progress> Chain::Timed(size_t index, const std::function<Result<Progress>()>& event) {
  const int64_t start = parts_.now_ns();
  Result<Progress> progress = event();
  figures_[index]->busy_ns += parts_.now_ns() - start;
  return progress;
}

Result<bool> Chain::Step() {
  ARROW_ASSIGN_OR_RAISE(bool progress, DeliverAnswers());
  for (size_t i = stages_.size(); i-- > 0;) {
    ARROW_ASSIGN_OR_RAISE(const bool stepped, StepStage(i));
    if (stepped) return true;
  }
  return progress;
}

Result<bool> Chain::StepStage(size_t index) {
  Stage& stage = *stages_[index];
  if (stage.done_ || !RoomBehind(index)) return false;
  if (stage.holds_) {
    stage.emitted_ = false;
    ARROW_ASSIGN_OR_RAISE(const Progress progress, Timed(index, [&] { return stage.operator_->Advance(stage); }));
    if (stage.emitted_) stage.blocked_ = false;  // what it holds has become less
    if (progress == Progress::kMore) return true;  // emitted until there was no room
    stage.holds_ = false;
    if (progress == Progress::kDone && stage.input_ended_) stage.done_ = true;
    return true;
  }
  if (!stage.queue_.empty() && stage.satisfied_) {
    stage.queue_.clear();
    return true;
  }
  if (!stage.queue_.empty()) {
    if (stage.blocked_) return false;
    const Batch& batch = stage.queue_.front();
    if (!stage.begun_) stage.figures().rows_in += batch.rows->num_rows();
    stage.begun_ = true;
    ARROW_ASSIGN_OR_RAISE(const Progress progress,
                          Timed(index, [&] { return stage.operator_->ProcessBatch(batch, stage); }));
    if (progress == Progress::kMore) return true;
    if (progress == Progress::kBlocked) {
      stage.blocked_ = true;
      stage.holds_ = true;  // what has been answered meanwhile may be emitted
      return true;
    }
    stage.satisfied_ |= progress == Progress::kSatisfied;
    stage.queue_.pop_front();
    stage.begun_ = false;
    stage.holds_ = true;
    return true;
  }
  const bool ended = index == 0 ? input_ended_ : stages_[index - 1]->done_;
  if ((ended || stage.satisfied_) && !stage.input_ended_) {
    stage.input_ended_ = true;
    ARROW_RETURN_NOT_OK(stage.operator_->EndInput());
    stage.holds_ = true;
    return true;
  }
  return false;
}

}  // namespace mainstem::runtime
