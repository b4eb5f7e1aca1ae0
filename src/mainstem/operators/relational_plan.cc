#include "mainstem/operators/relational_plan.h"

#include <arrow/acero/options.h>
#include <arrow/array.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/exec.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/util/thread_pool.h>
#include <fmt/format.h>

#include <mutex>

#include "mainstem/base/quantity.h"

namespace mainstem {
namespace {

namespace ac = arrow::acero;
namespace cp = arrow::compute;

// How long nobody looks whether the step has to stop.
constexpr double kLookEveryS = 0.05;

// Takes what a plan makes, from several of Acero's threads at once. An error from here ends the plan, and where one row
// meets millions it is the only thing that does: Acero does not look up from a batch before it has passed all of it on.
class Collector : public ac::SinkNodeConsumer {
 public:
  explicit Collector(const StepBounds& bounds) : bounds_(bounds) {}

  Status Init(const std::shared_ptr<arrow::Schema>& schema, ac::BackpressureControl*, ac::ExecPlan*) override {
    schema_ = schema;
    return Status::OK();
  }

  Status Consume(cp::ExecBatch batch) override {
    ARROW_RETURN_NOT_OK(CheckStop(bounds_));
    const std::lock_guard lock(mutex_);
    bytes_ += batch.TotalBufferSize();
    ARROW_RETURN_NOT_OK(CheckResultBytes(bytes_, bounds_));
    ARROW_ASSIGN_OR_RAISE(auto rows, batch.ToRecordBatch(schema_));
    batches_.push_back(std::move(rows));
    return Status::OK();
  }

  arrow::Future<> Finish() override { return arrow::Future<>::MakeFinished(); }

  /// Once the plan has finished.
  Result<TablePtr> Table() const { return arrow::Table::FromRecordBatches(schema_, batches_); }

 private:
  const StepBounds bounds_;
  std::shared_ptr<arrow::Schema> schema_;
  std::mutex mutex_;
  int64_t bytes_ = 0;
  arrow::RecordBatchVector batches_;
};

Result<TablePtr> SelectNamed(const arrow::Table& table, const std::vector<std::string>& names) {
  std::vector<int> indices;
  for (const std::string& name : names) indices.push_back(table.schema()->GetFieldIndex(name));
  return table.SelectColumns(indices);
}

}  // namespace

Status CheckStop(const StepBounds& bounds) {
  return bounds.stop && bounds.stop->load(std::memory_order_relaxed) ? CancelledError("the job was cancelled")
                                                                     : Status::OK();
}

Status CheckResultBytes(int64_t bytes, const StepBounds& bounds) {
  if (bytes <= bounds.result_bytes_max) return Status::OK();
  return JobError(fmt::format("the result is larger than {}, half of what may be held within the memory budget; select "
                              "fewer columns, filter earlier, or raise memory_budget",
                              FormatBytes(bounds.result_bytes_max)));
}

Result<TablePtr> RunPlan(const ac::Declaration& plan, const StepBounds& bounds, bool in_order) {
  std::shared_ptr<arrow::internal::ThreadPool> single;
  if (in_order) {
    ARROW_ASSIGN_OR_RAISE(single, arrow::internal::ThreadPool::Make(1));
  }
  cp::ExecContext context(arrow::default_memory_pool(), in_order ? single.get() : arrow::internal::GetCpuThreadPool());
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<ac::ExecPlan> running, ac::ExecPlan::Make(context));
  const auto collector = std::make_shared<Collector>(bounds);
  const ac::Declaration whole =
      ac::Declaration::Sequence({plan, {"consuming_sink", ac::ConsumingSinkNodeOptions(collector)}});
  ARROW_RETURN_NOT_OK(whole.AddToPlan(running.get()).status());
  ARROW_RETURN_NOT_OK(running->Validate());
  running->StartProducing();
  bool stopped = false;
  while (!running->finished().Wait(kLookEveryS)) {
    if (stopped || CheckStop(bounds).ok()) continue;
    running->StopProducing();
    stopped = true;
  }
  ARROW_RETURN_NOT_OK(CheckStop(bounds));
  ARROW_RETURN_NOT_OK(running->finished().status());
  return collector->Table();
}

Result<std::shared_ptr<arrow::Array>> RowNumbers(int64_t count) {
  ARROW_ASSIGN_OR_RAISE(std::unique_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(count * static_cast<int64_t>(sizeof(int64_t))));
  auto* numbers = reinterpret_cast<int64_t*>(buffer->mutable_data());
  for (int64_t i = 0; i < count; ++i) numbers[i] = i;
  return std::make_shared<arrow::Int64Array>(count, std::shared_ptr<arrow::Buffer>(std::move(buffer)));
}

Result<TablePtr> KeysAndRows(const arrow::Table& table, const std::vector<std::string>& keys, const std::string& prefix) {
  ARROW_ASSIGN_OR_RAISE(TablePtr selected, SelectNamed(table, keys));
  std::vector<std::string> names;
  for (size_t i = 0; i < keys.size(); ++i) names.push_back(fmt::format("{}k{}", prefix, i));
  ARROW_ASSIGN_OR_RAISE(selected, selected->RenameColumns(names));
  ARROW_ASSIGN_OR_RAISE(auto rows, RowNumbers(table.num_rows()));
  return selected->AddColumn(selected->num_columns(), arrow::field(prefix + kRowNumber, arrow::int64()),
                             std::make_shared<arrow::ChunkedArray>(rows));
}

Result<std::shared_ptr<arrow::Array>> AscendingOrder(const std::shared_ptr<arrow::Array>& rows, int64_t count) {
  constexpr int64_t kSparse = 16;
  if (rows->length() < count / kSparse) return cp::SortIndices(*rows);
  const int64_t* numbers = static_cast<const arrow::Int64Array&>(*rows).raw_values();
  std::vector<int64_t> places(static_cast<size_t>(count), -1);
  for (int64_t i = 0; i < rows->length(); ++i) places[static_cast<size_t>(numbers[i])] = i;
  arrow::Int64Builder order;
  ARROW_RETURN_NOT_OK(order.Reserve(rows->length()));
  for (const int64_t place : places) {
    if (place >= 0) order.UnsafeAppend(place);
  }
  return order.Finish();
}

Result<std::shared_ptr<arrow::Array>> Whole(const arrow::ChunkedArray& column) {
  if (column.num_chunks() == 1) return column.chunk(0);
  if (column.num_chunks() == 0) return arrow::MakeEmptyArray(column.type());
  return arrow::Concatenate(column.chunks());
}

Result<std::shared_ptr<arrow::ChunkedArray>> TakeColumn(const std::shared_ptr<arrow::ChunkedArray>& column,
                                                        const std::shared_ptr<arrow::Array>& rows) {
  // Offsets of small string columns would overflow where the pieces are joined; Take on chunks keeps them apart.
  ARROW_ASSIGN_OR_RAISE(arrow::Datum taken, cp::Take(column, rows, cp::TakeOptions::NoBoundsCheck()));
  return taken.chunked_array();
}

Result<TablePtr> TakeTable(const arrow::Table& table, const std::shared_ptr<arrow::Array>& rows,
                           const StepBounds& bounds) {
  arrow::ChunkedArrayVector columns;
  for (const auto& column : table.columns()) {
    ARROW_RETURN_NOT_OK(CheckStop(bounds));
    ARROW_ASSIGN_OR_RAISE(auto taken, TakeColumn(column, rows));
    columns.push_back(std::move(taken));
  }
  return arrow::Table::Make(table.schema(), std::move(columns), rows->length());
}

}  // namespace mainstem
