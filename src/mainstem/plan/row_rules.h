// Row rules: rewrites inside the expressions of one node: fetching ahead, scaled decoding.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {

/// Where a function of bytes meets a file that may be remote, puts a fetch node below, so that many files are on
/// their way at once. Local files are read by the row program itself.
Result<LogicalNodePtr> FetchAhead(LogicalNodePtr node, const Registry& registry);

/// Where every use of a decoded picture is a resize, tells the decoder the size that is wanted: JPEG can scale while
/// decoding, at a fraction of the cost.
Result<LogicalNodePtr> ScaleWhileDecoding(LogicalNodePtr node, const Registry& registry);

/// Says whether a name stands in a list.
bool Has(const std::vector<std::string>& names, const std::string& name);
/// The columns that an expression reads.
std::vector<std::string> ColumnsOf(const Expression& expression);

/// The calls that set rows aside (on_error = dead_letter), by identity. Equal ones set the same rows aside.
std::set<std::string> SettingAside(const std::vector<NamedExpression>& projections);
/// Says whether all of `some` stand in `all`.
bool Includes(const std::set<std::string>& all, const std::set<std::string>& some);
/// Says whether a project may leave rows out.
bool SetsRowsAside(const LogicalNode& node);

}  // namespace mainstem::plan
