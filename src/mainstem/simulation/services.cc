#include "mainstem/simulation/services.h"

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <limits>

#include "mainstem/simulation/journal.h"
#include "mainstem/simulation/oracle.h"
#include "mainstem/simulation/rows.h"

namespace mainstem::simulation {
namespace {

constexpr int64_t kDelayMostNs = 500'000;
constexpr int64_t kDeathSeenNs = 1'000'000;  // after which a replica that does not answer is known to be dead

std::vector<int64_t> IdsOf(const arrow::RecordBatch& rows) {
  const auto& column = static_cast<const arrow::Int64Array&>(*rows.column(0));
  return {column.raw_values(), column.raw_values() + column.length()};
}

}  // namespace

/// One process's way to the replicas: knows its open calls, and takes the first reply to each.
class RemoteService : public Endpoint, public std::enable_shared_from_this<RemoteService> {
 public:
  RemoteService(Services& services, SimulatedProcess& process, std::shared_ptr<arrow::Schema> output)
      : services_(services), process_(&process), output_(std::move(output)) {}

  void Submit(Call call, std::function<void(Reply)> done) override {
    if (!is_alive()) return;
    if (stopped_) return done({.status = CancelledError("stopped")});
    const int64_t id = next_++;
    open_[id] = std::move(done);
    services_.Request(shared_from_this(), id, IdsOf(*call.rows));
  }
  int SuggestedInFlight() const override { return 2; }
  int64_t SuggestedRows() const override { return 4; }
  ServiceStats Stats() const override { return {.calls = next_}; }
  void Stop() override {
    stopped_ = true;
    auto open = std::exchange(open_, {});
    for (const auto& [id, done] : open) done({.status = CancelledError("stopped")});
  }

  bool is_alive() const { return process_ != nullptr && process_->is_alive(); }
  bool IsOpen(int64_t call) const { return open_.contains(call); }
  /// False where the call was answered before, or nobody is there any more.
  bool Give(int64_t call, Reply reply) {
    const auto open = open_.find(call);
    if (!is_alive() || open == open_.end()) return false;
    const auto done = std::move(open->second);
    open_.erase(open);
    done(std::move(reply));
    return true;
  }
  std::shared_ptr<arrow::RecordBatch> RowsOf(const std::vector<int64_t>& answers) const {
    return arrow::RecordBatch::Make(output_, static_cast<int64_t>(answers.size()), {Int64s(answers)});
  }
  /// The process is gone.
  void Cut() {
    process_ = nullptr;
    open_.clear();
  }

 private:
  Services& services_;
  SimulatedProcess* process_;
  const std::shared_ptr<arrow::Schema> output_;
  std::map<int64_t, std::function<void(Reply)>> open_;
  int64_t next_ = 0;
  bool stopped_ = false;
};

namespace {

/// Sees which answers the data flow is given.
class WatchedEndpoint : public Endpoint {
 public:
  WatchedEndpoint(std::shared_ptr<Endpoint> endpoint, Services& services, const SimulatedProcess& process)
      : endpoint_(std::move(endpoint)), services_(services), process_(process) {}

  void Submit(Call call, std::function<void(Reply)> done) override {
    auto ids = IdsOf(*call.rows);
    endpoint_->Submit(std::move(call), [this, ids = std::move(ids), done = std::move(done)](Reply reply) {
      if (!process_.is_alive()) return;
      if (reply.status.ok()) services_.Used(ids);
      done(std::move(reply));
    });
  }
  int SuggestedInFlight() const override { return endpoint_->SuggestedInFlight(); }
  int64_t SuggestedRows() const override { return endpoint_->SuggestedRows(); }
  ServiceStats Stats() const override { return endpoint_->Stats(); }
  void Stop() override { endpoint_->Stop(); }

 private:
  const std::shared_ptr<Endpoint> endpoint_;
  Services& services_;
  const SimulatedProcess& process_;
};

}  // namespace

bool Services::Step() {
  if (messages_.empty() || messages_.begin()->first.first > world_.clock.MonotonicNs()) return false;
  Message message = std::move(messages_.begin()->second);
  messages_.erase(messages_.begin());
  Arrive(std::move(message));
  return true;
}

int64_t Services::due_ns() const {
  return messages_.empty() ? std::numeric_limits<int64_t>::max() : messages_.begin()->first.first;
}

void Services::Request(std::shared_ptr<RemoteService> from, int64_t call, const std::vector<int64_t>& ids) {
  for (const int64_t id : ids) {
    if (!used_.contains(id)) continue;
    world_.Violate(promise::kPaidOnce, fmt::format("the answer to {} was used in step {} and is asked for again", id,
                                                   used_[id]));
  }
  Send({.kind = Kind::kRequest, .way = std::move(from), .call = call, .ids = ids}, world_.random.Below(kDelayMostNs));
}

void Services::Used(const std::vector<int64_t>& ids) {
  for (const int64_t id : ids) used_.emplace(id, world_.step);
}

void Services::Send(Message message, int64_t delay_ns) {
  messages_.emplace(std::pair{world_.clock.MonotonicNs() + delay_ns, sent_++}, std::move(message));
}

void Services::Arrive(Message message) {
  switch (message.kind) {
    case Kind::kRequest:
      ++calls;
      return Answer(message);
    case Kind::kReply: {
      std::vector<int64_t> answers;
      for (const int64_t id : message.ids) answers.push_back(AnswerOf(id));
      (void)message.way->Give(message.call, {.rows = message.way->RowsOf(answers)});
      return;
    }
    case Kind::kRefusal:
      (void)message.way->Give(message.call, {.status = RetryError("the provider is busy")});
      return;
    case Kind::kDeath:
      // The call is sent to another replica.
      if (!message.way->is_alive() || !message.way->IsOpen(message.call)) return;
      message.kind = Kind::kRequest;
      return Send(std::move(message), world_.random.Below(kDelayMostNs));
  }
}

void Services::Answer(const Message& request) {
  SeededRandom& random = world_.random;
  Message reply = request;
  reply.kind = Kind::kReply;
  if (!world_.healed && random.OneIn(20)) {
    ++messages_lost;
    reply.kind = Kind::kDeath;
    return Send(std::move(reply), kDeathSeenNs);
  }
  if (!world_.healed && random.OneIn(60)) reply.kind = Kind::kRefusal;
  if (!world_.healed && random.OneIn(20)) {
    ++messages_doubled;
    Send(reply, random.Below(4 * kDelayMostNs));
  }
  Send(std::move(reply), random.Below(kDelayMostNs));
}

ServiceDoor::~ServiceDoor() {
  if (remote_) remote_->Cut();
}

Result<std::shared_ptr<Endpoint>> ServiceDoor::Start(const ServiceSpec& spec) {
  remote_ = std::make_shared<RemoteService>(services_, process_, spec.output);
  ARROW_ASSIGN_OR_RAISE(auto journal, OpenLogJournal(process_));
  ARROW_ASSIGN_OR_RAISE(journaled_, MakeSteppedJournaledEndpoint(spec, remote_, std::move(journal), plants_));
  return std::make_shared<WatchedEndpoint>(journaled_, services_, process_);
}

bool ServiceDoor::Step() {
  if (journaled_ == nullptr) return false;
  const bool keeps_first = world_.random.OneIn(2);
  if (keeps_first && journaled_->Keep()) return true;
  return journaled_->Ask() || (!keeps_first && journaled_->Keep());
}

}  // namespace mainstem::simulation
