// Files source: one row a file; nothing is read yet.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// Columns: file (a reference to the whole file), size (int64) and modified (timestamp in microseconds, UTC), both
/// null where the store does not say. Makes sure that the first file exists.
Result<std::shared_ptr<Source>> MakeFilesSource(const Options& options);
std::vector<OptionSpec> FilesSourceOptions();

}  // namespace mainstem
