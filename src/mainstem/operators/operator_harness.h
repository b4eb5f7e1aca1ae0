// Test-only: a driver that gives one operator events by hand and collects what it makes.
#pragma once

#include <arrow/api.h>
#include <arrow/compute/initialize.h>

#include <map>
#include <memory>
#include <vector>

#include "mainstem/functions/expression_harness.h"
#include "mainstem/operators/operator.h"

namespace mainstem::testing {

/// Arrow's kernels are there whichever test runs first, or alone.
inline const bool kKernelsReady = arrow::compute::Initialize().ok();

class OperatorHarness : public OperatorContext, public Output {
 public:
  explicit OperatorHarness(std::unique_ptr<Operator> tested) : tested_(std::move(tested)) {}

  // OperatorContext
  arrow::MemoryPool* pool() override { return arrow::default_memory_pool(); }
  int64_t target_batch_bytes() const override { return target_bytes; }
  int64_t holding_limit_bytes() const override { return holding_limit; }
  DeclaredState& state() override { return state_; }
  int64_t StartCall(std::shared_ptr<arrow::RecordBatch> rows) override {
    calls[next_id_] = std::move(rows);
    return next_id_++;
  }
  int64_t rows_in_flight_limit() const override { return rows_limit; }
  int64_t StartFetch(FileReference file) override {
    fetches[next_id_] = std::move(file);
    return next_id_++;
  }
  void StartCompute(std::function<Result<std::shared_ptr<arrow::Table>>()> work) override {
    computed = work();
  }

  // Output
  bool HasRoom() const override { return room > 0; }
  void Emit(Batch batch) override {
    --room;
    EXPECT_TRUE(batch.rows->ValidateFull().ok()) << batch.rows->ValidateFull();
    emitted.push_back(std::move(batch));
  }
  void SetAside(DeadLetter letter) override { letters.push_back(std::move(letter)); }

  Status Open() { return tested_->Open(*this); }
  /// Gives the batch until it is dealt with, or blocked. Counts the steps.
  Result<Progress> Feed(const Batch& batch) {
    while (true) {
      ++steps;
      ARROW_ASSIGN_OR_RAISE(const Progress progress, tested_->ProcessBatch(batch, *this));
      if (progress != Progress::kMore) return progress;
    }
  }
  Result<Progress> Feed(const Rows& rows, int64_t order = 0, bool last = true) {
    return Feed(Batch{.rows = rows.batch, .order = order, .last_of_order = last});
  }
  Result<Progress> Advance() { return tested_->Advance(*this); }
  Operator& tested() { return *tested_; }

  /// Everything that was emitted, one after the other.
  std::shared_ptr<arrow::Table> Table() const {
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    for (const Batch& batch : emitted) batches.push_back(batch.rows);
    return *(*arrow::Table::FromRecordBatches(batches))->CombineChunks();
  }
  std::shared_ptr<arrow::Array> Column(const std::string& name) const {
    const auto column = Table()->GetColumnByName(name);
    return column->num_chunks() == 0 ? *arrow::MakeEmptyArray(column->type()) : column->chunk(0);
  }
  void ExpectColumn(const std::string& name, const std::string& type, const std::string& cells) const {
    EXPECT_TRUE(Column(name)->Equals(*Cells(type, cells))) << name << ": " << Column(name)->ToString();
  }

  int64_t target_bytes = 1 << 20;
  int64_t holding_limit = 1 << 30;
  int64_t rows_limit = 1000;
  int room = 1'000'000;
  int steps = 0;
  std::vector<Batch> emitted;
  std::vector<DeadLetter> letters;
  std::map<int64_t, std::shared_ptr<arrow::RecordBatch>> calls;
  std::map<int64_t, FileReference> fetches;
  std::optional<Result<std::shared_ptr<arrow::Table>>> computed;

 private:
  std::unique_ptr<Operator> tested_;
  DeclaredState state_;
  int64_t next_id_ = 1;
};

}  // namespace mainstem::testing
