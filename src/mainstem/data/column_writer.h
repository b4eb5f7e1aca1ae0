// ColumnWriter: collects Values of one type into a column.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "mainstem/data/logical_type.h"
#include "mainstem/data/value.h"

namespace mainstem {

/// Appends cells, then gives the storage array. One thread at a time.
class ColumnWriter {
 public:
  static Result<std::unique_ptr<ColumnWriter>> Make(const LogicalType& type, arrow::MemoryPool* pool);
  ~ColumnWriter();

  /// A value of another kind than the type's, an integer that does not fit or a picture of another fixed size
  /// is an error; the column then has one cell fewer than was appended.
  Status Append(const Value& value);
  Status AppendNull();
  int64_t length() const;
  /// Content bytes appended since the last Finish.
  int64_t bytes() const { return bytes_; }
  /// Returns what was appended and starts again.
  Result<std::shared_ptr<arrow::Array>> Finish();

 private:
  struct Node;
  ColumnWriter(std::unique_ptr<arrow::ArrayBuilder> builder, std::unique_ptr<Node> root);

  std::unique_ptr<arrow::ArrayBuilder> builder_;
  std::unique_ptr<Node> root_;
  int64_t bytes_ = 0;
};

}  // namespace mainstem
