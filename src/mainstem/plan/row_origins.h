// Row origins: the hidden column that keeps apart equal rows of calls whose replies their input does not decide.
#pragma once

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// Gives every call that is to be kept in a journal and is not deterministic the column kOriginColumn as its last argument,
/// from the sources on through the nodes between; above it is gone again. A job error where rows on the way have no
/// single origin (joins, groups, duplicates dropped, whole batches). Comes behind all rules that move or remove columns.
Result<LogicalNodePtr> CarryOrigins(const LogicalNodePtr& root, const Registry& registry);

}  // namespace mainstem::plan
