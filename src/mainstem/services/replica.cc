#include "mainstem/services/replica.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "mainstem/base/quantity.h"
#include "mainstem/services/rows.h"

namespace mainstem {
namespace {

constexpr int kControlFd = 3;

}  // namespace

Replica::Replica(const ReplicaSpec& spec, const ServicePlatform& platform)
    : spec_(spec), platform_(platform), output_(spec.name, spec.output), error_(spec.name, spec.output) {}

Replica::~Replica() {
  if (process_ != nullptr) process_->Kill();
  output_.Flush();
  error_.Flush();
}

Result<std::unique_ptr<Replica>> Replica::Start(const ReplicaSpec& spec, const ServicePlatform& platform) {
  std::unique_ptr<Replica> replica(new Replica(spec, platform));
  ARROW_ASSIGN_OR_RAISE(auto pair, platform.sockets->MakePair());
  replica->control_ = std::move(pair.ours);
  ProcessSpec process{.arguments = spec.arguments, .environment = spec.environment};
  process.environment.push_back(fmt::format("{}={}", kControlFdVariable, kControlFd));
  process.descriptors.emplace_back(pair.theirs.get(), kControlFd);
  ARROW_ASSIGN_OR_RAISE(replica->process_, platform.processes->Start(process));
  pair.theirs.Close();  // now the child holds the only one, so its end closes the socket
  const int setup = spec.setup->fd();
  const Message message{.kind = MessageKind::kSetup, .rows_bytes = spec.setup->size()};
  // A child that is gone already is found out by its exit.
  const Status sent = replica->control_->Send(EncodeMessage(message), {&setup, 1});
  if (!sent.ok() && ClassOf(sent) != ErrorClass::kRegion) return sent;
  return replica;
}

bool Replica::HasRoom() const {
  if (!ready_ || kill_at_ns != 0) return false;
  return running_.empty() || (running_.size() < kSlots && running_.front().batch.losses == 0);
}

Result<int64_t> Replica::CapacityFor(int64_t bytes) const {
  if (bytes > spec_.arena_bytes_max) {
    return RowError(fmt::format("{} at once; the limit is {}", FormatBytes(bytes), FormatBytes(spec_.arena_bytes_max)));
  }
  const auto rounded = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(bytes)));
  return std::min(std::max(rounded, spec_.arena_bytes), spec_.arena_bytes_max);
}

Status Replica::Send(const WorkBatch& batch) {
  const Result<std::shared_ptr<arrow::RecordBatch>> joined = RowsOf(batch);
  // Joining fails where 32-bit offsets overflow: fewer rows fit.
  if (!joined.ok()) return RowError(joined.status().message());
  ARROW_ASSIGN_OR_RAISE(const EncodedRows rows, EncodedRows::Make(**joined));
  const uint32_t index = running_.empty() ? 0 : (running_.back().slot + 1) % kSlots;
  Slot& slot = slots_[index];
  Message message{.kind = MessageKind::kCall, .call = batch.id, .slot = index, .rows_bytes = rows.bytes()};
  std::array<int, 2> descriptors;
  size_t count = 0;
  if (slot.request == nullptr || slot.replace_request || slot.request->size() < rows.bytes()) {
    ARROW_ASSIGN_OR_RAISE(const int64_t capacity, CapacityFor(rows.bytes()));
    ARROW_ASSIGN_OR_RAISE(slot.request, platform_.memory->Create(capacity, RegionWriter::kThisProcess));
    slot.replace_request = false;
    message.flags |= kNewRequestArena;
    descriptors[count++] = slot.request->fd();
  }
  if (slot.reply == nullptr) {
    ARROW_ASSIGN_OR_RAISE(slot.reply, platform_.memory->Create(spec_.arena_bytes, RegionWriter::kOtherProcess));
    message.flags |= kNewReplyArena;
    descriptors[count++] = slot.reply->fd();
  }
  if (batch.careful) message.flags |= kCareful;
  ARROW_RETURN_NOT_OK(rows.WriteTo(slot.request->data()));
  const Status sent = control_->Send(EncodeMessage(message), {descriptors.data(), count});
  // A peer that is gone is found out by its exit; until then the batch counts as sent.
  if (!sent.ok() && ClassOf(sent) != ErrorClass::kRegion) return sent;
  running_.push_back({index, batch});
  return Status::OK();
}

Status Replica::Receive(std::vector<ReplicaEvent>* events, bool* closed) {
  *closed = false;
  Packet packet;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto outcome, control_->Receive(&packet));
    if (outcome == PacketSocket::Outcome::kNothing) return Status::OK();
    if (outcome == PacketSocket::Outcome::kClosed) {
      *closed = true;
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(Message message, DecodeMessage(packet.bytes));
    ARROW_RETURN_NOT_OK(Handle(std::move(message), events));
  }
}

Status Replica::Handle(Message message, std::vector<ReplicaEvent>* events) {
  switch (message.kind) {
    case MessageKind::kReady:
      if (ready_) break;
      ready_ = true;
      events->push_back({.kind = ReplicaEvent::Kind::kReady, .message = std::move(message)});
      return Status::OK();
    case MessageKind::kLoadFailed:
      if (ready_) break;
      events->push_back({.kind = ReplicaEvent::Kind::kLoadFailed, .message = std::move(message)});
      return Status::OK();
    case MessageKind::kReply:
      return HandleReply(std::move(message), events);
    case MessageKind::kGrow:
      return HandleGrow(message);
    default:
      break;
  }
  return JobError(fmt::format("a message of kind {} out of turn", static_cast<uint32_t>(message.kind)));
}

Status Replica::CheckCurrent(const Message& message) const {
  if (running_.empty() || running_.front().slot != message.slot || running_.front().batch.id != message.call) {
    return JobError("an answer to a call that it does not work on");
  }
  return Status::OK();
}

Status Replica::HandleReply(Message message, std::vector<ReplicaEvent>* events) {
  ARROW_RETURN_NOT_OK(CheckCurrent(message));
  Slot& slot = slots_[message.slot];
  if ((message.flags & kKept) != 0) slot.replace_request = true;
  ReplicaEvent event{.kind = ReplicaEvent::Kind::kAnswered};
  if (message.error == ReplyError::kNone) {
    const int64_t size = slot.reply->size();
    if (message.rows_offset > size || message.rows_bytes > size - message.rows_offset ||
        message.failures_bytes > size - message.rows_offset - message.rows_bytes) {
      return JobError("a reply larger than its arena");
    }
    const uint8_t* rows = slot.reply->data() + message.rows_offset;
    ARROW_ASSIGN_OR_RAISE(event.rows, CopyForeignRows(rows, message.rows_bytes, spec_.reply_schema));
    const std::string failures(reinterpret_cast<const char*>(rows) + message.rows_bytes,
                               static_cast<size_t>(message.failures_bytes));
    ARROW_ASSIGN_OR_RAISE(event.failures, DecodeFailures(failures, running_.front().batch.rows));
  }
  event.batch = std::move(running_.front().batch);
  event.message = std::move(message);
  running_.pop_front();
  ++answered_;
  events->push_back(std::move(event));
  return Status::OK();
}

Status Replica::HandleGrow(const Message& message) {
  ARROW_RETURN_NOT_OK(CheckCurrent(message));
  Message answer{.kind = MessageKind::kReplyArena, .call = message.call, .slot = message.slot};
  const Result<int64_t> capacity = CapacityFor(message.rows_bytes);
  if (!capacity.ok()) {
    answer.flags = kRefused;
    answer.text = capacity.status().message();
    return control_->Send(EncodeMessage(answer));
  }
  Slot& slot = slots_[message.slot];
  ARROW_ASSIGN_OR_RAISE(slot.reply, platform_.memory->Create(*capacity, RegionWriter::kOtherProcess));
  const int fd = slot.reply->fd();
  return control_->Send(EncodeMessage(answer), {&fd, 1});
}

int64_t Replica::Progress() const {
  if (running_.empty()) return -1;
  const Slot& slot = slots_[running_.front().slot];
  int64_t row;
  std::memcpy(&row, slot.reply->data(), sizeof(row));
  return row >= 0 && row < running_.front().batch.rows ? row : -1;
}

std::vector<WorkBatch> Replica::TakeOutstanding() {
  std::vector<WorkBatch> batches;
  for (Running& running : running_) batches.push_back(std::move(running.batch));
  running_.clear();
  return batches;
}

void Replica::Close() { control_.reset(); }

}  // namespace mainstem
