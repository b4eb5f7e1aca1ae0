// Memory source: a table that was handed over beside the plan.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/connectors/catalog.h"

namespace mainstem {

Result<std::shared_ptr<Source>> MakeMemorySource(const Options& options, const MemoryTables& tables);
std::vector<OptionSpec> MemorySourceOptions();

}  // namespace mainstem
