// TensorColumn: rows of numbers or pixels as a model reads them: dense bytes and a shape for each row.
#pragma once

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/services/endpoint.h"
#include "mainstem/services/models/backend.h"

namespace mainstem {

/// One row that a model can read.
struct TensorRow {
  int64_t row = 0;
  std::vector<int64_t> shape;  ///< without the batch side
  std::string_view bytes;
};

/// The rows of a call for one input of a model: numbers in the input's type.
struct TensorColumn {
  std::vector<TensorRow> rows;            ///< those that are neither null nor failed, ascending
  std::shared_ptr<arrow::Array> storage;  ///< keeps converted numbers alive

  /// Reads images (uint8, height × width × channels), fixed and variable tensors, vectors and lists of numbers.
  /// Numbers of another type are converted where that loses no integer; rows whose shape does not fit the port's
  /// are failures that name both shapes. `shape` is the shape of a row where the column's type states one.
  static Result<TensorColumn> Read(const arrow::RecordBatch& batch, const Port& port, const std::vector<int64_t>& shape,
                                   std::vector<RowFailure>* failures);
};

}  // namespace mainstem
