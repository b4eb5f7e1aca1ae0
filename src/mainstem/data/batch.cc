#include "mainstem/data/batch.h"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

namespace mainstem {

int64_t BytesOf(const arrow::RecordBatch& rows) {
  if (rows.num_rows() == 0) return 0;
  const auto bytes = arrow::util::ReferencedBufferSize(rows);
  return bytes.ok() ? *bytes : arrow::util::TotalBufferSize(rows);
}

}  // namespace mainstem
