// Relational plan: runs an Acero plan within bounds, and what every relational step does to tables.
#pragma once

#include <arrow/acero/exec_plan.h>

#include <memory>
#include <string>
#include <vector>

#include "mainstem/operators/relational.h"

namespace mainstem {

using TablePtr = std::shared_ptr<arrow::Table>;

/// A cancelled status once the bounds say stop.
Status CheckStop(const StepBounds& bounds);
/// A job error where a result of `bytes` is more than the bounds allow.
Status CheckResultBytes(int64_t bytes, const StepBounds& bounds);

/// Runs the plan and collects what comes out, in no order. Looks at the bounds while it runs, and stops the plan where
/// they say so or where the result outgrows them. `in_order` uses one thread, which sees the rows in order.
Result<TablePtr> RunPlan(const arrow::acero::Declaration& plan, const StepBounds& bounds, bool in_order = false);

/// 0, 1, …, count - 1 as int64.
Result<std::shared_ptr<arrow::Array>> RowNumbers(int64_t count);
inline constexpr char kRowNumber[] = "__row_number";
/// The key columns, renamed k0, k1, …, and the row number, all with a prefix to their names.
Result<TablePtr> KeysAndRows(const arrow::Table& table, const std::vector<std::string>& keys, const std::string& prefix);
/// Where the smallest of `rows` stands, then the next, …: row numbers below `count`, each at most once.
Result<std::shared_ptr<arrow::Array>> AscendingOrder(const std::shared_ptr<arrow::Array>& rows, int64_t count);
/// One array of a column's pieces.
Result<std::shared_ptr<arrow::Array>> Whole(const arrow::ChunkedArray& column);
/// The values of these rows; null gives null.
Result<std::shared_ptr<arrow::ChunkedArray>> TakeColumn(const std::shared_ptr<arrow::ChunkedArray>& column,
                                                        const std::shared_ptr<arrow::Array>& rows);
/// TakeColumn for every column.
Result<TablePtr> TakeTable(const arrow::Table& table, const std::shared_ptr<arrow::Array>& rows,
                           const StepBounds& bounds);

}  // namespace mainstem
