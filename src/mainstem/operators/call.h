// Call: sends rows to a service and joins the replies to them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mainstem/functions/expression.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

struct CallOptions {
  std::string name;                     ///< the function, for messages
  std::vector<int> arguments;           ///< columns that are sent
  std::shared_ptr<arrow::Schema> call;  ///< schema of what is sent
  enum class Shape { kScalar, kTable, kBatch } shape = Shape::kScalar;
  std::string on_error = "raise";       ///< raise | null | dead_letter: for rows that could not be answered
  bool ignore_empty = true;             ///< kTable: leave rows out for which nothing came
  int origin = -1;                      ///< input column with the origins of the rows (data/row_origin.h); -1: none
};

/// kScalar appends the reply's column; kTable joins each row with its replies; kBatch replaces the rows. Where `output` has
/// fewer columns, those of the input that come first are left out. Order is kept whatever the order of the replies.
std::unique_ptr<Operator> MakeCall(CallOptions options, Columns input, std::shared_ptr<arrow::Schema> output);

}  // namespace mainstem
