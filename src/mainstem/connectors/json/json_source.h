// JSON source: files with one JSON object a line.
#pragma once

#include <memory>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/functions/option.h"

namespace mainstem {

Result<std::shared_ptr<Source>> MakeJsonSource(const Options& options);
std::vector<OptionSpec> JsonSourceOptions();

}  // namespace mainstem
