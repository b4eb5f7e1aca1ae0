#include "mainstem/services/journal/waiting_call.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>

#include <algorithm>

#include "mainstem/services/protocol.h"

namespace mainstem {

WaitingCall::WaitingCall(Call call, std::function<void(Reply)> done)
    : rows_(std::move(call.rows)),
      done_(std::move(done)),
      answers_(static_cast<size_t>(rows_->num_rows())),
      missing_(rows_->num_rows()) {}

bool WaitingCall::Answer(int64_t row, const RowAnswer& answer) {
  answers_[static_cast<size_t>(row)] = answer;
  return --missing_ == 0;
}

bool WaitingCall::Fail(int64_t row, const RowAnswer& placeholder, std::string reason) {
  failures_.push_back({row, std::move(reason)});
  return Answer(row, placeholder);
}

bool WaitingCall::Abandon(int64_t row, const Status& status) {
  if (status_.ok()) status_ = status;
  return --missing_ == 0;
}

void WaitingCall::Finish(const ServiceSpec& spec) {
  Reply reply{.status = status_};
  if (status_.ok()) {
    auto rows = Rows(spec);
    if (rows.ok()) {
      reply.rows = rows.MoveValueUnsafe();
      std::sort(failures_.begin(), failures_.end(),
                [](const RowFailure& a, const RowFailure& b) { return a.row < b.row; });
      reply.failures = std::move(failures_);
    } else {
      reply.status = rows.status();
    }
  }
  answers_.clear();
  done_(std::move(reply));
}

Result<std::shared_ptr<arrow::RecordBatch>> WaitingCall::Rows(const ServiceSpec& spec) const {
  // Rows that were answered together lie side by side: they are taken as one run, without a copy.
  std::vector<RowAnswer> runs;
  for (const RowAnswer& answer : answers_) {
    if (answer.length == 0) continue;
    if (!runs.empty() && runs.back().source == answer.source && runs.back().start + runs.back().length == answer.start) {
      runs.back().length += answer.length;
    } else {
      runs.push_back(answer);
    }
  }
  arrow::RecordBatchVector parts;
  for (const RowAnswer& run : runs) {
    const bool whole = run.start == 0 && run.length == run.source->num_rows();
    parts.push_back(whole ? run.source : run.source->Slice(run.start, run.length));
  }
  std::shared_ptr<arrow::RecordBatch> rows;
  if (parts.empty()) {
    ARROW_ASSIGN_OR_RAISE(rows, arrow::RecordBatch::MakeEmpty(spec.output));
  } else if (parts.size() == 1) {
    rows = parts.front();
  } else {
    ARROW_ASSIGN_OR_RAISE(rows, arrow::ConcatenateRecordBatches(parts));
  }
  if (spec.shape != ReplyShape::kTable) return rows;
  arrow::Int64Builder numbers;
  ARROW_RETURN_NOT_OK(numbers.Reserve(rows->num_rows()));
  for (size_t row = 0; row < answers_.size(); ++row) {
    for (int64_t i = 0; i < answers_[row].length; ++i) numbers.UnsafeAppend(static_cast<int64_t>(row));
  }
  arrow::ArrayVector columns(1);
  ARROW_ASSIGN_OR_RAISE(columns[0], numbers.Finish());
  for (const auto& column : rows->columns()) columns.push_back(column);
  return arrow::RecordBatch::Make(ReplySchema(spec.output, spec.shape), rows->num_rows(), std::move(columns));
}

}  // namespace mainstem
