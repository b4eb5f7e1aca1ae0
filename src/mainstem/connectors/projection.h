// Projection: the columns of a batch that a scan asks for, and a batch handed out in pieces.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "mainstem/connectors/source.h"

namespace mainstem {

/// Returns the positions of the wanted columns in their order; a name that is not there is a job error.
Result<std::vector<int>> WantedColumns(const arrow::Schema& schema, const ScanRequest& request);

/// Returns the schema of what a scan hands out.
Result<std::shared_ptr<arrow::Schema>> ProjectedSchema(const std::shared_ptr<arrow::Schema>& schema,
                                                       const ScanRequest& request);
Result<std::shared_ptr<arrow::RecordBatch>> Projected(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                      const ScanRequest& request);

/// Hands out a batch in slices of at most `batch_rows` rows (0 = whole).
std::unique_ptr<SplitReader> OneBatchReader(std::shared_ptr<arrow::RecordBatch> batch, int64_t batch_rows);

}  // namespace mainstem
