#include "mainstem/services/call_queue.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

namespace mainstem {
namespace {

int64_t BytesOf(const Piece& piece) {
  return piece.call->bytes * piece.length / std::max<int64_t>(piece.call->rows->num_rows(), 1);
}

Result<std::shared_ptr<arrow::RecordBatch>> NullRow(const std::shared_ptr<arrow::Schema>& schema) {
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    ARROW_ASSIGN_OR_RAISE(auto column, arrow::MakeArrayOfNull(field->type(), 1));
    columns.push_back(std::move(column));
  }
  return arrow::RecordBatch::Make(schema, 1, std::move(columns));
}

}  // namespace

void CallQueue::Add(std::shared_ptr<OpenCall> call) {
  call->rows_left = call->rows->num_rows();
  if (call->rows_left == 0) {
    const Status status = Finish(call.get());
    if (!status.ok()) FailCall(call.get(), status);
    return;
  }
  rows_ += call->rows_left;
  bytes_ += call->bytes;
  const int64_t length = call->rows_left;
  fresh_.push_back({std::move(call), 0, length});
}

void CallQueue::Return(WorkBatch batch) {
  batch.id = NextId();
  returned_.push_front(std::move(batch));
}

int64_t CallQueue::waiting_rows() const {
  int64_t rows = rows_;
  for (const WorkBatch& batch : returned_) rows += batch.rows;
  return rows;
}

std::optional<WorkBatch> CallQueue::NextReturned() {
  while (!returned_.empty()) {
    WorkBatch batch = std::move(returned_.front());
    returned_.pop_front();
    if (!IsObsolete(batch)) return batch;
  }
  return std::nullopt;
}

std::optional<WorkBatch> CallQueue::Next(int64_t rows_max) {
  WorkBatch batch;
  while (batch.rows < rows_max && !fresh_.empty()) {
    Piece& front = fresh_.front();
    const bool merges = shape_ != ReplyShape::kBatch;
    if (!batch.pieces.empty() && !merges && !front.call->answered) break;
    Piece piece = front;
    piece.length = front.call->answered ? front.length : std::min(front.length, rows_max - batch.rows);
    rows_ -= piece.length;
    bytes_ -= BytesOf(piece);
    front.start += piece.length;
    front.length -= piece.length;
    if (front.length == 0) fresh_.pop_front();
    if (piece.call->answered) continue;
    batch.rows += piece.length;
    batch.pieces.push_back(std::move(piece));
  }
  if (fresh_.empty()) bytes_ = 0;  // shares of a call are rounded down
  if (batch.pieces.empty()) return std::nullopt;
  batch.id = NextId();
  return batch;
}

Status CallQueue::CheckReply(const WorkBatch& batch, const arrow::RecordBatch& rows) const {
  if (shape_ == ReplyShape::kScalar && rows.num_rows() != batch.rows) {
    return JobError(fmt::format("a reply has {} rows; {} expected, one for each row", rows.num_rows(), batch.rows));
  }
  if (shape_ != ReplyShape::kTable) return Status::OK();
  const auto& numbers = static_cast<const arrow::Int64Array&>(*rows.column(0));
  int64_t last = 0;
  for (int64_t i = 0; i < numbers.length(); ++i) {
    if (numbers.IsNull(i) || numbers.Value(i) < last || numbers.Value(i) >= batch.rows) {
      return JobError(fmt::format("a table reply names its rows wrongly: '__row' must ascend within 0 … {}",
                                  batch.rows - 1));
    }
    last = numbers.Value(i);
  }
  return Status::OK();
}

Result<std::shared_ptr<arrow::RecordBatch>> CallQueue::TablePart(const Piece& piece, int64_t offset,
                                                                 const arrow::RecordBatch& rows) const {
  const auto& numbers = static_cast<const arrow::Int64Array&>(*rows.column(0));
  const int64_t* begin = numbers.raw_values();
  const int64_t* end = begin + numbers.length();
  const int64_t first = std::lower_bound(begin, end, offset) - begin;
  const int64_t last = std::lower_bound(begin, end, offset + piece.length) - begin;
  auto part = rows.Slice(first, last - first);
  if (offset == piece.start) return part;
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> moved,
                        arrow::AllocateBuffer((last - first) * static_cast<int64_t>(sizeof(int64_t))));
  auto* values = reinterpret_cast<int64_t*>(moved->mutable_data());
  for (int64_t i = first; i < last; ++i) values[i - first] = begin[i] - offset + piece.start;
  return part->SetColumn(0, rows.schema()->field(0), std::make_shared<arrow::Int64Array>(last - first, moved));
}

Status CallQueue::AddPart(const Piece& piece, std::shared_ptr<arrow::RecordBatch> rows) {
  OpenCall* call = piece.call.get();
  if (rows != nullptr) call->parts.push_back({piece.start, std::move(rows)});
  call->rows_left -= piece.length;
  return call->rows_left == 0 ? Finish(call) : Status::OK();
}

Status CallQueue::Answer(const WorkBatch& batch, const std::shared_ptr<arrow::RecordBatch>& rows,
                         const std::vector<RowFailure>& failures) {
  ARROW_RETURN_NOT_OK(CheckReply(batch, *rows));
  int64_t offset = 0;
  auto failure = failures.begin();
  for (const Piece& piece : batch.pieces) {
    const int64_t end = offset + piece.length;
    if (piece.call->answered) {
      while (failure != failures.end() && failure->row < end) ++failure;
      offset = end;
      continue;
    }
    for (; failure != failures.end() && failure->row < end; ++failure) {
      piece.call->failures.push_back({failure->row - offset + piece.start, failure->reason});
    }
    std::shared_ptr<arrow::RecordBatch> part = rows;
    if (shape_ == ReplyShape::kScalar && batch.pieces.size() > 1) part = rows->Slice(offset, piece.length);
    if (shape_ == ReplyShape::kTable) {
      ARROW_ASSIGN_OR_RAISE(part, TablePart(piece, offset, *rows));
    }
    const Status status = AddPart(piece, std::move(part));
    if (!status.ok()) FailCall(piece.call.get(), status);
    offset = end;
  }
  return Status::OK();
}

Status CallQueue::FailRow(const WorkBatch& batch, std::string reason) {
  const Piece& piece = batch.pieces.front();
  if (piece.call->answered) return Status::OK();
  piece.call->failures.push_back({piece.start, std::move(reason)});
  std::shared_ptr<arrow::RecordBatch> part;
  if (shape_ == ReplyShape::kScalar) {
    ARROW_ASSIGN_OR_RAISE(part, NullRow(reply_schema_));
  }
  return AddPart(piece, std::move(part));
}

void CallQueue::FailCall(OpenCall* call, const Status& status) {
  if (call->answered) return;
  call->answered = true;
  call->parts.clear();
  finished_.push_back({std::move(call->done), Reply{.status = status}});
}

void CallQueue::FailCalls(const WorkBatch& batch, const Status& status) {
  for (const Piece& piece : batch.pieces) FailCall(piece.call.get(), status);
}

void CallQueue::FailAll(const Status& status) {
  for (const WorkBatch& batch : returned_) FailCalls(batch, status);
  for (const Piece& piece : fresh_) FailCall(piece.call.get(), status);
  returned_.clear();
  fresh_.clear();
  rows_ = 0;
  bytes_ = 0;
}

Status CallQueue::Finish(OpenCall* call) {
  std::sort(call->parts.begin(), call->parts.end(),
            [](const OpenCall::Part& a, const OpenCall::Part& b) { return a.start < b.start; });
  std::sort(call->failures.begin(), call->failures.end(),
            [](const RowFailure& a, const RowFailure& b) { return a.row < b.row; });
  Reply reply;
  if (call->parts.size() == 1) {
    reply.rows = call->parts.front().rows;
  } else if (call->parts.empty()) {
    ARROW_ASSIGN_OR_RAISE(reply.rows, arrow::RecordBatch::MakeEmpty(reply_schema_));
  } else {
    arrow::RecordBatchVector parts;
    for (OpenCall::Part& part : call->parts) parts.push_back(std::move(part.rows));
    ARROW_ASSIGN_OR_RAISE(reply.rows, arrow::ConcatenateRecordBatches(parts));
  }
  reply.failures = std::move(call->failures);
  call->parts.clear();
  call->answered = true;
  finished_.push_back({std::move(call->done), std::move(reply)});
  return Status::OK();
}

std::vector<FinishedCall> CallQueue::TakeFinished() {
  std::vector<FinishedCall> finished;
  finished.swap(finished_);
  return finished;
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsOf(const WorkBatch& batch) {
  arrow::RecordBatchVector slices;
  for (const Piece& piece : batch.pieces) slices.push_back(piece.call->rows->Slice(piece.start, piece.length));
  if (slices.size() == 1) return slices.front();
  return arrow::ConcatenateRecordBatches(slices);
}

WorkBatch Cut(const WorkBatch& batch, int64_t start, int64_t length) {
  WorkBatch part{.losses = batch.losses, .careful = batch.careful};
  int64_t offset = 0;
  for (const Piece& piece : batch.pieces) {
    const int64_t from = std::max(start, offset);
    const int64_t to = std::min(start + length, offset + piece.length);
    if (from < to) part.pieces.push_back({piece.call, piece.start + from - offset, to - from});
    offset += piece.length;
  }
  part.rows = length;
  return part;
}

bool IsObsolete(const WorkBatch& batch) {
  return std::all_of(batch.pieces.begin(), batch.pieces.end(),
                     [](const Piece& piece) { return piece.call->answered; });
}

}  // namespace mainstem
