// RowBlock: rows of equal size as one dense array, without a copy where they already lie side by side.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace mainstem {

/// Scratch memory that is kept between batches.
class RowBlock {
 public:
  /// Returns the rows, each `row_bytes` long, as dense memory of `padded_rows` rows; the rows beyond are zeros.
  /// Valid until the next call and while the rows' own memory is.
  const void* Gather(std::span<const std::string_view> rows, size_t row_bytes, size_t padded_rows) {
    bool adjacent = padded_rows == rows.size();
    for (size_t i = 1; adjacent && i < rows.size(); ++i) {
      adjacent = rows[i].data() == rows[0].data() + i * row_bytes;
    }
    // An inference reads whole numbers; memory that is not aligned for the widest of them is copied.
    if (adjacent && !rows.empty() && reinterpret_cast<uintptr_t>(rows[0].data()) % 8 == 0) {
      return rows[0].data();
    }
    scratch_.assign(padded_rows * row_bytes, 0);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::memcpy(scratch_.data() + i * row_bytes, rows[i].data(), row_bytes);
    }
    return scratch_.data();
  }

 private:
  std::vector<char> scratch_;
};

}  // namespace mainstem
