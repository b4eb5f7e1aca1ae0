// Files sink: one file a row: a column has its name, another its bytes.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "mainstem/connectors/sink.h"
#include "mainstem/functions/option.h"

namespace mainstem {

/// Names are relative to the sink's folder and may have folders in them. A name that leads out of the folder, is
/// hidden, or is there already (in mode append) is an error, as are two rows of one name.
Result<std::shared_ptr<Sink>> MakeFilesSink(const Options& options, const std::shared_ptr<arrow::Schema>& schema);
std::vector<OptionSpec> FilesSinkOptions();

/// Checks a name; an error says what is wrong with it.
Status CheckFileName(std::string_view name);

}  // namespace mainstem
