// Column pruning: what nobody reads is neither read nor computed.
#pragma once

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// Removes columns that nobody above reads, from the root down; the root keeps its own. The rows stay the same: what may
/// set rows aside (on_error = dead_letter) is computed whether it is read or not, because count() must be what collect()
/// gives. What could only fail the job (on_error = raise) is not computed where nobody reads it, as in SQL: an answer
/// that needs no value does not depend on whether the value can be had.
Result<LogicalNodePtr> PruneColumns(const LogicalNodePtr& root, const Registry& registry);

}  // namespace mainstem::plan
