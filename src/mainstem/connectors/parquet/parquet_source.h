// Parquet source: tables in Parquet files, read by row groups.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// The first file gives the schema; the others must have its columns, in any order, of types that can become its.
Result<std::shared_ptr<Source>> MakeParquetSource(const Options& options);
std::vector<OptionSpec> ParquetSourceOptions();

}  // namespace mainstem
