// Rules: rewrite a logical plan into one that does less work and gives the same rows.
#pragma once

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// What the optimiser may assume.
struct RuleContext {
  const Registry* registry = nullptr;
  bool keeps_replies = false;  ///< the job has a journal
};

/// Applies all rules, in this order: filters move towards the source, projections merge, columns that nobody reads
/// disappear, bounds and limits reach the source, remote files are fetched ahead, decoders scale while decoding, rows
/// carry their origins where replies are kept by them.
Result<LogicalNodePtr> Optimize(LogicalNodePtr root, const RuleContext& context);

}  // namespace mainstem::plan
