#include "mainstem/operators/call.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "mainstem/data/row_origin.h"
#include "mainstem/functions/expression_program.h"
#include "mainstem/operators/dead_letter.h"
#include "mainstem/operators/pending.h"

namespace mainstem {
namespace {

struct OpenCall {
  Batch batch;
  std::optional<CallReply> reply;
  int64_t bytes = 0;  // of the rows and, once it is there, the reply

  bool complete() const { return reply.has_value(); }
};

class CallOperator : public Operator {
 public:
  CallOperator(CallOptions options, Columns input, std::shared_ptr<arrow::Schema> output)
      : options_(std::move(options)), input_(std::move(input)), output_(std::move(output)) {}

  Status Open(OperatorContext& context) override {
    context_ = &context;
    context.state().Number("offset", &offset_);
    context.state().Form([this](Snapshot& to) { Save(to); }, [this](Snapshot& from) { return Load(from); });
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    // A large batch is sent in pieces, so that its first rows do not wait for its last.
    const int64_t limit = context_->rows_in_flight_limit();
    const int64_t rows = std::min(std::max<int64_t>(1, limit / 2), batch.rows->num_rows() - offset_);
    if (rows_in_flight_ > 0 && rows_in_flight_ + rows > limit) return Progress::kBlocked;
    // Replies that wait for an earlier one are held too: one slow call must not collect all the others behind it.
    if (!pending_.empty() && (bytes_held_ > kBytesHeld || pending_.size() >= kMostHeld)) return Progress::kBlocked;
    const bool last = offset_ + rows >= batch.rows->num_rows();
    OpenCall& added = pending_.Add({.batch = {.rows = batch.rows->Slice(offset_, rows),
                                              .order = batch.order,
                                              .last_of_order = last && batch.last_of_order}});
    offset_ = last ? 0 : offset_ + rows;
    if (rows == 0) {
      added.reply = CallReply{};
      return Progress::kDone;
    }
    Send(added);
    return last ? Progress::kDone : Progress::kMore;
  }

  Status OnReply(int64_t id, CallReply reply) override {
    OpenCall* call = pending_.Answered(id);
    if (call == nullptr) return Status::OK();
    rows_in_flight_ -= call->batch.rows->num_rows();
    call->reply = std::move(reply);
    const int64_t bytes = call->reply->rows ? BytesOf(*call->reply->rows) : 0;
    call->bytes += bytes;
    bytes_held_ += bytes;
    return Status::OK();
  }

  Result<Progress> Advance(Output& output) override {
    while (!pending_.empty() && pending_.front().complete()) {
      if (!output.HasRoom()) return Progress::kMore;
      OpenCall& call = pending_.front();
      ARROW_ASSIGN_OR_RAISE(auto rows, Joined(call, output));
      output.Emit({.rows = std::move(rows), .order = call.batch.order, .last_of_order = call.batch.last_of_order});
      bytes_held_ -= call.bytes;
      pending_.PopFront();
    }
    return pending_.empty() ? Progress::kDone : Progress::kBlocked;
  }

 private:
  static constexpr int64_t kBytesHeld = 64 << 20;
  static constexpr size_t kMostHeld = 1024;  // batches, were they empty

  // Sends the entry that was added last.
  void Send(OpenCall& added) {
    arrow::ArrayVector columns;
    for (const int column : options_.arguments) columns.push_back(added.batch.rows->column(column));
    const int64_t rows = added.batch.rows->num_rows();
    auto call = arrow::RecordBatch::Make(options_.call, rows, std::move(columns));
    rows_in_flight_ += rows;
    added.bytes = BytesOf(*added.batch.rows);
    bytes_held_ += added.bytes;
    pending_.Expect(context_->StartCall(std::move(call)));
  }

  // Inputs of all calls, and the replies that wait behind an earlier call: they have been paid for.
  void Save(Snapshot& to) const {
    auto failures = nlohmann::json::array();
    for (const OpenCall& call : pending_.entries()) {
      const auto index = static_cast<int64_t>(to.batches["calls"].size());
      to.batches["calls"].push_back(call.batch);
      if (!call.reply || !call.reply->status.ok() || !call.reply->rows) continue;
      to.batches["replies"].push_back({.rows = call.reply->rows, .order = index});
      for (const auto& failure : call.reply->failures) failures.push_back({index, failure.row, failure.reason});
    }
    to.texts["failures"] = failures.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }

  Status Load(Snapshot& from) {
    const std::vector<Batch> replies = from.Take("replies");
    const auto failures = nlohmann::json::parse(from.Text("failures"), nullptr, false);
    int64_t index = 0;
    size_t next = 0;
    for (Batch& batch : from.Take("calls")) {
      OpenCall& added = pending_.Add({.batch = std::move(batch)});
      if (next < replies.size() && replies[next].order == index) {
        added.reply = CallReply{.rows = replies[next++].rows};
        for (const auto& entry : failures) {
          if (entry.at(0) == index) added.reply->failures.push_back({entry.at(1), entry.at(2)});
        }
        added.bytes = BytesOf(*added.batch.rows) + BytesOf(*added.reply->rows);
        bytes_held_ += added.bytes;
      } else if (added.batch.rows->num_rows() == 0) {
        added.reply = CallReply{};
      } else {
        Send(added);
      }
      ++index;
    }
    return Status::OK();
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Joined(const OpenCall& call, Output& output) {
    const auto& rows = call.batch.rows;
    const CallReply& reply = *call.reply;
    if (!reply.status.ok()) return WithContext(reply.status, options_.name);
    if (rows->num_rows() == 0) return arrow::RecordBatch::MakeEmpty(output_);
    if (!reply.rows) return JobError(fmt::format("{}: a reply has no rows", options_.name));
    for (const auto& failure : reply.failures) {
      if (failure.row < 0 || failure.row >= rows->num_rows()) {
        return JobError(fmt::format("{}: a reply names row {} of {}", options_.name, failure.row, rows->num_rows()));
      }
    }
    if (!reply.failures.empty()) {
      const auto& first = reply.failures.front();
      if (options_.on_error == "raise") {
        const std::string input = DescribeInput(input_, *rows, first.row);
        return RowError(fmt::format("{}{}: {}", input.empty() ? "" : input + ": ", options_.name, first.reason));
      }
      if (options_.on_error == "dead_letter") {
        for (const auto& failure : reply.failures) {
          output.SetAside(MakeDeadLetter(input_, *rows,
                                         {.row = failure.row, .function = options_.name, .reason = failure.reason}));
        }
      }
    }
    switch (options_.shape) {
      case CallOptions::Shape::kScalar: return JoinScalar(rows, reply);
      case CallOptions::Shape::kTable: return JoinTable(rows, reply);
      case CallOptions::Shape::kBatch: break;
    }
    if (reply.rows->num_columns() != output_->num_fields()) {
      return JobError(fmt::format("{}: a reply has {} columns and not {}", options_.name, reply.rows->num_columns(),
                                  output_->num_fields()));
    }
    return arrow::RecordBatch::Make(output_, reply.rows->num_rows(), reply.rows->columns());
  }

  Result<std::shared_ptr<arrow::RecordBatch>> JoinScalar(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                         const CallReply& reply) {
    if (reply.rows->num_rows() != rows->num_rows()) {
      return JobError(fmt::format("{}: {} rows were sent and {} came back", options_.name, rows->num_rows(),
                                  reply.rows->num_rows()));
    }
    arrow::ArrayVector columns = rows->columns();
    for (const auto& column : reply.rows->columns()) columns.push_back(column);
    ARROW_RETURN_NOT_OK(KeepLast(&columns));
    auto joined = arrow::RecordBatch::Make(output_, rows->num_rows(), std::move(columns));
    if (reply.failures.empty() || options_.on_error != "dead_letter") return joined;
    arrow::BooleanBuilder keep;
    size_t failure = 0;
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      const bool failed = failure < reply.failures.size() && reply.failures[failure].row == row;
      failure += failed ? 1 : 0;
      ARROW_RETURN_NOT_OK(keep.Append(!failed));
    }
    ARROW_ASSIGN_OR_RAISE(auto mask, keep.Finish());
    ARROW_ASSIGN_OR_RAISE(arrow::Datum kept, arrow::compute::Filter(joined, mask));
    return kept.record_batch();
  }

  Result<std::shared_ptr<arrow::RecordBatch>> JoinTable(const std::shared_ptr<arrow::RecordBatch>& rows,
                                                        const CallReply& reply) {
    if (reply.rows->num_columns() == 0 || reply.rows->column(0)->type_id() != arrow::Type::INT64) {
      return JobError(fmt::format("{}: a reply does not say which rows it answers", options_.name));
    }
    const auto& parents = static_cast<const arrow::Int64Array&>(*reply.rows->column(0));
    arrow::Int64Builder parent_rows;
    arrow::Int64Builder reply_rows;
    arrow::Int64Builder ordinals;  // of the replies among those of their rows
    int64_t next = 0;
    int64_t ordinal = 0;
    size_t failure = 0;
    const auto fill = [&](int64_t until) -> Status {  // rows for which nothing came
      for (; next < until; ++next) {
        while (failure < reply.failures.size() && reply.failures[failure].row < next) ++failure;
        const bool failed = failure < reply.failures.size() && reply.failures[failure].row == next;
        if (options_.ignore_empty || (failed && options_.on_error == "dead_letter")) continue;
        ARROW_RETURN_NOT_OK(parent_rows.Append(next));
        ARROW_RETURN_NOT_OK(reply_rows.AppendNull());
        ARROW_RETURN_NOT_OK(ordinals.Append(0));
      }
      return Status::OK();
    };
    for (int64_t i = 0; i < parents.length(); ++i) {
      const int64_t parent = parents.Value(i);
      if (parents.IsNull(i) || parent < std::max<int64_t>(0, next - 1) || parent >= rows->num_rows()) {
        return JobError(fmt::format("{}: a reply names row {} of {}", options_.name, parent, rows->num_rows()));
      }
      if (parent >= next) {
        ARROW_RETURN_NOT_OK(fill(parent));
        next = parent + 1;
        ordinal = 0;
      }
      ARROW_RETURN_NOT_OK(parent_rows.Append(parent));
      ARROW_RETURN_NOT_OK(reply_rows.Append(i));
      ARROW_RETURN_NOT_OK(ordinals.Append(ordinal++));
    }
    ARROW_RETURN_NOT_OK(fill(rows->num_rows()));
    ARROW_ASSIGN_OR_RAISE(auto parent_indices, parent_rows.Finish());
    ARROW_ASSIGN_OR_RAISE(auto reply_indices, reply_rows.Finish());
    ARROW_ASSIGN_OR_RAISE(auto reply_ordinals, ordinals.Finish());
    arrow::ArrayVector columns;
    for (int i = 0; i < rows->num_columns(); ++i) {
      ARROW_ASSIGN_OR_RAISE(arrow::Datum taken, arrow::compute::Take(rows->column(i), parent_indices));
      columns.push_back(taken.make_array());
      if (i == options_.origin) {
        ARROW_ASSIGN_OR_RAISE(columns.back(), ExtendedOrigins(*columns.back(), *reply_ordinals));
      }
    }
    for (int i = 1; i < reply.rows->num_columns(); ++i) {
      ARROW_ASSIGN_OR_RAISE(arrow::Datum taken, arrow::compute::Take(reply.rows->column(i), reply_indices));
      columns.push_back(taken.make_array());
    }
    ARROW_RETURN_NOT_OK(KeepLast(&columns));
    return arrow::RecordBatch::Make(output_, parent_indices->length(), std::move(columns));
  }

  // A function over whole rows gives only its own columns, and behind the origin that the input has last, if it has one.
  Status KeepLast(arrow::ArrayVector* columns) const {
    const auto wanted = static_cast<size_t>(output_->num_fields());
    if (columns->size() < wanted) return JobError(fmt::format("{}: a reply has too few columns", options_.name));
    columns->erase(columns->begin(), columns->end() - static_cast<std::ptrdiff_t>(wanted));
    return Status::OK();
  }

  CallOptions options_;
  Columns input_;
  std::shared_ptr<arrow::Schema> output_;
  OperatorContext* context_ = nullptr;
  PendingBatches<OpenCall> pending_;
  int64_t rows_in_flight_ = 0;
  int64_t offset_ = 0;  // into the batch that is being sent; the driver gives it again
  int64_t bytes_held_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeCall(CallOptions options, Columns input, std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<CallOperator>(std::move(options), std::move(input), std::move(output));
}

}  // namespace mainstem
