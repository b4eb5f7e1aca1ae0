#include "mainstem/operators/explode.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include <algorithm>

#include "mainstem/data/row_origin.h"

namespace mainstem {
namespace {

// Where the items of a row's list lie.
struct Span {
  int64_t start = 0;
  int64_t count = 0;
};

class ListView {
 public:
  explicit ListView(const arrow::Array& column) : column_(column) {
    if (column.type_id() == arrow::Type::LIST) {
      values_ = static_cast<const arrow::ListArray&>(column).values();
    } else if (column.type_id() == arrow::Type::LARGE_LIST) {
      values_ = static_cast<const arrow::LargeListArray&>(column).values();
    } else {
      values_ = static_cast<const arrow::FixedSizeListArray&>(column).values();
    }
  }
  Span At(int64_t row) const {
    if (column_.IsNull(row)) return {};
    if (column_.type_id() == arrow::Type::LIST) {
      const auto& list = static_cast<const arrow::ListArray&>(column_);
      return {list.value_offset(row), list.value_length(row)};
    }
    if (column_.type_id() == arrow::Type::LARGE_LIST) {
      const auto& list = static_cast<const arrow::LargeListArray&>(column_);
      return {list.value_offset(row), list.value_length(row)};
    }
    const auto& list = static_cast<const arrow::FixedSizeListArray&>(column_);
    return {list.value_offset(row), list.value_length()};
  }
  const std::shared_ptr<arrow::Array>& values() const { return values_; }

 private:
  const arrow::Array& column_;
  std::shared_ptr<arrow::Array> values_;
};

class Explode : public Operator {
 public:
  Explode(ExplodeOptions options, std::shared_ptr<arrow::Schema> output)
      : options_(options), output_(std::move(output)) {}

  Status Open(OperatorContext& context) override {
    target_bytes_ = context.target_batch_bytes();
    context.state().Number("row", &row_);
    context.state().Number("item", &item_);
    context.state().Number("rows_out", &rows_out_);
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    const ListView lists(*batch.rows->column(options_.column));
    if (row_ == 0 && item_ == 0) ARROW_RETURN_NOT_OK(Measure(*batch.rows));
    arrow::Int64Builder parents;
    arrow::Int64Builder items;
    arrow::Int64Builder ordinals;  // of the items in their lists
    const int64_t total = batch.rows->num_rows();
    // A bounded number of rows a step; a long list is continued in the next one.
    while (row_ < total && parents.length() < rows_out_) {
      const Span span = lists.At(row_);
      if (span.count == 0 && !options_.ignore_empty_and_null) {
        ARROW_RETURN_NOT_OK(parents.Append(row_));
        ARROW_RETURN_NOT_OK(items.AppendNull());
        ARROW_RETURN_NOT_OK(ordinals.Append(0));
      }
      for (; item_ < span.count && parents.length() < rows_out_; ++item_) {
        ARROW_RETURN_NOT_OK(parents.Append(row_));
        ARROW_RETURN_NOT_OK(items.Append(span.start + item_));
        ARROW_RETURN_NOT_OK(ordinals.Append(item_));
      }
      if (item_ < span.count) break;
      item_ = 0;
      ++row_;
    }
    const bool done = row_ >= total;
    if (done) row_ = 0;
    ARROW_ASSIGN_OR_RAISE(auto parent_rows, parents.Finish());
    ARROW_ASSIGN_OR_RAISE(auto item_rows, items.Finish());
    ARROW_ASSIGN_OR_RAISE(auto item_ordinals, ordinals.Finish());
    arrow::ArrayVector columns;
    for (int i = 0; i < batch.rows->num_columns(); ++i) {
      if (i == options_.column && options_.replace) {
        columns.push_back(nullptr);
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(arrow::Datum taken, arrow::compute::Take(batch.rows->column(i), parent_rows));
      columns.push_back(taken.make_array());
      if (i == options_.origin) {
        ARROW_ASSIGN_OR_RAISE(columns.back(), ExtendedOrigins(*columns.back(), *item_ordinals));
      }
    }
    ARROW_ASSIGN_OR_RAISE(arrow::Datum exploded, arrow::compute::Take(lists.values(), item_rows));
    if (options_.replace) {
      columns[static_cast<size_t>(options_.column)] = exploded.make_array();
    } else {
      columns.push_back(exploded.make_array());
    }
    output.Emit({.rows = arrow::RecordBatch::Make(output_, parent_rows->length(), std::move(columns)),
                 .order = batch.order,
                 .last_of_order = done && batch.last_of_order});
    return done ? Progress::kDone : Progress::kMore;
  }

 private:
  static constexpr int64_t kRowsOut = 8192;

  // The other columns are repeated for every item: a picture beside a long list multiplies.
  Status Measure(const arrow::RecordBatch& rows) {
    ARROW_ASSIGN_OR_RAISE(auto others, rows.RemoveColumn(options_.column));
    const int64_t per_row = BytesOf(*others) / std::max<int64_t>(1, rows.num_rows());
    rows_out_ = std::clamp<int64_t>(target_bytes_ / std::max<int64_t>(1, per_row), 1, kRowsOut);
    return Status::OK();
  }

  ExplodeOptions options_;
  std::shared_ptr<arrow::Schema> output_;
  int64_t target_bytes_ = 0;
  int64_t rows_out_ = kRowsOut;
  int64_t row_ = 0;
  int64_t item_ = 0;
};

}  // namespace

std::unique_ptr<Operator> MakeExplode(ExplodeOptions options, std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<Explode>(options, std::move(output));
}

}  // namespace mainstem
