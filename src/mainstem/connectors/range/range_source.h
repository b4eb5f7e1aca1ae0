// Range source: numbers from start up to, not including, end, in a column `id`.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

Result<std::shared_ptr<Source>> MakeRangeSource(const Options& options);
std::vector<OptionSpec> RangeSourceOptions();

}  // namespace mainstem
