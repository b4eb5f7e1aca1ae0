#include "mainstem/services/rows.h"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <cstring>

namespace mainstem {
namespace {

arrow::ipc::IpcWriteOptions WriteOptions() {
  auto options = arrow::ipc::IpcWriteOptions::Defaults();
  options.alignment = 64;  // numbers and vectors are read in place
  options.use_threads = false;
  return options;
}

bool HasDictionary(const arrow::DataType& type) {
  if (type.id() == arrow::Type::DICTIONARY) return true;
  for (const auto& field : type.fields()) {
    if (HasDictionary(*field->type())) return true;
  }
  return false;
}

}  // namespace

Result<EncodedRows> EncodedRows::Make(const arrow::RecordBatch& rows) {
  EncodedRows encoded;
  const auto options = WriteOptions();
  ARROW_RETURN_NOT_OK(arrow::ipc::GetRecordBatchPayload(rows, options, &encoded.payload_));
  encoded.bytes_ = arrow::ipc::GetPayloadSize(encoded.payload_, options);
  return encoded;
}

Status EncodedRows::WriteTo(uint8_t* out) const {
  arrow::io::FixedSizeBufferWriter writer(std::make_shared<arrow::MutableBuffer>(out, bytes_));
  int32_t metadata_length = 0;
  return arrow::ipc::WriteIpcPayload(payload_, WriteOptions(), &writer, &metadata_length);
}

Result<std::shared_ptr<arrow::RecordBatch>> RowsInPlace(const std::shared_ptr<arrow::Buffer>& message,
                                                        const std::shared_ptr<arrow::Schema>& schema) {
  arrow::io::BufferReader reader(message);
  ARROW_ASSIGN_OR_RAISE(const auto parsed, arrow::ipc::ReadMessage(&reader));
  if (parsed == nullptr) return JobError("a record batch message is empty");
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.use_threads = false;
  arrow::ipc::DictionaryMemo dictionaries;
  return arrow::ipc::ReadRecordBatch(*parsed, schema, &dictionaries, options);
}

Result<std::shared_ptr<arrow::RecordBatch>> CopyForeignRows(const uint8_t* data, int64_t bytes,
                                                            const std::shared_ptr<arrow::Schema>& schema) {
  // Copied first: what is checked must not change afterwards.
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> copy, arrow::AllocateBuffer(bytes));
  std::memcpy(copy->mutable_data(), data, static_cast<size_t>(bytes));
  ARROW_ASSIGN_OR_RAISE(auto rows, RowsInPlace(copy, schema));
  ARROW_RETURN_NOT_OK(rows->ValidateFull());
  return rows;
}

Status CheckCrossesProcesses(const arrow::Schema& schema) {
  for (const auto& field : schema.fields()) {
    if (HasDictionary(*field->type())) {
      return JobError(fmt::format("column '{}' is dictionary-encoded ({}), which services do not take; cast it first",
                                  Escaped(field->name()), field->type()->ToString()));
    }
  }
  return Status::OK();
}

}  // namespace mainstem
