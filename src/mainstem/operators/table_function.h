// Table function: joins every row with the rows that a table function makes of it, a bounded number at a time.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/functions/expression.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

struct TableFunctionOptions {
  const FunctionDefinition* function = nullptr;
  BoundSignature signature;
  std::vector<BoundExpressionPtr> arguments;
  std::vector<OutputColumn> outputs;
  std::vector<int> kept;     ///< input columns that are carried on
  int origin = -1;           ///< of these, the one with the origins of the rows (data/row_origin.h); -1: none
  bool ignore_empty = true;  ///< leave rows out for which nothing comes; else one row with nulls
};

/// Output columns are the kept ones of the input, then the function's.
Result<std::unique_ptr<Operator>> MakeTableFunction(TableFunctionOptions options, Columns input,
                                                    std::shared_ptr<arrow::Schema> output);

}  // namespace mainstem
