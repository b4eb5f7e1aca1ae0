// Operator: one step of a pipeline: the contract that every driver (embedded, Flink, simulator) upholds.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/data/batch.h"
#include "mainstem/data/file_reference.h"
#include "mainstem/state/declared_state.h"

namespace mainstem {

/// A row that was set aside: what failed on which input, and why.
struct DeadLetter {
  std::string function;
  std::string input;   ///< uri or other name of the row; escaped
  std::string reason;
  std::string row;     ///< the row's small columns as JSON-like text
};

/// What an operator made of an event.
enum class Progress {
  kDone,       ///< the event is dealt with
  kMore,       ///< call again with the same event when there is room
  kBlocked,    ///< call again with the same event after a reply, or when Advance has emitted something
  kSatisfied,  ///< dealt with, and no further input is wanted
};

/// Where results go. Owned by the driver.
class Output {
 public:
  virtual ~Output() = default;
  /// An operator emits while there is room and then says kMore; one batch over is tolerated.
  virtual bool HasRoom() const = 0;
  virtual void Emit(Batch batch) = 0;
  virtual void SetAside(DeadLetter letter) = 0;
};

/// The answer to a call, as the operator sees it.
struct CallReply {
  Status status;                             ///< not OK: nothing was answered
  std::shared_ptr<arrow::RecordBatch> rows;
  struct Failure {
    int64_t row = 0;
    std::string reason;
  };
  std::vector<Failure> failures;             ///< ascending
};

/// What an operator may ask of the world; answers arrive as events. Owned by the driver.
class OperatorContext {
 public:
  virtual ~OperatorContext() = default;
  virtual arrow::MemoryPool* pool() = 0;
  /// Bytes that a single output batch should not exceed.
  virtual int64_t target_batch_bytes() const = 0;
  /// Bytes that an operator which has to hold its whole input may hold.
  virtual int64_t holding_limit_bytes() const = 0;
  /// Where Open declares what must survive. Between two events nothing else of an operator may matter but what can be
  /// rebuilt; a batch that it has not dealt with yet is kept by the driver and given again.
  virtual DeclaredState& state() = 0;

  /// Sends rows to the operator's service; OnReply(id) follows. The operator declares the input as state until then,
  /// so a call in flight is part of what a checkpoint holds, and sends it again when it is restored.
  virtual int64_t StartCall(std::shared_ptr<arrow::RecordBatch> rows) = 0;
  /// Rows that may be open at the operator's service so that it never waits, and no more than useful.
  virtual int64_t rows_in_flight_limit() const = 0;
  /// Fetches the bytes of a file; OnFetched(id) follows.
  virtual int64_t StartFetch(FileReference file) = 0;
  /// Computes beside the data flow, on a thread that may block; OnComputed follows.
  virtual void StartCompute(std::function<Result<std::shared_ptr<arrow::Table>>()> work) = 0;
};

/// One step of a pipeline. One event at a time; never blocks, sleeps, spawns, reads a clock or draws a random
/// number. Emits batches of ascending order and marks the last of each.
class Operator {
 public:
  virtual ~Operator() = default;

  /// Called once before any event.
  virtual Status Open(OperatorContext& context) { return Status::OK(); }
  /// Takes a batch. While it answers kMore or kBlocked the same batch is given again.
  virtual Result<Progress> ProcessBatch(const Batch& batch, Output& output) = 0;
  /// Says that no batch follows; what is still held is emitted by Advance.
  virtual Status EndInput() { return Status::OK(); }
  /// Emits what is ready while there is room: kDone when nothing is held, kMore for want of room, kBlocked while
  /// an answer is outstanding.
  virtual Result<Progress> Advance(Output& output) { return Progress::kDone; }

  virtual Status OnReply(int64_t call, CallReply reply) { return Status::OK(); }
  virtual Status OnFetched(int64_t fetch, Result<Bytes> bytes) { return Status::OK(); }
  virtual Status OnComputed(Result<std::shared_ptr<arrow::Table>> table) { return table.status(); }
};

/// Makes the operator of one subtask.
using OperatorFactory = std::function<Result<std::unique_ptr<Operator>>()>;

}  // namespace mainstem
