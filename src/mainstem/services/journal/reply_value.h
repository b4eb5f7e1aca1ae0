// Reply values: the rows that answer one row, as the journal stores them.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "mainstem/base/error.h"

namespace mainstem {

/// One Arrow IPC message; the schema is not in it, the key stands for it.
Result<std::string> EncodeReplyValue(const arrow::RecordBatch& rows);

/// Validates every byte.
Result<std::shared_ptr<arrow::RecordBatch>> DecodeReplyValue(const std::string& value,
                                                             const std::shared_ptr<arrow::Schema>& schema);

}  // namespace mainstem
