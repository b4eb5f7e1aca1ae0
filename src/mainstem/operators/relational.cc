#include "mainstem/operators/relational.h"

#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fmt/format.h>

#include "mainstem/base/quantity.h"
#include "mainstem/base/suggestion.h"

namespace mainstem {
namespace {

class Relational : public Operator {
 public:
  Relational(std::shared_ptr<RelationalStep> step, std::vector<std::shared_ptr<arrow::Schema>> inputs,
             std::shared_ptr<arrow::Schema> output)
      : step_(std::move(step)), schemas_(std::move(inputs)), output_(std::move(output)), batches_(schemas_.size()) {}

  Status Open(OperatorContext& context) override {
    context_ = &context;
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    if (batch.rows->num_rows() == 0) return Progress::kDone;
    bytes_ += BytesOf(*batch.rows);
    // The result exists beside the input for a moment, hence half.
    if (bytes_ > context_->holding_limit_bytes() / 2) {
      return JobError(fmt::format("{} has to hold its input and that is more than {}, half of the memory budget; "
                                  "select fewer columns, filter earlier, or raise memory_budget",
                                  step_->name(), FormatBytes(context_->holding_limit_bytes() / 2)));
    }
    batches_[static_cast<size_t>(batch.input)].push_back(batch.rows);
    return Progress::kDone;
  }

  Status EndInput() override {
    std::vector<std::shared_ptr<arrow::Table>> tables;
    for (size_t i = 0; i < batches_.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(auto table, arrow::Table::FromRecordBatches(schemas_[i], std::move(batches_[i])));
      tables.push_back(std::move(table));
    }
    batches_.clear();
    computing_ = true;
    context_->StartCompute([step = step_, tables = std::move(tables)]() mutable { return step->Run(tables); });
    return Status::OK();
  }

  Status OnComputed(Result<std::shared_ptr<arrow::Table>> table) override {
    computing_ = false;
    if (!table.ok()) return WithContext(table.status(), step_->name());
    result_ = table.MoveValueUnsafe();
    reader_ = std::make_unique<arrow::TableBatchReader>(*result_);
    reader_->set_chunksize(kRowsOut);
    return Status::OK();
  }

  Result<Progress> Advance(Output& output) override {
    if (computing_) return Progress::kBlocked;
    while (reader_) {
      if (!output.HasRoom()) return Progress::kMore;
      ARROW_ASSIGN_OR_RAISE(auto rows, reader_->Next());
      if (!rows) {
        reader_.reset();
        result_.reset();
        break;
      }
      // Metadata that says what a column means comes from the plan, not from the executor.
      output.Emit({.rows = arrow::RecordBatch::Make(output_, rows->num_rows(), rows->columns()), .order = order_++});
    }
    return Progress::kDone;
  }

 private:
  static constexpr int64_t kRowsOut = 65536;

  std::shared_ptr<RelationalStep> step_;
  std::vector<std::shared_ptr<arrow::Schema>> schemas_;
  std::shared_ptr<arrow::Schema> output_;
  OperatorContext* context_ = nullptr;
  std::vector<arrow::RecordBatchVector> batches_;
  int64_t bytes_ = 0;
  bool computing_ = false;
  std::shared_ptr<arrow::Table> result_;
  std::unique_ptr<arrow::TableBatchReader> reader_;
  int64_t order_ = 0;
};

}  // namespace

Result<JoinKind> ParseJoinKind(const std::string& name) {
  static const std::vector<std::string> kNames = {"inner", "left", "right", "outer", "semi", "anti", "cross", "full"};
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return name == "full" ? JoinKind::kOuter : static_cast<JoinKind>(i);
  }
  return JobError(fmt::format("there is no join '{}'.{}", Escaped(name), Suggestion(name, kNames)));
}

std::unique_ptr<Operator> MakeRelational(std::shared_ptr<RelationalStep> step,
                                         std::vector<std::shared_ptr<arrow::Schema>> inputs,
                                         std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<Relational>(std::move(step), std::move(inputs), std::move(output));
}

}  // namespace mainstem
