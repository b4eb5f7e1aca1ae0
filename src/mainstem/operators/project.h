// Project: computes columns; rows that a function sets aside become dead letters.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/functions/expression.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

/// Makes an operator whose output columns are the expressions, in order.
Result<std::unique_ptr<Operator>> MakeProject(std::vector<BoundExpressionPtr> expressions, Columns input,
                                              std::shared_ptr<arrow::Schema> output);

/// Makes an operator that keeps the rows for which the predicate is true.
Result<std::unique_ptr<Operator>> MakeFilter(BoundExpressionPtr predicate, Columns input);

}  // namespace mainstem
