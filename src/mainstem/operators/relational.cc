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

  ~Relational() override { stop_->store(true); }

  Status Open(OperatorContext& context) override {
    context_ = &context;
    context.state().Form([this](Snapshot& to) { Save(to); }, [this](Snapshot& from) { return Load(from); });
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
      ARROW_ASSIGN_OR_RAISE(auto table, arrow::Table::FromRecordBatches(schemas_[i], batches_[i]));
      tables.push_back(std::move(table));
    }
    computing_ = true;
    const StepBounds bounds{.result_bytes_max = context_->holding_limit_bytes() / 2, .stop = stop_};
    context_->StartCompute([step = step_, tables = std::move(tables), bounds] { return step->Run(tables, bounds); });
    return Status::OK();
  }

  Status OnComputed(Result<std::shared_ptr<arrow::Table>> table) override {
    computing_ = false;
    if (!table.ok()) return WithContext(table.status(), step_->name());
    for (auto& batches : batches_) batches.clear();
    result_ = table.MoveValueUnsafe();
    return StartReading();
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
      emitted_ += rows->num_rows();
      output.Emit({.rows = arrow::RecordBatch::Make(output_, rows->num_rows(), rows->columns()), .order = order_++});
    }
    return Progress::kDone;
  }

 private:
  static constexpr int64_t kRowsOut = 65536;

  Status StartReading() {
    reader_ = std::make_unique<arrow::TableBatchReader>(*result_);
    reader_->set_chunksize(kRowsOut);
    return Status::OK();
  }

  // What has been collected, until there is a result; then what has not been handed out of it.
  void Save(Snapshot& to) const {
    to.numbers["computing"] = computing_ ? 1 : 0;
    to.numbers["order"] = order_;
    for (size_t i = 0; i < batches_.size(); ++i) {
      for (const auto& rows : batches_[i]) {
        to.batches["collected"].push_back({.rows = rows, .input = static_cast<int>(i)});
      }
    }
    if (!reader_) return;
    arrow::TableBatchReader rest(result_->Slice(emitted_));
    std::shared_ptr<arrow::RecordBatch> rows;
    while (rest.ReadNext(&rows).ok() && rows) to.batches["result"].push_back({.rows = rows});
  }

  Status Load(Snapshot& from) {
    order_ = from.Number("order");
    for (Batch& batch : from.Take("collected")) {
      const auto input = static_cast<size_t>(batch.input);
      if (input >= batches_.size()) return JobError(fmt::format("{}: a snapshot of another join", step_->name()));
      bytes_ += BytesOf(*batch.rows);
      batches_[input].push_back(std::move(batch.rows));
    }
    arrow::RecordBatchVector rest;
    for (Batch& batch : from.Take("result")) rest.push_back(std::move(batch.rows));
    if (!rest.empty()) {
      ARROW_ASSIGN_OR_RAISE(result_, arrow::Table::FromRecordBatches(rest));
      return StartReading();
    }
    return from.Number("computing") != 0 ? EndInput() : Status::OK();
  }

  std::shared_ptr<RelationalStep> step_;
  std::vector<std::shared_ptr<arrow::Schema>> schemas_;
  std::shared_ptr<arrow::Schema> output_;
  OperatorContext* context_ = nullptr;
  std::vector<arrow::RecordBatchVector> batches_;
  int64_t bytes_ = 0;
  bool computing_ = false;
  std::shared_ptr<std::atomic<bool>> stop_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<arrow::Table> result_;
  std::unique_ptr<arrow::TableBatchReader> reader_;
  int64_t emitted_ = 0;  // rows of the result
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
