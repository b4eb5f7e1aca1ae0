// The protocol between a pool and a replica: control messages over a packet socket, batches in shared memory.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/services/endpoint.h"

namespace mainstem {

/// The environment variable that holds the number of the replica's control socket.
inline constexpr char kControlFdVariable[] = "MAINSTEM_CONTROL_FD";

/// A replica has two slots: it works on one batch while the next one waits. Each slot has an arena for requests,
/// written by the pool, and one for replies, written by the replica.
inline constexpr uint32_t kSlots = 2;

/// What a replica writes starts here in its arena; before it stands an int64: the row that a careful replica is on.
inline constexpr int64_t kReplyOffset = 64;

/// What a control message says. Numbers are little-endian, as on every machine we run on. python/mainstem/host.py
/// has the same layout: change both.
enum class MessageKind : uint32_t {
  kSetup = 1,       ///< to the replica: one descriptor, a region with a SetupBlock
  kReady = 2,       ///< from the replica: it answers calls from now on
  kLoadFailed = 3,  ///< from the replica, which ends then: text says why; flags may have kPermanent
  kCall = 4,        ///< to the replica: an IPC record batch message of rows_bytes lies in the slot's request arena
  kReply = 5,       ///< from the replica: rows and failures lie in the slot's reply arena; or error and text
  kGrow = 6,        ///< from the replica: its reply needs rows_bytes in the slot's arena
  kReplyArena = 7,  ///< to the replica: the larger arena, or kRefused
};

/// Bits of `flags`.
inline constexpr uint32_t kNewRequestArena = 1;  ///< kCall: the first descriptor replaces the slot's request arena
inline constexpr uint32_t kNewReplyArena = 2;    ///< kCall: the last descriptor replaces the slot's reply arena
inline constexpr uint32_t kCareful = 4;          ///< kCall: write the number of each row before working on it
inline constexpr uint32_t kKept = 8;             ///< kReply: the rows of the request are still referred to
inline constexpr uint32_t kPermanent = 16;       ///< kLoadFailed: another attempt would fail in the same way
inline constexpr uint32_t kRefused = 32;         ///< kReplyArena: the limit does not allow it

/// `error` of a kReply.
enum class ReplyError : uint32_t {
  kNone = 0,
  kRow = 1,  ///< some row of the batch is at fault, it is not known which
  kJob = 2,  ///< no batch can be answered: the code or its declaration is wrong
};

/// A control message: 56 bytes, then text.
struct Message {
  MessageKind kind = MessageKind::kReady;
  uint32_t flags = 0;
  uint64_t call = 0;
  uint32_t slot = 0;
  ReplyError error = ReplyError::kNone;
  int64_t rows_offset = 0;  ///< kReply: where the IPC record batch message starts in the arena
  int64_t rows_bytes = 0;
  int64_t failures_bytes = 0;
  int64_t busy_ns = 0;  ///< kReply: what the batch took
  std::string text;
};

std::string EncodeMessage(const Message& message);
Result<Message> DecodeMessage(std::string_view bytes);

/// What a replica needs to know before its first call: four lengths (int64), then options (JSON with name, form
/// and shape), the input schema, the output schema (IPC messages; a table's without `__row`) and the payload.
struct SetupBlock {
  std::string options;
  std::string input_schema;
  std::string output_schema;
  std::string payload;
};

Result<SetupBlock> MakeSetup(const ServiceSpec& spec);
int64_t SetupBytes(const SetupBlock& setup);
void WriteSetup(const SetupBlock& setup, uint8_t* out);
Result<SetupBlock> ReadSetup(std::string_view bytes);
Result<std::shared_ptr<arrow::Schema>> ReadSchemaMessage(std::string_view bytes);

/// The schema in which replies cross: the output, after `__row` where rows have many rows.
std::shared_ptr<arrow::Schema> ReplySchema(const std::shared_ptr<arrow::Schema>& output, ReplyShape shape);

/// Failures as they lie behind the rows of a reply, right after them: JSON, [[row, reason], …].
std::string EncodeFailures(const std::vector<RowFailure>& failures);
/// Refuses rows outside 0 … rows - 1 and rows that do not ascend.
Result<std::vector<RowFailure>> DecodeFailures(std::string_view json, int64_t rows);

}  // namespace mainstem
