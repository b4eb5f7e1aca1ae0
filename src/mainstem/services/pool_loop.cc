#include "mainstem/services/pool_loop.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/log.h"
#include "mainstem/base/quantity.h"
#include "mainstem/services/rows.h"

namespace mainstem {
namespace {

constexpr int64_t kMillisecond = 1'000'000;
// A replica that has been asked to end gets this long, then SIGTERM, then as long again, then SIGKILL.
constexpr int64_t kEndPatienceNs = 300 * kMillisecond;
// A replica that closed its socket or failed to load gets this long to end by itself.
constexpr int64_t kExitPatienceNs = 500 * kMillisecond;

enum Watched : uint64_t { kControl = 0, kExit = 1, kOutput = 2, kError = 3 };
constexpr uint64_t kWakeupToken = 0;

uint64_t Token(uint64_t replica, Watched what) { return replica * 4 + what; }

PoolOptions WithOwnProcesses(PoolOptions options) {
  if (options.own_processes != nullptr) options.platform.processes = options.own_processes.get();
  options.own_processes.reset();  // the loop lets go of it when it ends, which is before it goes
  return options;
}

}  // namespace

PoolLoop::PoolLoop(const ServiceSpec& spec, PoolOptions options, Poller poller, Wakeup wakeup)
    : spec_(spec),
      own_processes_(options.own_processes),
      options_(WithOwnProcesses(std::move(options))),
      poller_(std::move(poller)),
      wakeup_(std::move(wakeup)),
      queue_(spec.shape, ReplySchema(spec.output, spec.shape)),
      batch_size_(spec.batch_rows),
      suggested_rows_(batch_size_.rows()) {}

Result<std::shared_ptr<PoolLoop>> PoolLoop::Make(const ServiceSpec& spec, PoolOptions options) {
  ARROW_ASSIGN_OR_RAISE(Poller poller, Poller::Make());
  ARROW_ASSIGN_OR_RAISE(Wakeup wakeup, Wakeup::Make());
  std::shared_ptr<PoolLoop> loop(new PoolLoop(spec, std::move(options), std::move(poller), std::move(wakeup)));
  ARROW_RETURN_NOT_OK(loop->poller_.Add(loop->wakeup_.fd(), kWakeupToken));
  ARROW_ASSIGN_OR_RAISE(const SetupBlock setup, MakeSetup(spec));
  SharedMemory& memory = *loop->options_.platform.memory;
  ARROW_ASSIGN_OR_RAISE(loop->setup_, memory.Create(SetupBytes(setup), RegionWriter::kThisProcess));
  WriteSetup(setup, loop->setup_->data());
  loop->replica_spec_ = {.name = spec.name,
                         .arguments = loop->options_.arguments,
                         .environment = loop->options_.environment,
                         .setup = loop->setup_.get(),
                         .reply_schema = ReplySchema(spec.output, spec.shape),
                         .shape = spec.shape,
                         .arena_bytes = loop->options_.arena_bytes,
                         .arena_bytes_max = loop->options_.arena_bytes_max,
                         .output = loop->options_.output};
  return loop;
}

void PoolLoop::Submit(Call call, std::function<void(Reply)> done) {
  auto open = std::make_shared<OpenCall>();
  open->rows = std::move(call.rows);
  open->done = std::move(done);
  open->submitted_ns = Now();
  const Result<int64_t> bytes = arrow::util::ReferencedBufferSize(*open->rows);
  open->bytes = bytes.ok() ? *bytes : arrow::util::TotalBufferSize(*open->rows);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!ended_) {
      submitted_rows_ += open->rows->num_rows();
      submitted_.push_back(std::move(open));
    }
  }
  if (open == nullptr) {
    wakeup_.Notify();
  } else {
    open->done(Reply{.status = CancelledError(fmt::format("service '{}' was stopped", spec_.name))});
  }
}

ServiceStats PoolLoop::Stats() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  ServiceStats stats = published_;
  stats.queued_rows += submitted_rows_;
  return stats;
}

void PoolLoop::RequestStop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_requested_ = true;
  }
  wakeup_.Notify();
}

bool PoolLoop::TakeSubmitted() {
  std::vector<std::shared_ptr<OpenCall>> calls;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    calls.swap(submitted_);
    submitted_rows_ = 0;
    if (stop_requested_) {
      submitted_.swap(calls);
      return false;
    }
  }
  for (auto& call : calls) {
    ++figures_.calls;
    figures_.rows += call->rows->num_rows();
    if (call->rows->schema()->Equals(*spec_.input, /*check_metadata=*/false)) {
      queue_.Add(std::move(call));
    } else {
      const Piece piece{call, 0, call->rows->num_rows()};
      queue_.FailCalls(WorkBatch{.pieces = {piece}},
                       JobError(fmt::format("service '{}' takes ({}); got ({})", spec_.name,
                                            Escaped(spec_.input->ToString(), 500),
                                            Escaped(call->rows->schema()->ToString(), 500))));
    }
  }
  if (!failure_.ok()) queue_.FailAll(failure_);
  return true;
}

void PoolLoop::Run() {
  while (TakeSubmitted()) {
    Dispatch();
    Publish();
    WaitAndHandle(TimeoutNs());
    CheckDeadlines();
  }
  Shutdown();
  own_processes_.reset();
}

void PoolLoop::Publish() {
  figures_.replicas = static_cast<int64_t>(replicas_.size());
  figures_.queued_rows = queue_.waiting_rows();
  suggested_rows_.store(batch_size_.rows(), std::memory_order_relaxed);
  std::vector<FinishedCall> finished = queue_.TakeFinished();
  for (const FinishedCall& call : finished) figures_.failures += static_cast<int64_t>(call.reply.failures.size());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    published_ = figures_;
  }
  for (FinishedCall& call : finished) call.done(std::move(call.reply));
}

int64_t PoolLoop::TimeoutNs() const {
  int64_t next = INT64_MAX;
  if (linger_until_ns_ != 0) next = std::min(next, linger_until_ns_);
  if (next_start_ns_ != 0) next = std::min(next, next_start_ns_);
  for (const auto& [id, replica] : replicas_) {
    if (replica->kill_at_ns != 0) {
      next = std::min(next, replica->kill_at_ns);
    } else if (!replica->is_ready()) {
      next = std::min(next, replica->since_ns + options_.start_timeout_ns);
    } else if (spec_.timeout_ns > 0 && replica->outstanding() > 0) {
      next = std::min(next, replica->since_ns + spec_.timeout_ns);
    }
  }
  return next == INT64_MAX ? -1 : std::max<int64_t>(next - Now(), 0);
}

void PoolLoop::WaitAndHandle(int64_t timeout_ns) {
  const Result<std::vector<uint64_t>> tokens = poller_.Wait(timeout_ns);
  if (!tokens.ok()) {
    FailPool(tokens.status());
    RequestStop();  // without a poller nothing can be waited for
    return;
  }
  // Ends come last: what a replica said before it ended counts.
  std::vector<uint64_t> ended;
  for (const uint64_t token : *tokens) {
    if (token == kWakeupToken) {
      wakeup_.Clear();
      continue;
    }
    const uint64_t id = token / 4;
    const auto found = replicas_.find(id);
    if (found == replicas_.end()) continue;
    Replica& replica = *found->second;
    switch (static_cast<Watched>(token % 4)) {
      case kControl: HandleControl(id); break;
      case kExit: ended.push_back(id); break;
      case kOutput:
        if (!replica.DrainOutput()) poller_.Remove(replica.process().output().get());
        break;
      case kError:
        if (!replica.DrainError()) poller_.Remove(replica.process().error().get());
        break;
    }
  }
  for (const uint64_t id : ended) HandleExit(id);
}

Status PoolLoop::StartReplica() {
  ARROW_ASSIGN_OR_RAISE(auto replica, Replica::Start(replica_spec_, options_.platform));
  const uint64_t id = ++last_replica_;
  replica->since_ns = Now();
  ARROW_RETURN_NOT_OK(poller_.Add(replica->control_fd(), Token(id, kControl)));
  ARROW_RETURN_NOT_OK(poller_.Add(replica->process().exit_fd(), Token(id, kExit)));
  ARROW_RETURN_NOT_OK(poller_.Add(replica->process().output().get(), Token(id, kOutput)));
  ARROW_RETURN_NOT_OK(poller_.Add(replica->process().error().get(), Token(id, kError)));
  replicas_.emplace(id, std::move(replica));
  ++figures_.replicas_started;
  return Status::OK();
}

void PoolLoop::HandleControl(uint64_t id) {
  Replica* replica = replicas_.at(id).get();
  std::vector<ReplicaEvent> events;
  bool closed = false;
  const Status status = replica->Receive(&events, &closed);
  for (ReplicaEvent& event : events) HandleEvent(replica, std::move(event));
  if (!status.ok()) Condemn(replica, "sent an invalid reply (" + status.message() + ")");
  if (closed) {
    poller_.Remove(replica->control_fd());
    if (replica->kill_at_ns == 0) replica->kill_at_ns = Now() + kExitPatienceNs;
  }
}

void PoolLoop::HandleEvent(Replica* replica, ReplicaEvent event) {
  switch (event.kind) {
    case ReplicaEvent::Kind::kReady:
      failed_starts_in_a_row_ = 0;
      next_start_ns_ = 0;
      replica->since_ns = Now();
      return;
    case ReplicaEvent::Kind::kLoadFailed:
      replica->lost_because = Escaped(event.message.text, 4000);
      replica->kill_at_ns = Now() + kExitPatienceNs;
      replica->start_failure_counted = true;
      FailedStart(replica->lost_because, (event.message.flags & kPermanent) != 0);
      return;
    case ReplicaEvent::Kind::kAnswered:
      HandleAnswer(replica, std::move(event));
      return;
  }
}

void PoolLoop::HandleAnswer(Replica* replica, ReplicaEvent event) {
  const int64_t now = Now();
  const int64_t busy_ns = std::min(event.message.busy_ns, now - replica->since_ns);
  figures_.busy_ns += std::max<int64_t>(busy_ns, 0);
  replica->since_ns = now;  // the batch that waited behind is being worked on from now
  const std::string reason = Escaped(event.message.text, 4000);
  switch (event.message.error) {
    case ReplyError::kNone: {
      batch_size_.Observe(event.batch.rows, busy_ns);
      lost_rows_in_a_row_ = 0;
      const Status status = queue_.Answer(event.batch, event.rows, event.failures);
      if (!status.ok()) queue_.FailCalls(event.batch, WithContext(status, fmt::format("service '{}'", spec_.name)));
      return;
    }
    case ReplyError::kRow:
      if (event.batch.rows == 1) {
        FailRow(event.batch, reason);
      } else {
        Split(event.batch);
      }
      return;
    case ReplyError::kJob:
      queue_.FailCalls(event.batch, JobError(fmt::format("service '{}': {}", spec_.name, reason)));
      return;
  }
}

void PoolLoop::HandleExit(uint64_t id) {
  const auto found = replicas_.find(id);
  if (found == replicas_.end()) return;
  const std::optional<ExitStatus> status = found->second->process().Poll();
  if (!status.has_value()) return;
  if (found->second->lost_because.empty()) HandleControl(id);
  std::unique_ptr<Replica> replica = std::move(found->second);
  replicas_.erase(found);
  replica->DrainOutput();
  replica->DrainError();
  poller_.Remove(replica->control_fd());
  poller_.Remove(replica->process().exit_fd());
  poller_.Remove(replica->process().output().get());
  poller_.Remove(replica->process().error().get());
  Lose(replica.get(), "ended with " + status->ToString());
}

void PoolLoop::Condemn(Replica* replica, std::string why) {
  if (!replica->lost_because.empty()) return;
  replica->lost_because = std::move(why);
  replica->kill_at_ns = INT64_MAX;
  replica->process().Kill();
}

void PoolLoop::CheckDeadlines() {
  const int64_t now = Now();
  for (const auto& [id, replica] : replicas_) {
    if (replica->kill_at_ns != 0) {
      if (now >= replica->kill_at_ns) {
        replica->kill_at_ns = INT64_MAX;
        replica->process().Kill();
      }
    } else if (!replica->is_ready()) {
      if (now - replica->since_ns >= options_.start_timeout_ns) {
        Condemn(replica.get(), "was not ready within " + FormatDuration(options_.start_timeout_ns));
      }
    } else if (spec_.timeout_ns > 0 && replica->outstanding() > 0 && now - replica->since_ns >= spec_.timeout_ns) {
      replica->timed_out = true;
      Condemn(replica.get(), "exceeded " + FormatDuration(spec_.timeout_ns));
    }
  }
}

void PoolLoop::Shutdown() {
  const Status cancelled = CancelledError(fmt::format("service '{}' was stopped", spec_.name));
  FailOutstanding(cancelled);
  for (const auto& [id, replica] : replicas_) {
    poller_.Remove(replica->control_fd());
    replica->Close();
  }
  Publish();
  const int64_t begin = Now();
  while (!replicas_.empty()) {
    const Result<std::vector<uint64_t>> tokens = poller_.Wait(20 * kMillisecond);
    if (!tokens.ok()) break;  // what is left is killed below
    wakeup_.Clear();
    for (auto it = replicas_.begin(); it != replicas_.end();) {
      Replica& replica = *it->second;
      if (!replica.DrainOutput()) poller_.Remove(replica.process().output().get());
      if (!replica.DrainError()) poller_.Remove(replica.process().error().get());
      const bool ended = replica.process().Poll().has_value();
      if (!ended && Now() - begin > kEndPatienceNs) replica.process().Terminate();
      if (!ended && Now() - begin > 2 * kEndPatienceNs) replica.process().Kill();
      it = ended ? replicas_.erase(it) : std::next(it);
    }
    if (Now() - begin > 3 * kEndPatienceNs) break;
  }
  replicas_.clear();
  std::vector<std::shared_ptr<OpenCall>> late;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ended_ = true;
    late.swap(submitted_);
    submitted_rows_ = 0;
    published_.replicas = 0;
    published_.queued_rows = 0;
  }
  for (const auto& call : late) call->done(Reply{.status = cancelled});
}

}  // namespace mainstem
