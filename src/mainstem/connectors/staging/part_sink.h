// Part sink: writes rows as files of one format, many rows a file: part-<attempt>-<lane>-<n>.<extension>.
#pragma once

#include <arrow/io/type_fwd.h>
#include <arrow/type_fwd.h>

#include <memory>
#include <string>

#include "mainstem/connectors/sink.h"
#include "mainstem/connectors/staging/staging.h"

namespace mainstem {

/// Writes rows into one open file. One thread at a time.
class PartEncoder {
 public:
  virtual ~PartEncoder() = default;
  virtual Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;
  /// Bytes that the file would have if it ended now, roughly: what is buffered counts.
  virtual Result<int64_t> SizeSoFar() const = 0;
  /// Writes what ends a file. The stream stays open.
  virtual Status Finish() = 0;
};

/// A file format of a part sink. Immutable, thread-safe.
class PartFormat {
 public:
  virtual ~PartFormat() = default;
  /// "parquet"
  virtual std::string name() const = 0;
  /// ".parquet", compression included.
  virtual std::string extension() const = 0;
  virtual Result<std::unique_ptr<PartEncoder>> Open(std::shared_ptr<arrow::io::OutputStream> stream) const = 0;
  /// Whether a file without rows still says something: its schema.
  virtual bool empty_file_is_useful() const = 0;
};

Result<std::shared_ptr<Sink>> MakePartSink(std::shared_ptr<Store> store, WriteMode mode, int64_t target_file_bytes,
                                           std::shared_ptr<const PartFormat> format, StagingPlants plants = {});

}  // namespace mainstem
