// Connector catalog: makes sources and sinks from the options of a plan.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/connectors/sink.h"
#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

using ConnectorOptions = std::map<std::string, OptionValue>;

/// In-memory tables that a plan may name, by key.
using MemoryTables = std::map<std::string, std::shared_ptr<arrow::Table>>;

/// Sinks of the caller's own that a plan may name, by key.
using GivenSinks = std::map<std::string, std::shared_ptr<Sink>>;

/// Makes a source: files, parquet, json, csv, range, datagen, memory. Unknown names suggest the nearest.
Result<std::shared_ptr<Source>> MakeSource(const std::string& connector, const ConnectorOptions& options,
                                           const MemoryTables& tables);

/// Makes a sink: parquet, json, csv, files, or "sink", which is the one of `given` that option `sink` names. `schema`
/// is what will be written.
Result<std::shared_ptr<Sink>> MakeSink(const std::string& connector, const ConnectorOptions& options,
                                       const std::shared_ptr<arrow::Schema>& schema, const GivenSinks& given = {});

}  // namespace mainstem
