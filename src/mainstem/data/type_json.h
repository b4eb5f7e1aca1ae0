// Types as the plan format writes them: JSON (docs/plan.md, "Types").
#pragma once

#include <string>

#include "mainstem/data/logical_type.h"

namespace mainstem {

/// Parses the JSON text of a type.
Result<LogicalType> ParseType(const std::string& json_text);
/// Renders a type as JSON text that ParseType reads; fails for types the format has no name for.
Result<std::string> TypeToJson(const LogicalType& type);

}  // namespace mainstem
