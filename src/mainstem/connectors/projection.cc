#include "mainstem/connectors/projection.h"

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "mainstem/base/suggestion.h"

namespace mainstem {
namespace {

class SlicingReader : public SplitReader {
 public:
  SlicingReader(std::shared_ptr<arrow::RecordBatch> batch, int64_t batch_rows)
      : batch_(std::move(batch)), batch_rows_(batch_rows > 0 ? batch_rows : batch_->num_rows()) {}

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (offset_ >= batch_->num_rows()) return nullptr;
    auto slice = batch_->Slice(offset_, batch_rows_);
    offset_ += slice->num_rows();
    return slice;
  }

  Result<int64_t> Skip(int64_t rows) override {
    offset_ = std::min(rows, batch_->num_rows());
    return offset_;
  }

 private:
  std::shared_ptr<arrow::RecordBatch> batch_;
  const int64_t batch_rows_;
  int64_t offset_ = 0;
};

}  // namespace

Result<std::vector<int>> WantedColumns(const arrow::Schema& schema, const ScanRequest& request) {
  std::vector<int> positions;
  if (request.all_columns) {
    positions.resize(static_cast<size_t>(schema.num_fields()));
    std::iota(positions.begin(), positions.end(), 0);
    return positions;
  }
  for (const std::string& name : request.columns) {
    const auto found = schema.GetAllFieldIndices(name);
    if (found.empty()) {
      return JobError(fmt::format("the source has no column '{}'.{}", Escaped(name),
                                  Suggestion(name, schema.field_names())));
    }
    if (found.size() > 1) return JobError(fmt::format("the source has several columns '{}'", Escaped(name)));
    positions.push_back(found[0]);
  }
  return positions;
}

Result<std::shared_ptr<arrow::Schema>> ProjectedSchema(const std::shared_ptr<arrow::Schema>& schema,
                                                       const ScanRequest& request) {
  ARROW_ASSIGN_OR_RAISE(const auto positions, WantedColumns(*schema, request));
  arrow::FieldVector fields;
  for (const int position : positions) fields.push_back(schema->field(position));
  return arrow::schema(std::move(fields));
}

Result<std::shared_ptr<arrow::RecordBatch>> Projected(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                      const ScanRequest& request) {
  if (request.all_columns) return batch;
  ARROW_ASSIGN_OR_RAISE(const auto positions, WantedColumns(*batch->schema(), request));
  return batch->SelectColumns(positions);
}

std::unique_ptr<SplitReader> OneBatchReader(std::shared_ptr<arrow::RecordBatch> batch, int64_t batch_rows) {
  return std::make_unique<SlicingReader>(std::move(batch), batch_rows);
}

}  // namespace mainstem
