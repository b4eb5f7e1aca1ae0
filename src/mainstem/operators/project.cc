#include "mainstem/operators/project.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "mainstem/functions/expression_program.h"
#include "mainstem/operators/dead_letter.h"
#include "mainstem/operators/slice_size.h"

namespace mainstem {
namespace {

// Evaluates a program slice by slice, so that what it makes stays within the wanted bytes.
class ProgramOperator : public Operator {
 public:
  ProgramOperator(std::vector<BoundExpressionPtr> expressions, Columns input)
      : expressions_(std::move(expressions)), input_(std::move(input)) {}

  Status Open(OperatorContext& context) override {
    ARROW_ASSIGN_OR_RAISE(program_, ExpressionProgram::Make(expressions_, input_, context.pool()));
    context.state().Number("offset", &offset_);
    slice_ = std::make_unique<SliceSize>(program_->cost(), program_->has_row_steps(), context.target_batch_bytes());
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    const int64_t total = batch.rows->num_rows();
    const auto slice = batch.rows->Slice(offset_, slice_->rows());
    offset_ += slice->num_rows();
    ARROW_ASSIGN_OR_RAISE(ProgramResult result, program_->Evaluate(slice));
    for (const RowFault& fault : result.faults) output.SetAside(MakeDeadLetter(input_, *slice, fault));
    ARROW_ASSIGN_OR_RAISE(auto rows, Finish(slice, result));
    slice_->Measured(slice->num_rows(), program_->has_row_steps() ? BytesOf(*rows) : 0);
    const bool done = offset_ >= total;
    if (rows->num_rows() > 0 || done) {
      output.Emit({.rows = std::move(rows), .order = batch.order, .last_of_order = done && batch.last_of_order});
    }
    if (!done) return Progress::kMore;
    offset_ = 0;
    return Progress::kDone;
  }

 protected:
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Finish(const std::shared_ptr<arrow::RecordBatch>& slice,
                                                             const ProgramResult& result) = 0;

 private:
  std::vector<BoundExpressionPtr> expressions_;
  Columns input_;
  std::unique_ptr<ExpressionProgram> program_;
  std::unique_ptr<SliceSize> slice_;
  int64_t offset_ = 0;  // into the batch that is being worked on; the driver gives it again
};

class Project : public ProgramOperator {
 public:
  Project(std::vector<BoundExpressionPtr> expressions, Columns input, std::shared_ptr<arrow::Schema> output)
      : ProgramOperator(std::move(expressions), std::move(input)), output_(std::move(output)) {}

 protected:
  Result<std::shared_ptr<arrow::RecordBatch>> Finish(const std::shared_ptr<arrow::RecordBatch>& slice,
                                                     const ProgramResult& result) override {
    const int64_t rows = slice->num_rows() - static_cast<int64_t>(result.faults.size());
    return arrow::RecordBatch::Make(output_, rows, result.columns);
  }

 private:
  std::shared_ptr<arrow::Schema> output_;
};

class Filter : public ProgramOperator {
 public:
  using ProgramOperator::ProgramOperator;

 protected:
  Result<std::shared_ptr<arrow::RecordBatch>> Finish(const std::shared_ptr<arrow::RecordBatch>& slice,
                                                     const ProgramResult& result) override {
    std::shared_ptr<arrow::Array> keep = result.columns[0];
    if (!result.faults.empty()) {
      // Rows that were set aside are missing from the mask: put a false in their places.
      arrow::BooleanBuilder builder;
      const auto& mask = static_cast<const arrow::BooleanArray&>(*keep);
      size_t fault = 0;
      int64_t position = 0;
      for (int64_t row = 0; row < slice->num_rows(); ++row) {
        if (fault < result.faults.size() && result.faults[fault].row == row) {
          ++fault;
          ARROW_RETURN_NOT_OK(builder.Append(false));
        } else {
          ARROW_RETURN_NOT_OK(builder.Append(mask.IsValid(position) && mask.Value(position)));
          ++position;
        }
      }
      ARROW_ASSIGN_OR_RAISE(keep, builder.Finish());
    }
    if (static_cast<const arrow::BooleanArray&>(*keep).true_count() == slice->num_rows()) return slice;
    ARROW_ASSIGN_OR_RAISE(arrow::Datum kept, arrow::compute::Filter(slice, keep));
    return kept.record_batch();
  }
};

}  // namespace

Result<std::unique_ptr<Operator>> MakeProject(std::vector<BoundExpressionPtr> expressions, Columns input,
                                              std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<Project>(std::move(expressions), std::move(input), std::move(output));
}

Result<std::unique_ptr<Operator>> MakeFilter(BoundExpressionPtr predicate, Columns input) {
  if (!predicate->type.IsBoolean()) {
    return JobError("filter takes a condition, not a " + predicate->type.ToString());
  }
  return std::make_unique<Filter>(std::vector<BoundExpressionPtr>{std::move(predicate)}, std::move(input));
}

}  // namespace mainstem
