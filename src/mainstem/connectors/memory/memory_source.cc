#include "mainstem/connectors/memory/memory_source.h"

#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <arrow/type.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>

#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"
#include "mainstem/connectors/normalization.h"
#include "mainstem/connectors/position.h"
#include "mainstem/connectors/projection.h"

namespace mainstem {
namespace {

constexpr int64_t kSplitRowsMax = 128 << 10;
constexpr int64_t kSplitBytesMax = 32 << 20;

class MemoryEnumerator : public SplitEnumerator {
 public:
  MemoryEnumerator(int64_t table_rows, int64_t rows, int64_t split_rows)
      : table_rows_(table_rows), rows_(rows), split_rows_(split_rows) {}

  Status GoOnAt(const StatedPosition& position) {
    ARROW_ASSIGN_OR_RAISE(const int64_t table_rows, position.Number("table_rows"));
    if (table_rows != table_rows_) {
      return position.Bad(fmt::format("the table has {} rows, so it is not the one of the first run", table_rows_));
    }
    ARROW_ASSIGN_OR_RAISE(offset_, position.Number("next", 0, rows_));
    ARROW_ASSIGN_OR_RAISE(ordinal_, position.Number("ordinal", 0, offset_));
    return Status::OK();
  }

  Result<std::optional<Split>> Next() override {
    if (offset_ >= rows_) return std::nullopt;
    const int64_t count = std::min(split_rows_, rows_ - offset_);
    Split split{.ordinal = ordinal_++, .content = nlohmann::json{{"offset", offset_}, {"rows", count}}.dump()};
    offset_ += count;
    return split;
  }

  // Splits are counted: how long they are depends on the bytes of the table, which another run may hold otherwise.
  std::string Position() const override {
    return PositionText({{"next", offset_}, {"ordinal", ordinal_}, {"table_rows", table_rows_}});
  }

 private:
  const int64_t table_rows_;
  const int64_t rows_;
  const int64_t split_rows_;
  int64_t offset_ = 0;
  int64_t ordinal_ = 0;
};

class MemoryReader : public SplitReader {
 public:
  MemoryReader(std::shared_ptr<arrow::Table> slice, std::shared_ptr<arrow::Schema> schema, int64_t batch_rows)
      : slice_(std::move(slice)), schema_(std::move(schema)), batch_rows_(batch_rows) {}

  Result<int64_t> Skip(int64_t rows) override {
    const int64_t passed = std::min(rows, slice_->num_rows());
    slice_ = slice_->Slice(passed);
    return passed;
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Next() override {
    if (!batches_) {
      batches_.emplace(slice_);
      if (batch_rows_ > 0) batches_->set_chunksize(batch_rows_);
    }
    std::shared_ptr<arrow::RecordBatch> batch;
    do {
      ARROW_RETURN_NOT_OK(batches_->ReadNext(&batch));
      if (!batch) return nullptr;
    } while (batch->num_rows() == 0);
    return Normalized(batch, schema_);
  }

 private:
  std::shared_ptr<arrow::Table> slice_;
  const std::shared_ptr<arrow::Schema> schema_;
  const int64_t batch_rows_;
  std::optional<arrow::TableBatchReader> batches_;  // from the first Next on
};

class MemorySource : public Source {
 public:
  MemorySource(std::string name, std::shared_ptr<arrow::Table> table, std::shared_ptr<arrow::Schema> schema,
               int64_t split_rows)
      : name_(std::move(name)), table_(std::move(table)), schema_(std::move(schema)), split_rows_(split_rows) {}

  std::shared_ptr<arrow::Schema> schema() const override { return schema_; }
  std::string Describe() const override {
    return fmt::format("memory table '{}' ({} rows)", Escaped(name_), table_->num_rows());
  }
  std::optional<int64_t> RowCount() const override { return table_->num_rows(); }

  Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                     const std::string& position) const override {
    const int64_t table_rows = table_->num_rows();
    const int64_t rows = std::clamp<int64_t>(request.limit.value_or(table_rows), 0, table_rows);
    auto splits = std::make_unique<MemoryEnumerator>(table_rows, rows, split_rows_);
    if (!position.empty()) {
      ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("memory", "position", position));
      ARROW_RETURN_NOT_OK(splits->GoOnAt(stated));
    }
    return splits;
  }

  Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("memory", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const int64_t offset, stated.Number("offset"));
    ARROW_ASSIGN_OR_RAISE(const int64_t rows, stated.Number("rows", 0, std::numeric_limits<int64_t>::max() - offset));
    if (offset > table_->num_rows() - rows) {
      return JobError(fmt::format("memory: table '{}' has {} rows; rows {} to {} were asked for: it is not the table "
                                  "of the first run",
                                  Escaped(name_), table_->num_rows(), offset, offset + rows));
    }
    ARROW_ASSIGN_OR_RAISE(const auto positions, WantedColumns(*schema_, request));
    ARROW_ASSIGN_OR_RAISE(const auto wanted, table_->SelectColumns(positions));
    ARROW_ASSIGN_OR_RAISE(auto schema, ProjectedSchema(schema_, request));
    return std::make_unique<MemoryReader>(wanted->Slice(offset, rows), std::move(schema), request.batch_rows);
  }

  // A table in memory has no name that another run would know.
  Result<std::vector<OriginRun>> Origins(const Split& split) const override {
    ARROW_ASSIGN_OR_RAISE(const auto stated, StatedPosition::Parse("memory", "split", split.content));
    ARROW_ASSIGN_OR_RAISE(const int64_t offset, stated.Number("offset", 0, table_->num_rows()));
    return std::vector<OriginRun>{{.place = "memory", .first = offset}};
  }

 private:
  const std::string name_;
  const std::shared_ptr<arrow::Table> table_;
  const std::shared_ptr<arrow::Schema> schema_;
  const int64_t split_rows_;
};

}  // namespace

std::vector<OptionSpec> MemorySourceOptions() {
  return {{.name = "table", .doc = "Name of the table.", .required = true}};
}

Result<std::shared_ptr<Source>> MakeMemorySource(const Options& options, const MemoryTables& tables) {
  const std::string& name = options.String("table");
  const auto found = tables.find(name);
  if (found == tables.end()) {
    std::vector<std::string> names;
    for (const auto& [key, table] : tables) names.push_back(key);
    return JobError(fmt::format("no table '{}' was handed over with the plan.{}", Escaped(name),
                                names.empty() ? "" : Suggestion(name, names)));
  }
  const auto& table = found->second;
  // The content is somebody's memory: offsets that point outside of it must not reach the engine.
  const Status valid = table->Validate();
  if (!valid.ok()) return JobError(fmt::format("table '{}' is damaged: {}", Escaped(name), valid.message()));
  ARROW_ASSIGN_OR_RAISE(auto schema, NormalizedSchema(*table->schema()));
  const int64_t bytes = arrow::util::TotalBufferSize(*table);
  const int64_t row_bytes = std::max<int64_t>(1, bytes / std::max<int64_t>(1, table->num_rows()));
  const int64_t split_rows = std::clamp<int64_t>(kSplitBytesMax / row_bytes, 1, kSplitRowsMax);
  return std::make_shared<MemorySource>(name, table, std::move(schema), split_rows);
}

}  // namespace mainstem
