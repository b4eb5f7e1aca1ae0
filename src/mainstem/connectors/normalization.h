// Normalization: brings columns from outside to the forms that the engine works on.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>

#include "mainstem/base/error.h"

namespace mainstem {

/// Returns the field as the engine has it: extension types as storage with their name in the metadata (LogicalType),
/// texts as utf8, bytes as large_binary, views and dictionaries as plain arrays, also inside lists and structs. Other
/// metadata is dropped. A field that claims a multimodal type but is not stored as one is a job error.
Result<std::shared_ptr<arrow::Field>> NormalizedField(const std::shared_ptr<arrow::Field>& field);
Result<std::shared_ptr<arrow::Schema>> NormalizedSchema(const arrow::Schema& schema);

/// Brings an array to a normalised field's type, which may be another one to which it can be cast without loss.
Result<std::shared_ptr<arrow::Array>> Normalized(const std::shared_ptr<arrow::Array>& array,
                                                 const arrow::Field& field);

/// Brings a batch whose columns stand in the order of `schema` to that schema. Errors name the column.
Result<std::shared_ptr<arrow::RecordBatch>> Normalized(const std::shared_ptr<arrow::RecordBatch>& batch,
                                                       const std::shared_ptr<arrow::Schema>& schema);

}  // namespace mainstem
