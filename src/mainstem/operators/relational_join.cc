// Join: Acero pairs keys and row numbers; the payload, whatever its type, is taken afterwards: Acero's join rejects nested
// columns even where they are only carried along.
#include <arrow/acero/options.h>
#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/table.h>
#include <arrow/util/byte_size.h>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "mainstem/operators/relational_plan.h"

namespace mainstem {
namespace {

namespace ac = arrow::acero;
namespace cp = arrow::compute;
using Tables = std::vector<TablePtr>;

// What `rows` values of a column take if they are as large as its values are on average; exact for numbers.
int64_t ExpectedBytes(const arrow::ChunkedArray& column, int64_t rows) {
  if (column.length() == 0) return 0;
  const auto bytes = arrow::util::ReferencedBufferSize(column);
  if (!bytes.ok()) return 0;
  return static_cast<int64_t>(static_cast<double>(*bytes) / static_cast<double>(column.length()) *
                              static_cast<double>(rows));
}

int64_t RowAt(const arrow::Int64Array& rows, int64_t i, int64_t none) { return rows.IsNull(i) ? none : rows.Value(i); }

// Several threads find the matches in any order. Sorts them by left row, then by right row, in time linear in both; those
// without a left row come last. `right` is null where only left rows are wanted; a row without partner has null there.
Status InOrder(const arrow::Table& matches, int64_t left_count, std::shared_ptr<arrow::Array>* left,
               std::shared_ptr<arrow::Array>* right) {
  constexpr int64_t kNone = -1;
  ARROW_ASSIGN_OR_RAISE(const auto left_array, Whole(*matches.column(0)));
  const auto& left_rows = static_cast<const arrow::Int64Array&>(*left_array);
  // Where the matches of each left row begin; after the loop below, where they end.
  std::vector<int64_t> ends(static_cast<size_t>(left_count) + 2, 0);
  for (int64_t i = 0; i < left_rows.length(); ++i) ++ends[static_cast<size_t>(RowAt(left_rows, i, left_count)) + 1];
  std::partial_sum(ends.begin(), ends.end(), ends.begin());
  arrow::Int64Builder left_builder;
  ARROW_RETURN_NOT_OK(left_builder.Reserve(left_rows.length()));
  for (int64_t row = 0; row <= left_count; ++row) {
    for (int64_t i = ends[static_cast<size_t>(row)]; i < ends[static_cast<size_t>(row) + 1]; ++i) {
      row < left_count ? left_builder.UnsafeAppend(row) : left_builder.UnsafeAppendNull();
    }
  }
  if (right) {
    ARROW_ASSIGN_OR_RAISE(const auto right_array, Whole(*matches.column(1)));
    const auto& right_rows = static_cast<const arrow::Int64Array&>(*right_array);
    std::vector<int64_t> sorted(static_cast<size_t>(right_rows.length()));
    for (int64_t i = 0; i < right_rows.length(); ++i) {
      const auto row = static_cast<size_t>(RowAt(left_rows, i, left_count));
      sorted[static_cast<size_t>(ends[row]++)] = RowAt(right_rows, i, kNone);
    }
    int64_t begin = 0;
    for (size_t row = 0; row <= static_cast<size_t>(left_count); ++row) {
      if (ends[row] - begin > 1) std::sort(sorted.begin() + begin, sorted.begin() + ends[row]);
      begin = ends[row];
    }
    arrow::Int64Builder right_builder;
    ARROW_RETURN_NOT_OK(right_builder.Reserve(right_rows.length()));
    for (const int64_t row : sorted) row == kNone ? right_builder.UnsafeAppendNull() : right_builder.UnsafeAppend(row);
    ARROW_ASSIGN_OR_RAISE(*right, right_builder.Finish());
  }
  return left_builder.Finish().Value(left);
}

ac::JoinType ToAcero(JoinKind kind) {
  switch (kind) {
    case JoinKind::kLeft: return ac::JoinType::LEFT_OUTER;
    case JoinKind::kRight: return ac::JoinType::RIGHT_OUTER;
    case JoinKind::kOuter: return ac::JoinType::FULL_OUTER;
    case JoinKind::kSemi: return ac::JoinType::LEFT_SEMI;
    case JoinKind::kAnti: return ac::JoinType::LEFT_ANTI;
    default: return ac::JoinType::INNER;
  }
}

class Join : public RelationalStep {
 public:
  Join(JoinKind kind, std::vector<std::string> left_keys, std::vector<std::string> right_keys,
       std::shared_ptr<arrow::Schema> output)
      : kind_(kind), left_keys_(std::move(left_keys)), right_keys_(std::move(right_keys)), output_(std::move(output)) {}
  std::string name() const override { return "join"; }

  Result<TablePtr> Run(const Tables& inputs, const StepBounds& bounds) const override {
    const arrow::Table& left = *inputs[0];
    const arrow::Table& right = *inputs[1];
    std::shared_ptr<arrow::Array> left_rows;
    std::shared_ptr<arrow::Array> right_rows;
    if (kind_ == JoinKind::kCross) {
      ARROW_RETURN_NOT_OK(CrossRows(left.num_rows(), right.num_rows(), bounds, &left_rows, &right_rows));
    } else {
      ARROW_RETURN_NOT_OK(MatchedRows(left, right, bounds, &left_rows, &right_rows));
    }
    arrow::ChunkedArrayVector columns;
    int64_t bytes = 0;
    for (int i = 0; i < left.num_columns(); ++i) {
      bytes += ExpectedBytes(*left.column(i), left_rows->length());
      ARROW_RETURN_NOT_OK(CheckResultBytes(bytes, bounds));
      ARROW_RETURN_NOT_OK(CheckStop(bounds));
      ARROW_ASSIGN_OR_RAISE(auto taken, TakeColumn(left.column(i), left_rows));
      // A key that is kept once comes from whichever side has the row.
      const int key = SharedKey(left.schema()->field(i)->name());
      if (key >= 0 && (kind_ == JoinKind::kRight || kind_ == JoinKind::kOuter)) {
        ARROW_ASSIGN_OR_RAISE(auto other, TakeColumn(right.GetColumnByName(right_keys_[static_cast<size_t>(key)]),
                                                     right_rows));
        ARROW_ASSIGN_OR_RAISE(arrow::Datum either, cp::CallFunction("coalesce", {taken, other}));
        taken = either.chunked_array();
      }
      columns.push_back(std::move(taken));
    }
    if (kind_ != JoinKind::kSemi && kind_ != JoinKind::kAnti) {
      for (int i = 0; i < right.num_columns(); ++i) {
        if (SharedKey(right.schema()->field(i)->name()) >= 0) continue;
        bytes += ExpectedBytes(*right.column(i), right_rows->length());
        ARROW_RETURN_NOT_OK(CheckResultBytes(bytes, bounds));
        ARROW_RETURN_NOT_OK(CheckStop(bounds));
        ARROW_ASSIGN_OR_RAISE(auto taken, TakeColumn(right.column(i), right_rows));
        columns.push_back(std::move(taken));
      }
    }
    return arrow::Table::Make(output_, std::move(columns), left_rows->length());
  }

 private:
  int SharedKey(const std::string& name) const {
    for (size_t i = 0; i < left_keys_.size(); ++i) {
      if (left_keys_[i] == name && right_keys_[i] == name) return static_cast<int>(i);
    }
    return -1;
  }

  Status MatchedRows(const arrow::Table& left, const arrow::Table& right, const StepBounds& bounds,
                     std::shared_ptr<arrow::Array>* left_rows, std::shared_ptr<arrow::Array>* right_rows) const {
    ARROW_ASSIGN_OR_RAISE(TablePtr left_side, KeysAndRows(left, left_keys_, "l"));
    ARROW_ASSIGN_OR_RAISE(TablePtr right_side, KeysAndRows(right, right_keys_, "r"));
    std::vector<arrow::FieldRef> left_refs;
    std::vector<arrow::FieldRef> right_refs;
    for (size_t i = 0; i < left_keys_.size(); ++i) {
      left_refs.emplace_back(fmt::format("lk{}", i));
      right_refs.emplace_back(fmt::format("rk{}", i));
    }
    const bool left_only = kind_ == JoinKind::kSemi || kind_ == JoinKind::kAnti;
    const std::string left_name = std::string("l") + kRowNumber;
    const std::string right_name = std::string("r") + kRowNumber;
    const ac::HashJoinNodeOptions options(ToAcero(kind_), left_refs, right_refs, {arrow::FieldRef(left_name)},
                                          left_only ? std::vector<arrow::FieldRef>{}
                                                    : std::vector<arrow::FieldRef>{arrow::FieldRef(right_name)});
    const ac::Declaration plan("hashjoin",
                               {ac::Declaration("table_source", ac::TableSourceNodeOptions(left_side)),
                                ac::Declaration("table_source", ac::TableSourceNodeOptions(right_side))},
                               options);
    ARROW_ASSIGN_OR_RAISE(TablePtr matches, RunPlan(plan, bounds));
    ARROW_RETURN_NOT_OK(CheckStop(bounds));
    return InOrder(*matches, left.num_rows(), left_rows, left_only ? nullptr : right_rows);
  }

  static Status CrossRows(int64_t left, int64_t right, const StepBounds& bounds,
                          std::shared_ptr<arrow::Array>* left_rows, std::shared_ptr<arrow::Array>* right_rows) {
    constexpr int64_t kMostRows = int64_t{1} << 31;
    if (right > 0 && left > kMostRows / right) {
      return JobError(fmt::format("a cross join of {} and {} rows has more than {} rows; filter first", left, right,
                                  kMostRows));
    }
    ARROW_RETURN_NOT_OK(CheckResultBytes(left * right * 2 * static_cast<int64_t>(sizeof(int64_t)), bounds));
    arrow::Int64Builder left_builder;
    arrow::Int64Builder right_builder;
    ARROW_RETURN_NOT_OK(left_builder.Reserve(left * right));
    ARROW_RETURN_NOT_OK(right_builder.Reserve(left * right));
    for (int64_t i = 0; i < left; ++i) {
      for (int64_t j = 0; j < right; ++j) {
        left_builder.UnsafeAppend(i);
        right_builder.UnsafeAppend(j);
      }
    }
    ARROW_ASSIGN_OR_RAISE(*left_rows, left_builder.Finish());
    ARROW_ASSIGN_OR_RAISE(*right_rows, right_builder.Finish());
    return Status::OK();
  }

  JoinKind kind_;
  std::vector<std::string> left_keys_;
  std::vector<std::string> right_keys_;
  std::shared_ptr<arrow::Schema> output_;
};

}  // namespace

std::shared_ptr<RelationalStep> MakeJoin(JoinKind kind, std::vector<std::string> left_keys,
                                         std::vector<std::string> right_keys, std::shared_ptr<arrow::Schema> output) {
  return std::make_shared<Join>(kind, std::move(left_keys), std::move(right_keys), std::move(output));
}

}  // namespace mainstem
