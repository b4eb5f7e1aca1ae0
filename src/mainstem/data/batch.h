// Batch: rows on their way, with their place in the order of the source.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>

namespace mainstem {

/// A record batch and its order. All rows of one source split carry the split's ordinal; a subtask emits
/// orders ascending and marks the last batch of each, even when no row is left (an empty batch then carries
/// the mark). So a consumer of several subtasks can restore the source's order with nothing but this.
struct Batch {
  std::shared_ptr<arrow::RecordBatch> rows;
  int64_t order = 0;
  bool last_of_order = true;
  int input = 0;  ///< which input of the operator; 0 but for joins and unions
};

/// Bytes that the batch's buffers hold, slices counted as what they show.
int64_t BytesOf(const arrow::RecordBatch& rows);

}  // namespace mainstem
