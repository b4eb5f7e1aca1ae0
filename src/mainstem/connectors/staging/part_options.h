// Part options: what all sinks of part files can be told.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "mainstem/connectors/staging/part_sink.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// The options `path`, `mode` and `target_file_bytes`.
std::vector<OptionSpec> PartSinkOptions();
/// Makes a sink of the format from these options.
Result<std::shared_ptr<Sink>> MakePartSink(const Options& options, std::shared_ptr<const PartFormat> format);

}  // namespace mainstem
