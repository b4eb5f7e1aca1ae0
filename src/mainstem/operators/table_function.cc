#include "mainstem/operators/table_function.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "mainstem/data/cell_reader.h"
#include "mainstem/data/column_writer.h"
#include "mainstem/data/row_origin.h"
#include "mainstem/functions/expression_program.h"
#include "mainstem/operators/dead_letter.h"

namespace mainstem {
namespace {

class TableFunction : public Operator {
 public:
  TableFunction(TableFunctionOptions options, Columns input, std::shared_ptr<arrow::Schema> output)
      : options_(std::move(options)), input_(std::move(input)), output_(std::move(output)) {}

  Status Open(OperatorContext& context) override {
    target_bytes_ = context.target_batch_bytes();
    // A kernel in the middle of a row has no state that could be kept: a restored one begins the row again and passes
    // over what it has given already.
    context.state().Number("row", &row_);
    context.state().Form([this](Snapshot& to) { to.numbers["given"] = started_ ? emitted_ : 0; },
                         [this](Snapshot& from) {
                           to_pass_ = from.Number("given");
                           return Status::OK();
                         });
    ARROW_ASSIGN_OR_RAISE(arguments_, ExpressionProgram::Make(options_.arguments, input_, context.pool()));
    ARROW_ASSIGN_OR_RAISE(kernel_, options_.function->make_table_kernel(options_.signature));
    for (const LogicalType& type : options_.signature.arguments) {
      ARROW_ASSIGN_OR_RAISE(CellReader reader, CellReader::Make(type));
      readers_.push_back(std::move(reader));
    }
    for (const OutputColumn& column : options_.outputs) {
      ARROW_ASSIGN_OR_RAISE(auto writer, ColumnWriter::Make(column.type, context.pool()));
      writers_.push_back(std::move(writer));
    }
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    const int64_t total = batch.rows->num_rows();
    // One step makes a batch of bounded bytes and rows; decoding one row's part is the unit of work.
    int64_t steps = 0;
    while (row_ < total && !Full() && steps++ < kStepsAtOnce) {
      if (!started_) {
        ARROW_RETURN_NOT_OK(StartRow(batch, output));
        if (!started_) continue;
      }
      ARROW_RETURN_NOT_OK(NextRow(batch, output));
    }
    const bool done = row_ >= total;
    if (parents_.length() > 0 || done) {
      ARROW_ASSIGN_OR_RAISE(auto rows, Flush(*batch.rows));
      output.Emit({.rows = std::move(rows), .order = batch.order, .last_of_order = done && batch.last_of_order});
    }
    if (!done) return Progress::kMore;
    row_ = 0;
    return Progress::kDone;
  }

 private:
  static constexpr int64_t kRowsOut = 4096;
  static constexpr int64_t kStepsAtOnce = 64;  // keeps a step short, so that cancelling is quick

  bool Full() const {
    int64_t bytes = kept_bytes_;
    for (const auto& writer : writers_) bytes += writer->bytes();
    return bytes >= target_bytes_ || parents_.length() >= kRowsOut;
  }

  // Evaluates the arguments of the current row alone, so that a large argument (a PDF) exists once.
  Status StartRow(const Batch& batch, Output& output) {
    const auto slice = batch.rows->Slice(row_, 1);
    ARROW_ASSIGN_OR_RAISE(ProgramResult arguments, arguments_->Evaluate(slice));
    if (!arguments.faults.empty()) {
      output.SetAside(MakeDeadLetter(input_, *slice, arguments.faults[0]));
      ++row_;
      return Status::OK();
    }
    std::vector<Value> values;
    for (size_t i = 0; i < readers_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(Value value, readers_[i].Read(arguments.columns[i], 0));
      values.push_back(std::move(value));
    }
    emitted_ = 0;
    arrow::FieldVector kept_fields;
    arrow::ArrayVector kept;
    for (const int column : options_.kept) {
      kept_fields.push_back(slice->schema()->field(column));
      kept.push_back(slice->column(column));
    }
    kept_row_bytes_ = BytesOf(*arrow::RecordBatch::Make(arrow::schema(kept_fields), 1, kept));
    if (!values.empty() && values[0].is_null()) return EndRow();
    started_ = true;
    const Status status = kernel_->Start(values);
    return status.ok() ? status : Failed(status, batch, output);
  }

  Status NextRow(const Batch& batch, Output& output) {
    auto next = kernel_->Next();
    if (!next.ok()) return Failed(next.status(), batch, output);
    if (!next->has_value()) return EndRow();
    if (emitted_ < to_pass_) {
      ++emitted_;
      return Status::OK();
    }
    const std::vector<Value>& values = **next;
    for (size_t i = 0; i < writers_.size(); ++i) ARROW_RETURN_NOT_OK(writers_[i]->Append(values[i]));
    ARROW_RETURN_NOT_OK(ordinals_.Append(emitted_++));
    kept_bytes_ += kept_row_bytes_;
    return parents_.Append(row_);
  }

  Status EndRow() {
    if (emitted_ == 0 && !options_.ignore_empty) {
      for (const auto& writer : writers_) ARROW_RETURN_NOT_OK(writer->AppendNull());
      ARROW_RETURN_NOT_OK(ordinals_.Append(0));
      ARROW_RETURN_NOT_OK(parents_.Append(row_));
    }
    started_ = false;
    to_pass_ = 0;
    ++row_;
    return Status::OK();
  }

  // Rows that came before the damage stay; the policy decides about the rest.
  Status Failed(const Status& status, const Batch& batch, Output& output) {
    const std::string input = DescribeInput(input_, *batch.rows, row_);
    const Status named = WithContext(status, input.empty() ? options_.function->name
                                                           : input + ": " + options_.function->name);
    const auto& options = options_.signature.options;
    const std::string policy = options.MaybeString("on_error").value_or("raise");
    if (ClassOf(status) != ErrorClass::kRow || policy == "raise") return named;
    if (policy == "dead_letter") {
      output.SetAside(MakeDeadLetter(input_, *batch.rows,
                                     {.row = row_, .function = options_.function->name, .input = input,
                                      .reason = status.message()}));
    }
    started_ = false;
    to_pass_ = 0;
    ++row_;
    return Status::OK();
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Flush(const arrow::RecordBatch& rows) {
    ARROW_ASSIGN_OR_RAISE(auto parents, parents_.Finish());
    ARROW_ASSIGN_OR_RAISE(auto ordinals, ordinals_.Finish());
    kept_bytes_ = 0;
    arrow::ArrayVector columns;
    for (const int kept : options_.kept) {
      ARROW_ASSIGN_OR_RAISE(arrow::Datum taken, arrow::compute::Take(rows.column(kept), parents));
      columns.push_back(taken.make_array());
      if (kept == options_.origin) {
        ARROW_ASSIGN_OR_RAISE(columns.back(), ExtendedOrigins(*columns.back(), *ordinals));
      }
    }
    for (const auto& writer : writers_) {
      ARROW_ASSIGN_OR_RAISE(auto column, writer->Finish());
      columns.push_back(std::move(column));
    }
    return arrow::RecordBatch::Make(output_, parents->length(), std::move(columns));
  }

  TableFunctionOptions options_;
  Columns input_;
  std::shared_ptr<arrow::Schema> output_;
  int64_t target_bytes_ = 0;
  std::unique_ptr<ExpressionProgram> arguments_;
  std::unique_ptr<TableKernel> kernel_;
  std::vector<CellReader> readers_;
  std::vector<std::unique_ptr<ColumnWriter>> writers_;
  arrow::Int64Builder parents_;
  arrow::Int64Builder ordinals_;  // of the rows among those of their parents
  int64_t row_ = 0;
  int64_t emitted_ = 0;
  int64_t to_pass_ = 0;  // rows of the current one that were given before a restore
  int64_t kept_row_bytes_ = 0;  // of the row that is worked on: repeated with every row that it gives
  int64_t kept_bytes_ = 0;      // in the batch that is being made
  bool started_ = false;
};

}  // namespace

Result<std::unique_ptr<Operator>> MakeTableFunction(TableFunctionOptions options, Columns input,
                                                    std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<TableFunction>(std::move(options), std::move(input), std::move(output));
}

}  // namespace mainstem
