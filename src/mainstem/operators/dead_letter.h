// Dead letters: rows that failed, described so that a person can find them again.
#pragma once

#include <arrow/type_fwd.h>

#include <string>

#include "mainstem/functions/expression.h"
#include "mainstem/functions/row_program.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

/// Renders a row's small columns as "{name: value, …}"; large ones as their size.
std::string DescribeRow(const Columns& columns, const arrow::RecordBatch& batch, int64_t row);
DeadLetter MakeDeadLetter(const Columns& columns, const arrow::RecordBatch& batch, const RowFault& fault);

}  // namespace mainstem
