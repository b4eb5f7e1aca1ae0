// CSV sink: rows as delimited text.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// Columns must be texts, numbers, booleans, dates or times: CSV has no form for lists, structs and bytes.
Result<std::shared_ptr<Sink>> MakeCsvSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema);
std::vector<OptionSpec> CsvSinkOptions();

}  // namespace mainstem
