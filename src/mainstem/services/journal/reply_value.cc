#include "mainstem/services/journal/reply_value.h"

#include <arrow/record_batch.h>

#include "mainstem/services/rows.h"

namespace mainstem {

Result<std::string> EncodeReplyValue(const arrow::RecordBatch& rows) {
  ARROW_ASSIGN_OR_RAISE(const EncodedRows encoded, EncodedRows::Make(rows));
  std::string value(static_cast<size_t>(encoded.bytes()), '\0');
  ARROW_RETURN_NOT_OK(encoded.WriteTo(reinterpret_cast<uint8_t*>(value.data())));
  return value;
}

Result<std::shared_ptr<arrow::RecordBatch>> DecodeReplyValue(const std::string& value,
                                                             const std::shared_ptr<arrow::Schema>& schema) {
  return CopyForeignRows(reinterpret_cast<const uint8_t*>(value.data()), static_cast<int64_t>(value.size()), schema);
}

}  // namespace mainstem
