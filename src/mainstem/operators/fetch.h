// Fetch: brings the bytes of file references into the batch, many at a time.
#pragma once

#include <memory>
#include <string>

#include "mainstem/functions/expression.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

struct FetchOptions {
  int column = 0;                 ///< the file column
  std::string on_error = "raise"; ///< raise | null | dead_letter: for files that cannot be had
};

/// Appends a file column whose references carry their bytes. Order is kept; a batch is passed on when all its
/// files are there.
std::unique_ptr<Operator> MakeFetch(FetchOptions options, Columns input, std::shared_ptr<arrow::Schema> output);

}  // namespace mainstem
