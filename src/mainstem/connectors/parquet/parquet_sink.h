// Parquet sink: rows as Parquet files that any reader understands, multimodal types in the fields' metadata.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/functions/option.h"

namespace mainstem {

Result<std::shared_ptr<Sink>> MakeParquetSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema);
std::vector<OptionSpec> ParquetSinkOptions();

}  // namespace mainstem
