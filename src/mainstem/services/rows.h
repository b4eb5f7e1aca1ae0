// Rows between processes: record batches as Arrow IPC messages in mapped memory.
#pragma once

#include <arrow/ipc/writer.h>
#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>

#include "mainstem/base/error.h"

namespace mainstem {

/// A record batch that is ready to be written as one IPC message; refers to the batch's buffers.
class EncodedRows {
 public:
  static Result<EncodedRows> Make(const arrow::RecordBatch& rows);

  int64_t bytes() const { return bytes_; }
  /// Writes the message; `out` has room for bytes().
  Status WriteTo(uint8_t* out) const;

 private:
  arrow::ipc::IpcPayload payload_;
  int64_t bytes_ = 0;
};

/// Reads an IPC message in place: the batch refers to `message`.
Result<std::shared_ptr<arrow::RecordBatch>> RowsInPlace(const std::shared_ptr<arrow::Buffer>& message,
                                                        const std::shared_ptr<arrow::Schema>& schema);

/// Copies an IPC message that another process wrote and validates every byte of it.
Result<std::shared_ptr<arrow::RecordBatch>> CopyForeignRows(const uint8_t* data, int64_t bytes,
                                                            const std::shared_ptr<arrow::Schema>& schema);

/// Refuses schemas whose batches are more than one message: dictionary-encoded columns.
Status CheckCrossesProcesses(const arrow::Schema& schema);

}  // namespace mainstem
