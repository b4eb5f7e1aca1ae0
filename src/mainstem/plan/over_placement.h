// Over placement: running values inside expressions become columns of nodes below.
#pragma once

#include <functional>
#include <vector>

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// Projects over a node, with calls inside the expressions placed.
using ProjectNode = std::function<Result<LogicalNodePtr>(LogicalNodePtr, std::vector<NamedExpression>)>;

/// Calls `over.<function>` are taken out of the expressions, innermost first; those with the same keys share a node. Such
/// a call has the keys as its last arguments, as many as its option `keys` says, and the function's argument before them.
/// Returns the node over which the expressions are to be computed; it has columns that nobody asked for.
Result<LogicalNodePtr> PlaceOver(LogicalNodePtr input, std::vector<ExpressionPtr>* expressions,
                                 const ProjectNode& project);

}  // namespace mainstem::plan
