// CSV source: tables in delimited text.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

Result<std::shared_ptr<Source>> MakeCsvSource(const Options& options);
std::vector<OptionSpec> CsvSourceOptions();

}  // namespace mainstem
