// The calls of a pool that wait to be worked on, and how they become batches for replicas and replies again.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/services/endpoint.h"

namespace mainstem {

/// A call that was submitted and is not answered yet.
struct OpenCall {
  std::shared_ptr<arrow::RecordBatch> rows;
  std::function<void(Reply)> done;
  int64_t submitted_ns = 0;
  int64_t bytes = 0;
  int64_t rows_left = 0;  ///< rows whose answer is still missing
  struct Part {
    int64_t start = 0;  ///< first row of the call that it answers
    std::shared_ptr<arrow::RecordBatch> rows;
  };
  std::vector<Part> parts;
  std::vector<RowFailure> failures;
  bool answered = false;
};

/// Consecutive rows of a call.
struct Piece {
  std::shared_ptr<OpenCall> call;
  int64_t start = 0;
  int64_t length = 0;
};

/// What a replica works on at once.
struct WorkBatch {
  uint64_t id = 0;
  std::vector<Piece> pieces;
  int64_t rows = 0;
  int losses = 0;        ///< replicas that ended while they worked on these rows
  bool careful = false;  ///< the replica notes the row it is on
};

/// A call together with its reply.
struct FinishedCall {
  std::function<void(Reply)> done;
  Reply reply;
};

/// Keeps calls in order, cuts and merges them, and puts replies together. Used by one thread.
class CallQueue {
 public:
  CallQueue(ReplyShape shape, std::shared_ptr<arrow::Schema> reply_schema)
      : shape_(shape), reply_schema_(std::move(reply_schema)) {}

  void Add(std::shared_ptr<OpenCall> call);
  /// Puts a batch before everything else, to be sent as it is.
  void Return(WorkBatch batch);

  /// Rows and bytes that wait, without returned batches.
  int64_t rows() const { return rows_; }
  int64_t bytes() const { return bytes_; }
  int64_t returned() const { return static_cast<int64_t>(returned_.size()); }
  /// All rows that wait.
  int64_t waiting_rows() const;
  /// When the first call that waits was submitted.
  int64_t oldest_ns() const { return fresh_.empty() ? 0 : fresh_.front().call->submitted_ns; }

  /// Returns the next returned batch.
  std::optional<WorkBatch> NextReturned();
  /// Returns a batch of at most `rows_max` rows from the front; calls are merged where the shape allows it.
  std::optional<WorkBatch> Next(int64_t rows_max);

  /// Takes a replica's reply for a batch. A reply that does not fit the batch is a JobError.
  Status Answer(const WorkBatch& batch, const std::shared_ptr<arrow::RecordBatch>& rows,
                const std::vector<RowFailure>& failures);
  /// Answers the only row of a batch with a failure.
  Status FailRow(const WorkBatch& batch, std::string reason);
  /// Answers every call that has rows in the batch.
  void FailCalls(const WorkBatch& batch, const Status& status);
  /// Answers every call that waits.
  void FailAll(const Status& status);

  /// Returns the calls that were answered since the last time.
  std::vector<FinishedCall> TakeFinished();

 private:
  uint64_t NextId() { return ++last_id_; }
  void FailCall(OpenCall* call, const Status& status);
  Status CheckReply(const WorkBatch& batch, const arrow::RecordBatch& rows) const;
  Status AddPart(const Piece& piece, std::shared_ptr<arrow::RecordBatch> rows);
  Result<std::shared_ptr<arrow::RecordBatch>> TablePart(const Piece& piece, int64_t offset,
                                                        const arrow::RecordBatch& rows) const;
  Status Finish(OpenCall* call);

  ReplyShape shape_;
  std::shared_ptr<arrow::Schema> reply_schema_;
  std::deque<WorkBatch> returned_;
  std::deque<Piece> fresh_;
  int64_t rows_ = 0;
  int64_t bytes_ = 0;
  uint64_t last_id_ = 0;
  std::vector<FinishedCall> finished_;
};

/// Joins the rows of a batch.
Result<std::shared_ptr<arrow::RecordBatch>> RowsOf(const WorkBatch& batch);

/// Cuts rows [start, start + length) out of a batch; losses stay with them.
WorkBatch Cut(const WorkBatch& batch, int64_t start, int64_t length);

/// Says whether every call of the batch was answered already, so that working on it is useless.
bool IsObsolete(const WorkBatch& batch);

}  // namespace mainstem
