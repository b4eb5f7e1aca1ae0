// Limit: passes on a number of rows after leaving out some; then wants no more.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "mainstem/operators/operator.h"

namespace mainstem {

/// Runs in one subtask behind an ordered gather, so that "the first rows" means the source's order.
std::unique_ptr<Operator> MakeLimit(std::optional<int64_t> count, int64_t offset);

}  // namespace mainstem
