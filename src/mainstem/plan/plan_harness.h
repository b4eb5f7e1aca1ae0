// Test-only: plans over tables in memory, bound and optimised.
#pragma once

#include <algorithm>
#include <functional>
#include <string>

#include "mainstem/functions/expression_harness.h"
#include "mainstem/plan/job_graph.h"
#include "mainstem/plan/rules.h"

namespace mainstem::testing {

using plan::LogicalNode;
using plan::LogicalNodePtr;
using Kind = LogicalNode::Kind;

/// Tables "t" (a: int64, b: string, file: file, list: list<int64>) and "u" (a: int64, c: string).
inline const MemoryTables& Tables() {
  static const MemoryTables kTables = [] {
    const Rows t({{"a", "int64", "[1, 2]"},
                  {"b", "string", R"(["x", "y"])"},
                  {"file", "\"file\"", "[null, null]"},
                  {"list", R"({"type":"list","item":"int64"})", "[[1], []]"}});
    const Rows u({{"a", "int64", "[1]"}, {"c", "string", R"(["z"])"}});
    return MemoryTables{{"t", *arrow::Table::FromRecordBatches({t.batch})},
                        {"u", *arrow::Table::FromRecordBatches({u.batch})}};
  }();
  return kTables;
}

constexpr char kUserFunctions[] =
    R"({"f": {"name": "f", "kind": "scalar", "return_type": "int64", "payload": ""},
        "g": {"name": "g", "kind": "scalar", "return_type": "int64", "payload": "", "on_error": "dead_letter"},
        "many": {"name": "many", "kind": "table", "return_type": "string", "payload": ""},
        "rows": {"name": "rows", "kind": "map_batches", "return_type":
                 {"type": "struct", "fields": [{"name": "out", "type": "int64"}]}, "payload": ""}})";

/// Binds a plan whose first node reads table t; `nodes` is what follows, with quotes as ' for legibility.
inline Result<LogicalNodePtr> Bound(std::string nodes) {
  std::replace(nodes.begin(), nodes.end(), '\'', '"');
  const std::string text =
      R"({"version": 1, "nodes": [{"op": "source", "connector": "memory", "options": {"table": "t"}})" +
      (nodes.empty() ? "" : "," + nodes) + R"(], "udfs": )" + kUserFunctions + "}";
  ARROW_ASSIGN_OR_RAISE(plan::ParsedPlan parsed, plan::ParsePlan(text));
  std::map<std::string, std::shared_ptr<Source>> cache;
  return plan::BindPlan(parsed, {.registry = &Functions(), .tables = &Tables(), .source_cache = &cache, .processors = 2});
}

inline Result<LogicalNodePtr> Optimized(const std::string& nodes) {
  ARROW_ASSIGN_OR_RAISE(LogicalNodePtr root, Bound(nodes));
  return plan::Optimize(root, {.registry = &Functions()});
}

/// All nodes of a kind, root first.
inline std::vector<const LogicalNode*> Find(const LogicalNode& root, Kind kind) {
  std::vector<const LogicalNode*> found;
  if (root.kind == kind) found.push_back(&root);
  for (const LogicalNodePtr& input : root.inputs) {
    for (const LogicalNode* node : Find(*input, kind)) found.push_back(node);
  }
  return found;
}

inline std::vector<std::string> NamesOf(const Columns& columns) {
  std::vector<std::string> names;
  for (const Column& column : columns) names.push_back(column.name);
  return names;
}

}  // namespace mainstem::testing
