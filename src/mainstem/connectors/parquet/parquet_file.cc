#include "mainstem/connectors/parquet/parquet_file.h"

#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>
#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>
#include <parquet/arrow/schema.h>
#include <parquet/metadata.h>
#include <parquet/statistics.h>

#include <algorithm>
#include <exception>

namespace mainstem {
namespace {

constexpr int64_t kBatchRowsMax = 64 << 10;
constexpr int64_t kBatchBytes = 16 << 20;

Status Damaged(const ListedFile& file, std::string_view why) {
  return JobError(fmt::format("cannot read '{}' as Parquet: {}", Escaped(file.uri, 1000), Escaped(why, 500)));
}

// Parquet's readers throw in places.
template <typename Call>
Status Guarded(const ListedFile& file, Call call) {
  try {
    const Status status = call();
    return status.ok() ? status : Damaged(file, status.message());
  } catch (const std::exception& error) {
    return Damaged(file, error.what());
  }
}

void AddLeaves(const parquet::arrow::SchemaField& field, std::vector<int>* leaves) {
  if (field.column_index >= 0) leaves->push_back(field.column_index);
  for (const auto& child : field.children) AddLeaves(child, leaves);
}

bool IsTrue(const char* comparison, const std::shared_ptr<arrow::Scalar>& a, const std::shared_ptr<arrow::Scalar>& b) {
  const auto result = arrow::compute::CallFunction(comparison, {a, b});
  if (!result.ok() || !result->is_scalar()) return false;
  const auto& scalar = *result->scalar();
  return scalar.is_valid && scalar.type->id() == arrow::Type::BOOL &&
         static_cast<const arrow::BooleanScalar&>(scalar).value;
}

// No value between the smallest and the largest can be within the bound.
bool RulesOut(const ScanRequest::Bound& bound, const std::shared_ptr<arrow::Scalar>& smallest,
              const std::shared_ptr<arrow::Scalar>& largest) {
  const auto& value = bound.value;
  if (bound.comparison == "equal") return IsTrue("less", value, smallest) || IsTrue("greater", value, largest);
  if (bound.comparison == "less") return IsTrue("greater_equal", smallest, value);
  if (bound.comparison == "less_equal") return IsTrue("greater", smallest, value);
  if (bound.comparison == "greater") return IsTrue("less_equal", largest, value);
  if (bound.comparison == "greater_equal") return IsTrue("less", largest, value);
  return false;
}

// Hands out the batches of a reader; keeps Parquet's exceptions and anonymous errors inside.
class GuardedBatches : public arrow::RecordBatchReader {
 public:
  GuardedBatches(std::unique_ptr<arrow::RecordBatchReader> batches, ListedFile file)
      : batches_(std::move(batches)), file_(std::move(file)) {}
  std::shared_ptr<arrow::Schema> schema() const override { return batches_->schema(); }
  Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    return Guarded(file_, [&] { return batches_->ReadNext(batch); });
  }

 private:
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  const ListedFile file_;
};

}  // namespace

Result<std::unique_ptr<ParquetFile>> ParquetFile::Open(const ListedFile& file, const OpenPolicy& policy,
                                                       std::shared_ptr<parquet::FileMetaData> footer,
                                                       int64_t batch_rows) {
  ARROW_ASSIGN_OR_RAISE(auto input, OpenFile(file, policy));
  std::unique_ptr<ParquetFile> opened(new ParquetFile(file));
  ARROW_RETURN_NOT_OK(Guarded(file, [&]() -> Status {
    parquet::arrow::FileReaderBuilder builder;
    ARROW_RETURN_NOT_OK(builder.Open(std::move(input), parquet::default_reader_properties(), std::move(footer)));
    // One thread: several subtasks read several row groups. What they will need is read ahead in the background.
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_batch_size(std::max<int64_t>(1, batch_rows));
    properties.set_pre_buffer(true);
    builder.properties(properties);
    ARROW_ASSIGN_OR_RAISE(opened->reader_, builder.Build());
    opened->footer_ = opened->reader_->parquet_reader()->metadata();
    return opened->reader_->GetSchema(&opened->schema_);
  }));
  return opened;
}

std::vector<int> ParquetFile::LeavesOf(const std::vector<int>& positions) const {
  std::vector<int> leaves;
  for (const int position : positions) {
    AddLeaves(reader_->manifest().schema_fields[static_cast<size_t>(position)], &leaves);
  }
  std::sort(leaves.begin(), leaves.end());
  return leaves;
}

Result<std::unique_ptr<arrow::RecordBatchReader>> ParquetFile::Read(const std::vector<int>& row_groups,
                                                                    const std::vector<int>& leaves) {
  std::unique_ptr<arrow::RecordBatchReader> batches;
  ARROW_RETURN_NOT_OK(
      Guarded(file_, [&] { return reader_->GetRecordBatchReader(row_groups, leaves).Value(&batches); }));
  return std::make_unique<GuardedBatches>(std::move(batches), file_);
}

bool ParquetFile::IsRuledOut(int row_group, const std::vector<ScanRequest::Bound>& bounds) const {
  if (bounds.empty() || !arrow::compute::Initialize().ok()) return false;
  try {
    const auto group = footer_->RowGroup(row_group);
    for (const ScanRequest::Bound& bound : bounds) {
      const int position = schema_->GetFieldIndex(bound.column);
      if (position < 0 || !bound.value || !bound.value->is_valid) continue;
      const std::vector<int> leaves = LeavesOf({position});
      if (leaves.size() != 1 || schema_->field(position)->type()->num_fields() > 0) continue;
      const auto chunk = group->ColumnChunk(leaves[0]);
      const auto statistics = chunk->statistics();
      if (!statistics || !statistics->HasMinMax()) continue;
      std::shared_ptr<arrow::Scalar> smallest, largest;
      if (!parquet::arrow::StatisticsAsScalars(*statistics, &smallest, &largest).ok()) continue;
      if (RulesOut(bound, smallest, largest)) return true;
    }
  } catch (const std::exception&) {
    // Statistics only save work: damaged ones save none.
  }
  return false;
}

int64_t RowsOfBatch(int64_t bytes, int64_t rows, int64_t batch_rows_wanted) {
  const int64_t row_bytes = std::max<int64_t>(1, bytes / std::max<int64_t>(1, rows));
  const int64_t most = batch_rows_wanted > 0 ? std::min(batch_rows_wanted, kBatchRowsMax) : kBatchRowsMax;
  return std::clamp<int64_t>(kBatchBytes / row_bytes, 1, most);
}

}  // namespace mainstem
