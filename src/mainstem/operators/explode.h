// Explode: one row for each item of a list column.
#pragma once

#include <memory>

#include "mainstem/functions/expression.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

struct ExplodeOptions {
  int column = 0;                        ///< the list
  bool replace = true;                   ///< the item takes the list's place; else it is appended
  bool ignore_empty_and_null = false;    ///< leave such rows out instead of giving one row with null
  int origin = -1;                       ///< column with the origins of the rows (data/row_origin.h); -1: none
};

std::unique_ptr<Operator> MakeExplode(ExplodeOptions options, std::shared_ptr<arrow::Schema> output);

}  // namespace mainstem
