// Over: a running value of each key beside every row: its number, a sum so far, the largest so far.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "mainstem/operators/operator.h"

namespace mainstem {

/// One column of results. The frame is SQL's ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW, rows in the order in which
/// they come. Nulls do not count; a sum, mean, minimum or maximum is null until a value has come. Sums of integers that
/// leave int64 are a job error.
struct OverCall {
  std::string function;  ///< row_number, count, sum, mean, min or max
  int column = -1;       ///< position of the argument; of row_number none
};

/// Type of the results: int64 for row_number and count, float64 for mean, int64 or float64 for sum, the argument's own
/// for min and max. A function that does not exist, or not for this type, is a job error.
Result<std::shared_ptr<arrow::DataType>> TypeOfOver(const std::string& function, const arrow::DataType& argument);

/// Appends a column a call. Behind an exchange by the same keys (positions of columns). Fails with a job error when what
/// it remembers outgrows half of the context's holding limit.
std::unique_ptr<Operator> MakeOver(std::vector<int> keys, std::vector<OverCall> calls,
                                   std::shared_ptr<arrow::Schema> output);

}  // namespace mainstem
