// Parquet file: one open file, its columns by name, what its row groups hold.
#pragma once

#include <arrow/type_fwd.h>
#include <parquet/arrow/reader.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/connectors/files/open_file.h"
#include "mainstem/connectors/source.h"

namespace mainstem {

/// An open Parquet file. One thread at a time. Errors name the file.
class ParquetFile {
 public:
  /// `footer` saves reading it again; may be null. `batch_rows` is what the readers hand out at most.
  static Result<std::unique_ptr<ParquetFile>> Open(const ListedFile& file, const OpenPolicy& policy,
                                                   std::shared_ptr<parquet::FileMetaData> footer, int64_t batch_rows);

  const std::shared_ptr<parquet::FileMetaData>& footer() const { return footer_; }
  /// As the file says, before normalisation.
  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

  /// Leaves that belong to the top-level columns at `positions` of schema().
  std::vector<int> LeavesOf(const std::vector<int>& positions) const;
  /// Reads columns of row groups; batches have the columns in the order of the file.
  Result<std::unique_ptr<arrow::RecordBatchReader>> Read(const std::vector<int>& row_groups,
                                                         const std::vector<int>& leaves);

  /// Says whether the statistics of a row group rule out that any of its rows is within the bounds.
  bool IsRuledOut(int row_group, const std::vector<ScanRequest::Bound>& bounds) const;

 private:
  explicit ParquetFile(ListedFile file) : file_(std::move(file)) {}

  ListedFile file_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::shared_ptr<parquet::FileMetaData> footer_;
  std::shared_ptr<arrow::Schema> schema_;
};

/// Rows of a batch so that it has about 16 MiB, at most 64 Ki: `bytes` of `rows` rows are known from a footer.
int64_t RowsOfBatch(int64_t bytes, int64_t rows, int64_t batch_rows_wanted);

}  // namespace mainstem
