// Keyed rows: the values of rows' key columns as bytes, equal where the values are equal.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

/// The keys of a batch's rows. The form is stable: snapshots hold it, and key groups are made of it.
///
/// Column by column a byte 0 for null, or a byte 1 and the value: numbers, decimals, times and fixed-size binary as
/// their little-endian bytes; booleans as a byte; text and binary as their length in four bytes and the bytes. Null
/// equals null, NaN equals NaN, 0.0 equals -0.0.
class KeyedRows {
 public:
  /// A column of another type, or text of 4 GiB and more, is a job error.
  static Result<KeyedRows> Make(const arrow::RecordBatch& rows, const std::vector<int>& columns);

  int64_t size() const { return static_cast<int64_t>(ends_.size()); }
  std::string_view operator[](int64_t row) const {
    const auto i = static_cast<size_t>(row);
    const size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(bytes_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string bytes_;
  std::vector<size_t> ends_;
};

}  // namespace mainstem
