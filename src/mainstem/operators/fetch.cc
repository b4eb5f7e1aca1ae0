#include "mainstem/operators/fetch.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <optional>
#include <vector>

#include "mainstem/data/cell_reader.h"
#include "mainstem/data/column_writer.h"
#include "mainstem/functions/expression_program.h"
#include "mainstem/operators/dead_letter.h"
#include "mainstem/operators/pending.h"

namespace mainstem {
namespace {

struct Fetching {
  Batch batch;
  std::vector<std::optional<FileReference>> files;  // with bytes once they are there
  std::vector<std::optional<Status>> errors;
  std::unordered_map<int64_t, size_t> row_of;
  size_t outstanding = 0;
  int64_t bytes = 0;  // that have been fetched

  bool complete() const { return outstanding == 0; }
};

class Fetch : public Operator {
 public:
  Fetch(FetchOptions options, Columns input, std::shared_ptr<arrow::Schema> output)
      : options_(std::move(options)), input_(std::move(input)), output_(std::move(output)) {}

  Status Open(OperatorContext& context) override {
    context_ = &context;
    ARROW_ASSIGN_OR_RAISE(CellReader reader, CellReader::Make(LogicalType::File()));
    reader_ = std::make_unique<CellReader>(std::move(reader));
    context.state().Number("offset", &offset_);
    // Files name their version, so what is on its way is fetched again and not kept.
    context.state().Form(
        [this](Snapshot& to) {
          for (const Fetching& entry : pending_.entries()) to.batches["files"].push_back(entry.batch);
        },
        [this](Snapshot& from) {
          for (Batch& batch : from.Take("files")) ARROW_RETURN_NOT_OK(Start(std::move(batch)));
          return Status::OK();
        });
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    const int64_t total = batch.rows->num_rows();
    const int64_t rows = std::min(kRowsAtOnce, total - offset_);
    if (outstanding_ > 0 && outstanding_ + static_cast<size_t>(rows) > kMostOutstanding) return Progress::kBlocked;
    // Files that wait for an earlier one are held too: one slow server must not collect all the others behind it.
    if (!pending_.empty() && (bytes_held_ > kBatchesHeld * context_->target_batch_bytes() ||
                              pending_.size() >= kMostOutstanding)) {
      return Progress::kBlocked;
    }
    const bool last = offset_ + rows >= total;
    Batch part{.rows = batch.rows->Slice(offset_, rows),
               .order = batch.order,
               .last_of_order = last && batch.last_of_order};
    offset_ = last ? 0 : offset_ + rows;
    ARROW_RETURN_NOT_OK(Start(std::move(part)));
    return last ? Progress::kDone : Progress::kMore;
  }

  Status OnFetched(int64_t id, Result<Bytes> bytes) override {
    Fetching* entry = pending_.Answered(id);
    if (entry == nullptr) return Status::OK();
    const size_t row = entry->row_of.at(id);
    if (bytes.ok()) {
      entry->files[row]->data = bytes.MoveValueUnsafe();
      entry->files[row]->offset = 0;
      entry->files[row]->length = static_cast<int64_t>(entry->files[row]->data->size());
      entry->bytes += entry->files[row]->length;
      bytes_held_ += entry->files[row]->length;
    } else {
      entry->errors[row] = bytes.status();
    }
    --entry->outstanding;
    --outstanding_;
    return Status::OK();
  }

  Result<Progress> Advance(Output& output) override {
    while (!pending_.empty() && pending_.front().complete()) {
      if (!output.HasRoom()) return Progress::kMore;
      ARROW_RETURN_NOT_OK(EmitFront(output));
      bytes_held_ -= pending_.front().bytes;
      pending_.PopFront();
    }
    return pending_.empty() ? Progress::kDone : Progress::kBlocked;
  }

 private:
  static constexpr int64_t kRowsAtOnce = 16;
  static constexpr size_t kMostOutstanding = 128;
  static constexpr int64_t kBatchesHeld = 8;  // times the wanted bytes of a batch

  // Asks for the files of a batch and puts it behind those that wait.
  Status Start(Batch batch) {
    const auto rows = static_cast<size_t>(batch.rows->num_rows());
    Fetching entry{.batch = std::move(batch)};
    entry.files.resize(rows);
    entry.errors.resize(rows);
    Fetching& added = pending_.Add(std::move(entry));
    const auto& column = added.batch.rows->column(options_.column);
    for (size_t row = 0; row < rows; ++row) {
      ARROW_ASSIGN_OR_RAISE(Value value, reader_->Read(column, static_cast<int64_t>(row)));
      if (value.is_null()) continue;
      added.files[row] = value.As<FileReference>();
      if (added.files[row]->data) continue;
      const int64_t id = context_->StartFetch(*added.files[row]);
      pending_.Expect(id);
      added.row_of[id] = row;
      ++added.outstanding;
      ++outstanding_;
    }
    return Status::OK();
  }

  Status EmitFront(Output& output) {
    Fetching& entry = pending_.front();
    ARROW_ASSIGN_OR_RAISE(auto writer, ColumnWriter::Make(LogicalType::File(), context_->pool()));
    arrow::BooleanBuilder keep_builder;
    bool all_kept = true;
    for (size_t row = 0; row < entry.files.size(); ++row) {
      bool keep = true;
      if (entry.errors[row]) {
        const Status& error = *entry.errors[row];
        const std::string input = Escaped(entry.files[row]->uri);
        if (ClassOf(error) != ErrorClass::kRow || options_.on_error == "raise") return error;
        if (options_.on_error == "dead_letter") {
          keep = false;
          output.SetAside(MakeDeadLetter(input_, *entry.batch.rows,
                                         {.row = static_cast<int64_t>(row), .function = "file.bytes", .input = input,
                                          .reason = error.message()}));
        }
      }
      all_kept &= keep;
      ARROW_RETURN_NOT_OK(keep_builder.Append(keep));
      const bool missing = !entry.files[row] || entry.errors[row];
      ARROW_RETURN_NOT_OK(missing ? writer->AppendNull() : writer->Append(Value(*entry.files[row])));
      if (entry.files[row]) entry.files[row]->data.reset();  // two copies of a large file would be one too many
    }
    ARROW_ASSIGN_OR_RAISE(auto fetched, writer->Finish());
    auto columns = entry.batch.rows->columns();
    columns.push_back(std::move(fetched));
    auto rows = arrow::RecordBatch::Make(output_, entry.batch.rows->num_rows(), std::move(columns));
    if (!all_kept) {
      ARROW_ASSIGN_OR_RAISE(auto keep, keep_builder.Finish());
      ARROW_ASSIGN_OR_RAISE(arrow::Datum kept, arrow::compute::Filter(rows, keep));
      rows = kept.record_batch();
    }
    output.Emit({.rows = std::move(rows), .order = entry.batch.order, .last_of_order = entry.batch.last_of_order});
    return Status::OK();
  }

  FetchOptions options_;
  Columns input_;
  std::shared_ptr<arrow::Schema> output_;
  OperatorContext* context_ = nullptr;
  std::unique_ptr<CellReader> reader_;
  PendingBatches<Fetching> pending_;
  size_t outstanding_ = 0;
  int64_t bytes_held_ = 0;
  int64_t offset_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeFetch(FetchOptions options, Columns input, std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<Fetch>(std::move(options), std::move(input), std::move(output));
}

}  // namespace mainstem
