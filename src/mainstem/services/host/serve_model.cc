// The main loop of a native host: the replica's side of services/protocol.h.
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <optional>

#include "mainstem/data/logical_type.h"
#include "mainstem/platform/clock.h"
#include "mainstem/platform/process.h"
#include "mainstem/platform/shared_memory.h"
#include "mainstem/platform/socket.h"
#include "mainstem/services/host/model.h"
#include "mainstem/services/protocol.h"
#include "mainstem/services/rows.h"

namespace mainstem {

Model::~Model() = default;

namespace {

constexpr size_t kTextBytesMax = 16 * 1024;

// A request in shared memory; keeps the region mapped while anything refers to it.
class RegionBuffer final : public arrow::Buffer {
 public:
  RegionBuffer(std::shared_ptr<SharedRegion> region, int64_t bytes)
      : arrow::Buffer(region->data(), bytes), region_(std::move(region)) {}

 private:
  std::shared_ptr<SharedRegion> region_;
};

struct Received {
  Message message;
  std::vector<FileDescriptor> descriptors;
};

struct HostSlot {
  std::shared_ptr<SharedRegion> request;
  std::unique_ptr<SharedRegion> reply;
};

class ModelHost {
 public:
  explicit ModelHost(std::unique_ptr<PacketSocket> control) : control_(std::move(control)) {}

  /// Loads the model; false where the pool is gone or the load failed, which it has been told.
  Result<bool> SetUp(const ModelLoader& load);
  /// Answers until the pool closes the socket.
  Status Serve();

 private:
  Result<std::optional<Received>> Receive();
  Result<std::optional<Received>> ReceiveNow();
  Status Send(Message message);
  Status Answer(const Message& call);
  Result<std::shared_ptr<arrow::RecordBatch>> Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                  std::vector<RowFailure>* failures);
  Status WriteRows(const arrow::RecordBatch& rows, const std::vector<RowFailure>& failures, Message* reply);
  Result<bool> Grow(const Message& reply, int64_t bytes);

  std::unique_ptr<PacketSocket> control_;
  std::deque<Received> waiting_;
  std::array<HostSlot, kSlots> slots_;
  std::unique_ptr<Model> model_;
  std::shared_ptr<arrow::Schema> input_;
  std::shared_ptr<arrow::Schema> output_;
};

Result<std::optional<Received>> ModelHost::ReceiveNow() {
  Packet packet;
  ARROW_ASSIGN_OR_RAISE(const auto outcome, control_->Receive(&packet));
  if (outcome != PacketSocket::Outcome::kPacket) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(Message message, DecodeMessage(packet.bytes));
  return Received{std::move(message), std::move(packet.descriptors)};
}

Result<std::optional<Received>> ModelHost::Receive() {
  if (waiting_.empty()) return ReceiveNow();
  std::optional<Received> first = std::move(waiting_.front());
  waiting_.pop_front();
  return first;
}

Status ModelHost::Send(Message message) {
  message.text.resize(std::min(message.text.size(), kTextBytesMax));
  return control_->Send(EncodeMessage(message));
}

Result<std::unique_ptr<Model>> Load(const ModelLoader& load, const std::string& payload) {
  try {
    return load(payload);
  } catch (const std::exception& error) {
    return JobError(error.what());
  }
}

// IPC makes Arrow's own extension types of the columns that carry their names; models read storage, as the engine does.
Result<std::shared_ptr<arrow::Schema>> ReadStorageSchema(std::string_view message) {
  ARROW_ASSIGN_OR_RAISE(const auto schema, ReadSchemaMessage(message));
  arrow::FieldVector fields;
  for (const auto& field : schema->fields()) {
    ARROW_ASSIGN_OR_RAISE(const LogicalType type, LogicalType::FromField(*field));
    fields.push_back(type.ToField(field->name()));
  }
  return arrow::schema(std::move(fields), schema->metadata());
}

Result<bool> ModelHost::SetUp(const ModelLoader& load) {
  ARROW_ASSIGN_OR_RAISE(auto received, Receive());
  if (!received.has_value()) return false;
  if (received->message.kind != MessageKind::kSetup || received->descriptors.size() != 1) {
    return JobError("the first message does not set up the model");
  }
  ARROW_ASSIGN_OR_RAISE(const auto region, SystemSharedMemory().Map(std::move(received->descriptors[0]),
                                                                    RegionWriter::kOtherProcess));
  ARROW_ASSIGN_OR_RAISE(const SetupBlock setup,
                        ReadSetup({reinterpret_cast<const char*>(region->data()), static_cast<size_t>(region->size())}));
  ARROW_ASSIGN_OR_RAISE(input_, ReadStorageSchema(setup.input_schema));
  ARROW_ASSIGN_OR_RAISE(output_, ReadStorageSchema(setup.output_schema));
  Result<std::unique_ptr<Model>> model = Load(load, setup.payload);
  if (!model.ok()) {
    const uint32_t flags = ClassOf(model.status()) == ErrorClass::kJob ? kPermanent : 0;
    ARROW_RETURN_NOT_OK(
        Send({.kind = MessageKind::kLoadFailed, .flags = flags, .text = model.status().message()}));
    return false;
  }
  model_ = std::move(*model);
  ARROW_RETURN_NOT_OK(Send({.kind = MessageKind::kReady}));
  return true;
}

Status ModelHost::Serve() {
  while (true) {
    ARROW_ASSIGN_OR_RAISE(auto received, Receive());
    if (!received.has_value()) return Status::OK();
    const Message& call = received->message;
    if (call.kind != MessageKind::kCall) return JobError("a message out of turn");
    HostSlot& slot = slots_[call.slot];
    size_t next = 0;
    if ((call.flags & kNewRequestArena) != 0 && next < received->descriptors.size()) {
      ARROW_ASSIGN_OR_RAISE(slot.request, SystemSharedMemory().Map(std::move(received->descriptors[next++]),
                                                                   RegionWriter::kOtherProcess));
    }
    if ((call.flags & kNewReplyArena) != 0 && next < received->descriptors.size()) {
      ARROW_ASSIGN_OR_RAISE(slot.reply, SystemSharedMemory().Map(std::move(received->descriptors[next++]),
                                                                 RegionWriter::kThisProcess));
    }
    if (slot.request == nullptr || slot.reply == nullptr || call.rows_bytes > slot.request->size()) {
      return JobError("a call without memory");
    }
    ARROW_RETURN_NOT_OK(Answer(call));
  }
}

Status ModelHost::Answer(const Message& call) {
  HostSlot& slot = slots_[call.slot];
  const int64_t no_row = -1;
  std::memcpy(slot.reply->data(), &no_row, sizeof(no_row));
  Message reply{.kind = MessageKind::kReply, .call = call.call, .slot = call.slot};
  const std::shared_ptr<arrow::Buffer> request = std::make_shared<RegionBuffer>(slot.request, call.rows_bytes);
  const int64_t start = SystemClock().MonotonicNs();
  {
    std::vector<RowFailure> failures;
    ARROW_ASSIGN_OR_RAISE(auto input, RowsInPlace(request, input_));
    const auto rows = Run(input, &failures);
    reply.busy_ns = SystemClock().MonotonicNs() - start;
    if (rows.ok()) {
      ARROW_RETURN_NOT_OK(WriteRows(**rows, failures, &reply));
    } else {
      reply.error = ClassOf(rows.status()) == ErrorClass::kRow ? ReplyError::kRow : ReplyError::kJob;
      reply.text = rows.status().message();
    }
  }
  // Rows that the model passed through have been written; whoever still refers to the request keeps it.
  if (request.use_count() > 1) reply.flags |= kKept;
  return Send(std::move(reply));
}

Result<std::shared_ptr<arrow::RecordBatch>> ModelHost::Run(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                           std::vector<RowFailure>* failures) {
  std::shared_ptr<arrow::RecordBatch> result;
  try {
    ARROW_ASSIGN_OR_RAISE(result, model_->Run(rows, failures));
  } catch (const std::exception& error) {
    return RowError(error.what());
  }
  // By position: the plan names the column, the model does not know how.
  const auto same_type = [](const auto& left, const auto& right) { return left->type()->Equals(*right->type()); };
  if (result == nullptr || !std::ranges::equal(result->schema()->fields(), output_->fields(), same_type)) {
    return JobError(fmt::format("the model returned ({}); expected ({})",
                                result == nullptr ? "nothing" : result->schema()->ToString(), output_->ToString()));
  }
  return arrow::RecordBatch::Make(output_, result->num_rows(), result->columns());
}

Status ModelHost::WriteRows(const arrow::RecordBatch& rows, const std::vector<RowFailure>& failures, Message* reply) {
  ARROW_ASSIGN_OR_RAISE(const EncodedRows encoded, EncodedRows::Make(rows));
  const std::string listed = failures.empty() ? "" : EncodeFailures(failures);
  const int64_t needed = kReplyOffset + encoded.bytes() + static_cast<int64_t>(listed.size());
  HostSlot& slot = slots_[reply->slot];
  if (needed > slot.reply->size()) {
    ARROW_ASSIGN_OR_RAISE(const bool larger, Grow(*reply, needed));
    if (!larger) {
      reply->error = ReplyError::kRow;
      reply->text = fmt::format("the reply to {} rows has {} bytes, which is over the limit", rows.num_rows(), needed);
      return Status::OK();
    }
  }
  ARROW_RETURN_NOT_OK(encoded.WriteTo(slot.reply->data() + kReplyOffset));
  std::memcpy(slot.reply->data() + kReplyOffset + encoded.bytes(), listed.data(), listed.size());
  reply->rows_offset = kReplyOffset;
  reply->rows_bytes = encoded.bytes();
  reply->failures_bytes = static_cast<int64_t>(listed.size());
  return Status::OK();
}

Result<bool> ModelHost::Grow(const Message& reply, int64_t bytes) {
  ARROW_RETURN_NOT_OK(
      Send({.kind = MessageKind::kGrow, .call = reply.call, .slot = reply.slot, .rows_bytes = bytes}));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(auto received, ReceiveNow());
    if (!received.has_value()) return CancelledError("the pool has gone");
    if (received->message.kind != MessageKind::kReplyArena) {
      waiting_.push_back(std::move(*received));
      continue;
    }
    if ((received->message.flags & kRefused) != 0 || received->descriptors.size() != 1) return false;
    HostSlot& slot = slots_[reply.slot];
    ARROW_ASSIGN_OR_RAISE(slot.reply, SystemSharedMemory().Map(std::move(received->descriptors[0]),
                                                               RegionWriter::kThisProcess));
    return slot.reply->size() >= bytes;
  }
}

Result<bool> SetUpAndServe(const ModelLoader& load) {
  EndWithParent();
  const std::string number = TakeEnvironmentVariable(kControlFdVariable);
  const int fd = std::atoi(number.c_str());
  if (fd <= 2) return JobError(fmt::format("this program is started by the engine ({} is not set)", kControlFdVariable));
  ARROW_ASSIGN_OR_RAISE(auto control, SystemSockets().Adopt(FileDescriptor(fd)));
  ModelHost host(std::move(control));
  ARROW_ASSIGN_OR_RAISE(const bool loaded, host.SetUp(load));
  if (loaded) ARROW_RETURN_NOT_OK(host.Serve());
  return loaded;
}

}  // namespace

int ServeModel(const ModelLoader& load) {
  const Result<bool> served = SetUpAndServe(load);
  if (served.ok()) return *served ? 0 : 1;
  // A pool that has gone is how a replica normally learns that it is not needed any more.
  const ErrorClass error_class = ClassOf(served.status());
  if (error_class == ErrorClass::kRegion || error_class == ErrorClass::kCancelled) return 0;
  std::fputs(fmt::format("the model host ends: {}\n", served.status().message()).c_str(), stderr);
  return 2;
}

}  // namespace mainstem
