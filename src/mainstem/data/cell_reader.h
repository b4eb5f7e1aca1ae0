// CellReader: turns one cell of a column into a Value, without copying large contents.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "mainstem/data/logical_type.h"
#include "mainstem/data/value.h"

namespace mainstem {

/// Reads cells of columns of one type. Immutable; values share the column's memory and keep it alive.
class CellReader {
 public:
  /// Fails where a type has no row form (maps, unions, intervals).
  static Result<CellReader> Make(const LogicalType& type);

  /// `column` is a storage array of the reader's type.
  Result<Value> Read(const std::shared_ptr<arrow::Array>& column, int64_t row) const;

 private:
  explicit CellReader(LogicalType type) : type_(std::move(type)) {}
  Result<Value> ReadPlain(const std::shared_ptr<arrow::Array>& column, int64_t row) const;
  Result<Value> ReadList(const std::shared_ptr<arrow::Array>& column, int64_t row) const;

  LogicalType type_;
  std::vector<CellReader> children_;
};

}  // namespace mainstem
