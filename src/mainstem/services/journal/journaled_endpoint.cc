#include "mainstem/services/journal/journaled_endpoint.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <iterator>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "mainstem/platform/thread.h"
#include "mainstem/services/journal/journal_key.h"
#include "mainstem/services/journal/reply_value.h"
#include "mainstem/services/journal/waiting_call.h"

namespace mainstem {
namespace {

// Replies that arrived meanwhile share one sync, up to so many bytes.
constexpr int64_t kCommitBytes = int64_t{16} << 20;

using CallPtr = std::shared_ptr<WaitingCall>;

struct KeyHash {
  size_t operator()(const JournalKey& key) const {  // already a hash
    size_t value = 0;
    std::memcpy(&value, key.data(), sizeof value);
    return value;
  }
};

struct Waiter {
  CallPtr call;
  int64_t row = 0;
};

/// A row that was sent to the service. Whoever waits for a key stands in open_keys_; without a key only its own call does.
struct SentRow {
  std::optional<JournalKey> key;
  Waiter origin;
};

struct Arrival {
  std::vector<SentRow> sent;
  Reply reply;
};

/// An arrival cut into the answers of its rows.
struct Answers {
  Status status;
  std::vector<RowAnswer> rows;
  std::vector<const RowFailure*> failures;  ///< null: the row was answered
};

// The two threads of a journaled endpoint: one asks (hash, look up, send on), one keeps (append, hand over).
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  Loop(ServiceSpec spec, RowKeys keys, std::shared_ptr<Endpoint> service, std::shared_ptr<Journal> journal,
       JournalPlants plants)
      : spec_(std::move(spec)), keys_(std::move(keys)), service_(std::move(service)), journal_(std::move(journal)),
        plants_(plants) {}

  Endpoint& service() const { return *service_; }

  void Submit(CallPtr call) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!stopping_) submitted_.push_back(std::move(call));
    }
    if (call != nullptr) return call->FinishWith(Stopped());
    changed_.notify_all();
  }

  void RequestStop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    service_->Stop();  // open calls come back as cancelled; replies that were finished before are kept
  }

  ServiceStats Stats() const {
    ServiceStats stats = service_->Stats();
    const std::lock_guard<std::mutex> lock(mutex_);
    stats.journal_hits = hits_;
    stats.journal_writes = writes_;
    return stats;
  }

  // The thread that asks.
  void Ask() {
    for (bool asking = true; asking;) {
      std::unique_lock<std::mutex> lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !submitted_.empty(); });
      lock.unlock();
      AskNow();
      lock.lock();
      asking = asking_;
    }
    changed_.notify_all();
  }

  bool AskNow() {
    std::deque<CallPtr> calls;
    bool stopping = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      calls.swap(submitted_);
      stopping = stopping_;
      asking_ = !stopping;
    }
    for (const CallPtr& call : calls) {
      if (stopping) {
        call->FinishWith(Stopped());
      } else {
        AskOne(call);
      }
    }
    return !calls.empty();
  }

  // The thread that keeps.
  void Keep() {
    while (true) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        changed_.wait(lock, [this] { return !arrived_.empty() || (stopping_ && !asking_ && open_calls_ == 0); });
        if (arrived_.empty()) break;
      }
      KeepNow();
    }
    LetGo();
  }

  bool KeepNow() {
    std::vector<Arrival> arrivals;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      int64_t bytes = 0;
      while (!arrived_.empty() && bytes < kCommitBytes) {
        if (arrived_.front().reply.rows != nullptr) bytes += BytesOf(*arrived_.front().reply.rows);
        arrivals.push_back(std::move(arrived_.front()));
        arrived_.pop_front();
      }
    }
    if (!late_.empty()) (void)journal_->Append(std::exchange(late_, {}));
    if (arrivals.empty()) return false;
    KeepAll(&arrivals);
    return true;
  }

  // Nobody looks anything up any more, and the folder may be opened by the next job.
  void LetGo() { journal_.reset(); }

 private:
  Status Stopped() const { return CancelledError(fmt::format("service '{}' was stopped", spec_.name)); }

  static int64_t BytesOf(const arrow::RecordBatch& rows) {
    int64_t bytes = 0;
    for (const auto& column : rows.column_data()) {
      for (const auto& buffer : column->buffers) bytes += buffer == nullptr ? 0 : buffer->size();
    }
    return bytes;
  }

  void AskOne(const CallPtr& call) {
    const arrow::RecordBatch& rows = *call->rows();
    if (rows.num_rows() == 0) return call->Finish(spec_);
    auto keys = keys_.Of(rows);
    if (!keys.ok()) return call->FinishWith(WithContext(keys.status(), spec_.name));
    std::vector<SentRow> sent;
    std::vector<JournalKey> asked;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (int64_t row = 0; row < rows.num_rows(); ++row) {
        const std::optional<JournalKey>& key = (*keys)[static_cast<size_t>(row)];
        if (key.has_value()) {
          const auto [entry, is_new] = open_keys_.try_emplace(*key);
          entry->second.push_back({call, row});
          hits_ += is_new ? 0 : 1;
          if (!is_new) continue;
          asked.push_back(*key);
        }
        sent.push_back({key, {call, row}});
      }
    }
    // A reply is in the journal before its key leaves open_keys_, so no key can be missed in between.
    auto values = journal_->Lookup(asked);
    if (!values.ok()) return FailRows(sent, values.status());
    TakeFound(*values, &sent);
    // In pieces of what a replica works on at once: a reply is kept as soon as it is there, not when the last row is.
    const auto piece = static_cast<size_t>(std::max<int64_t>(1, service_->SuggestedRows()));
    for (size_t start = 0; start < sent.size(); start += piece) {
      const size_t end = std::min(sent.size(), start + piece);
      Send(*call, {std::make_move_iterator(sent.begin() + static_cast<std::ptrdiff_t>(start)),
                   std::make_move_iterator(sent.begin() + static_cast<std::ptrdiff_t>(end))});
    }
  }

  // Answers the rows whose values were found and removes them from `sent`.
  void TakeFound(const std::vector<std::optional<std::string>>& values, std::vector<SentRow>* sent) {
    std::vector<CallPtr> finished;
    std::vector<SentRow> missing;
    size_t next = 0;
    for (SentRow& row : *sent) {
      const std::optional<std::string>* value = row.key.has_value() ? &values[next++] : nullptr;
      if (value == nullptr || !value->has_value()) {
        missing.push_back(std::move(row));
        continue;
      }
      auto rows = DecodeReplyValue(**value, spec_.output);
      Status status = rows.status();
      if (status.ok() && spec_.shape == ReplyShape::kScalar && (*rows)->num_rows() != 1) {
        status = JobError("a stored reply has not one row");
      }
      const std::lock_guard<std::mutex> lock(mutex_);
      if (status.ok()) {
        ++hits_;
        const RowAnswer answer{*rows, 0, (*rows)->num_rows()};
        Release(row, &finished, [&](const Waiter& waiter) { return waiter.call->Answer(waiter.row, answer); });
      } else {
        status = JobError(fmt::format("the journal in {} is damaged ({}). Move the folder away to start a new one",
                                      Escaped(journal_->folder()), status.message()));
        Release(row, &finished, [&](const Waiter& waiter) { return waiter.call->Abandon(waiter.row, status); });
      }
    }
    *sent = std::move(missing);
    for (const CallPtr& call : finished) call->Finish(spec_);
  }

  void Send(const WaitingCall& call, std::vector<SentRow> sent) {
    auto rows = RowsOf(call, sent);
    // Origins are the journal's: the service has no such column.
    if (rows.ok() && spec_.by_origin) rows = (*rows)->RemoveColumn((*rows)->num_columns() - 1);
    if (!rows.ok()) return FailRows(sent, rows.status());
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ++open_calls_;
    }
    auto kept = std::make_shared<std::vector<SentRow>>(std::move(sent));
    service_->Submit({rows.MoveValueUnsafe()}, [self = shared_from_this(), kept](Reply reply) {
      {
        const std::lock_guard<std::mutex> lock(self->mutex_);
        --self->open_calls_;
        self->arrived_.push_back({std::move(*kept), std::move(reply)});
      }
      self->changed_.notify_all();
    });
  }

  static Result<std::shared_ptr<arrow::RecordBatch>> RowsOf(const WaitingCall& call, const std::vector<SentRow>& sent) {
    if (static_cast<int64_t>(sent.size()) == call.rows()->num_rows()) return call.rows();
    arrow::RecordBatchVector runs;
    for (size_t i = 0; i < sent.size();) {
      size_t end = i + 1;
      while (end < sent.size() && sent[end].origin.row == sent[end - 1].origin.row + 1) ++end;
      runs.push_back(call.rows()->Slice(sent[i].origin.row, static_cast<int64_t>(end - i)));
      i = end;
    }
    if (runs.size() == 1) return runs.front();
    return arrow::ConcatenateRecordBatches(runs);
  }

  // Gives everybody who waits for the row what `give` gives; it returns whether the waiter's call is complete.
  template <typename Give>
  void Release(const SentRow& row, std::vector<CallPtr>* finished, Give give) {
    if (!row.key.has_value()) {
      if (give(row.origin)) finished->push_back(row.origin.call);
      return;
    }
    const auto open = open_keys_.extract(*row.key);
    for (const Waiter& waiter : open.mapped()) {
      if (give(waiter)) finished->push_back(waiter.call);
    }
  }

  void FailRows(const std::vector<SentRow>& rows, const Status& status) {
    std::vector<CallPtr> finished;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (const SentRow& row : rows) {
        Release(row, &finished, [&](const Waiter& waiter) { return waiter.call->Abandon(waiter.row, status); });
      }
    }
    for (const CallPtr& call : finished) call->Finish(spec_);
  }

  void KeepAll(std::vector<Arrival>* arrivals) {
    std::vector<Answers> answers;
    std::vector<JournalEntry> entries;
    for (const Arrival& arrival : *arrivals) {
      answers.push_back(Cut(arrival));
      const Status status = AddEntries(arrival, answers.back(), &entries);
      if (answers.back().status.ok()) answers.back().status = status;
    }
    Status kept;
    if (plants_.use_before_append) {
      late_ = std::move(entries);
    } else {
      kept = journal_->Append(entries);
    }
    if (kept.ok()) {
      const std::lock_guard<std::mutex> lock(mutex_);
      writes_ += static_cast<int64_t>(entries.size());
    }
    for (size_t i = 0; i < arrivals->size(); ++i) {
      if (answers[i].status.ok()) answers[i].status = kept;
      HandOver((*arrivals)[i], answers[i]);
    }
  }

  // Which rows of a reply answer which row that was sent.
  Answers Cut(const Arrival& arrival) const {
    Answers answers{.status = arrival.reply.status};
    if (!answers.status.ok()) return answers;
    const auto count = static_cast<int64_t>(arrival.sent.size());
    const arrow::RecordBatch& rows = *arrival.reply.rows;
    answers.failures.resize(arrival.sent.size());
    for (const RowFailure& failure : arrival.reply.failures) {
      if (failure.row >= 0 && failure.row < count) answers.failures[static_cast<size_t>(failure.row)] = &failure;
    }
    arrow::ArrayVector columns = rows.columns();
    const bool table = spec_.shape == ReplyShape::kTable;
    std::shared_ptr<arrow::Array> numbers;
    if (table) {
      numbers = columns.front();
      columns.erase(columns.begin());
    } else if (rows.num_rows() != count) {
      answers.status = JobError(fmt::format("{}: {} rows were sent and {} came back", spec_.name, count, rows.num_rows()));
      return answers;
    }
    const auto source = arrow::RecordBatch::Make(spec_.output, rows.num_rows(), std::move(columns));
    int64_t next = 0;
    for (int64_t row = 0; row < count; ++row) {
      const int64_t start = table ? next : row;
      int64_t length = 1;
      if (table) {
        const auto& parents = static_cast<const arrow::Int64Array&>(*numbers);
        while (next < parents.length() && parents.Value(next) == row) ++next;
        length = next - start;
      }
      answers.rows.push_back({source, start, length});
    }
    return answers;
  }

  static Status AddEntries(const Arrival& arrival, const Answers& answers, std::vector<JournalEntry>* entries) {
    for (size_t i = 0; i < answers.rows.size(); ++i) {
      if (answers.failures[i] != nullptr || !arrival.sent[i].key.has_value()) continue;
      const RowAnswer& answer = answers.rows[i];
      ARROW_ASSIGN_OR_RAISE(std::string value, EncodeReplyValue(*answer.source->Slice(answer.start, answer.length)));
      entries->push_back({*arrival.sent[i].key, std::move(value)});
    }
    return Status::OK();
  }

  void HandOver(const Arrival& arrival, const Answers& answers) {
    if (!answers.status.ok()) return FailRows(arrival.sent, answers.status);
    std::vector<CallPtr> finished;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      for (size_t i = 0; i < arrival.sent.size(); ++i) {
        const RowFailure* failure = answers.failures[i];
        const RowAnswer& answer = answers.rows[i];
        Release(arrival.sent[i], &finished, [&](const Waiter& waiter) {
          return failure == nullptr ? waiter.call->Answer(waiter.row, answer)
                                    : waiter.call->Fail(waiter.row, answer, failure->reason);
        });
      }
    }
    for (const CallPtr& call : finished) call->Finish(spec_);
  }

  const ServiceSpec spec_;
  const RowKeys keys_;
  const std::shared_ptr<Endpoint> service_;
  std::shared_ptr<Journal> journal_;  // used by both threads, dropped by the last
  const JournalPlants plants_;
  std::vector<JournalEntry> late_;    // of a plant

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<CallPtr> submitted_;                                        // guarded by mutex_, as are the following
  std::deque<Arrival> arrived_;
  std::unordered_map<JournalKey, std::vector<Waiter>, KeyHash> open_keys_;
  int64_t open_calls_ = 0;
  bool stopping_ = false;
  bool asking_ = true;  // written by whoever asks
  int64_t hits_ = 0;
  int64_t writes_ = 0;
};

class JournaledEndpoint final : public Endpoint {
 public:
  explicit JournaledEndpoint(std::shared_ptr<Loop> loop)
      : loop_(std::move(loop)),
        ask_("journal-ask", [loop = loop_] { loop->Ask(); }),
        keep_("journal-keep", [loop = loop_] { loop->Keep(); }) {}

  ~JournaledEndpoint() override {
    Stop();
    if (ask_.IsCurrent()) ask_.Detach();  // the last owner was a callback: the thread ends after it
    if (keep_.IsCurrent()) keep_.Detach();
  }

  void Submit(Call call, std::function<void(Reply)> done) override {
    loop_->Submit(std::make_shared<WaitingCall>(std::move(call), std::move(done)));
  }
  // Two more than the service needs: one that is looked up and one that is being kept.
  int SuggestedInFlight() const override { return loop_->service().SuggestedInFlight() + 2; }
  int64_t SuggestedRows() const override { return loop_->service().SuggestedRows(); }
  ServiceStats Stats() const override { return loop_->Stats(); }

  void Stop() override {
    loop_->RequestStop();
    if (ask_.IsCurrent() || keep_.IsCurrent()) return;  // a `done` only begins to stop
    const std::lock_guard<std::mutex> lock(join_mutex_);
    ask_.Join();
    keep_.Join();
  }

 private:
  std::shared_ptr<Loop> loop_;
  std::mutex join_mutex_;
  Thread ask_;
  Thread keep_;
};

class SteppedJournaledEndpoint final : public SteppedEndpoint {
 public:
  explicit SteppedJournaledEndpoint(std::shared_ptr<Loop> loop) : loop_(std::move(loop)) {}

  void Submit(Call call, std::function<void(Reply)> done) override {
    loop_->Submit(std::make_shared<WaitingCall>(std::move(call), std::move(done)));
  }
  int SuggestedInFlight() const override { return loop_->service().SuggestedInFlight() + 2; }
  int64_t SuggestedRows() const override { return loop_->service().SuggestedRows(); }
  ServiceStats Stats() const override { return loop_->Stats(); }
  bool Ask() override { return loop_->AskNow(); }
  bool Keep() override { return loop_->KeepNow(); }

  void Stop() override {
    loop_->RequestStop();
    bool more = true;
    while (more) more = loop_->AskNow() || loop_->KeepNow();
  }

 private:
  std::shared_ptr<Loop> loop_;
};

}  // namespace

Result<std::shared_ptr<SteppedEndpoint>> MakeSteppedJournaledEndpoint(const ServiceSpec& spec,
                                                                      std::shared_ptr<Endpoint> service,
                                                                      std::shared_ptr<Journal> journal,
                                                                      JournalPlants plants) {
  ARROW_ASSIGN_OR_RAISE(RowKeys keys, RowKeys::Make(spec));
  return std::make_shared<SteppedJournaledEndpoint>(
      std::make_shared<Loop>(spec, std::move(keys), std::move(service), std::move(journal), plants));
}

Result<std::shared_ptr<Endpoint>> MakeJournaledEndpoint(const ServiceSpec& spec, std::shared_ptr<Endpoint> service,
                                                        std::shared_ptr<Journal> journal) {
  ARROW_ASSIGN_OR_RAISE(RowKeys keys, RowKeys::Make(spec));
  auto loop = std::make_shared<Loop>(spec, std::move(keys), std::move(service), std::move(journal), JournalPlants());
  std::shared_ptr<Endpoint> endpoint = std::make_shared<JournaledEndpoint>(std::move(loop));
  return endpoint;
}

}  // namespace mainstem
