// JSON sink: one JSON object a row, one row a line.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/functions/option.h"

namespace mainstem {

Result<std::shared_ptr<Sink>> MakeJsonSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema);
std::vector<OptionSpec> JsonSinkOptions();

}  // namespace mainstem
