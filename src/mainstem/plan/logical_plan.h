// Logical plan: what a job computes, bound to sources, functions and types; rewritten by rules before it runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/connectors/catalog.h"
#include "mainstem/operators/call.h"
#include "mainstem/operators/relational.h"
#include "mainstem/plan/plan_json.h"
#include "mainstem/services/endpoint.h"

namespace mainstem::plan {

struct LogicalNode;
using LogicalNodePtr = std::shared_ptr<LogicalNode>;

/// A call that leaves the process, as the planner placed it.
struct PlannedCall {
  std::string name;                         ///< for people
  ServiceSpec service;                      ///< without schemas until the job graph is made
  std::vector<std::string> arguments;       ///< columns that are sent
  Columns outputs;
  CallOptions::Shape shape = CallOptions::Shape::kScalar;
  std::string on_error = "raise";
  bool ignore_empty = true;
  bool replace = false;                     ///< only the outputs remain
};

/// One node. Fields belong to the kinds that their comment names. Nodes of one plan may share inputs; rules copy
/// before they change.
struct LogicalNode {
  enum class Kind {
    kSource, kProject, kFilter, kLimit, kExplode, kLateral, kCall, kFetch, kUnion, kDistinct, kSort, kAggregate, kOver,
    kJoin, kWrite
  };
  Kind kind = Kind::kSource;
  std::vector<LogicalNodePtr> inputs;
  Columns columns;                            ///< what comes out

  std::shared_ptr<Source> source;             // kSource
  ScanRequest scan;                           // kSource
  std::vector<NamedExpression> projections;   // kProject: one a column
  ExpressionPtr expression;                   // kFilter: predicate; kLateral: the call
  std::optional<int64_t> count;               // kLimit
  int64_t offset = 0;                         // kLimit
  std::string column;                         // kExplode, kFetch: which
  std::string output_column;                  // kExplode, kFetch: what it becomes
  bool ignore_empty = false;                  // kExplode, kLateral
  std::vector<std::string> kept;              // kLateral: input columns that are carried on
  std::vector<std::string> function_columns;  // kLateral: names of what the function emits
  std::string on_error = "raise";             // kFetch
  PlannedCall call;                           // kCall
  std::vector<std::string> names;             // kDistinct: subset
  bool keep_first = true;                     // kDistinct
  std::vector<SortKey> sort_keys;             // kSort
  std::vector<std::string> keys;              // kAggregate, kOver
  std::vector<AggregateCall> aggregates;      // kAggregate, kOver
  JoinKind join = JoinKind::kInner;           // kJoin
  std::vector<std::string> left_on;           // kJoin
  std::vector<std::string> right_on;          // kJoin
  std::shared_ptr<Sink> sink;                 // kWrite
  bool carries_origin = false;                // kExplode, kLateral, kCall: rows have kOriginColumn (row_origins.h)
};

/// What binding needs.
struct BindContext {
  const Registry* registry = nullptr;
  const MemoryTables* tables = nullptr;
  const GivenSinks* sinks = nullptr;  ///< none where null
  /// Sources bound before, by connector and options, so that editing a plan does not open its files again.
  std::map<std::string, std::shared_ptr<Source>>* source_cache = nullptr;
  bool create_sinks = true;  ///< false where only schemas are wanted
  int processors = 1;
};

/// Binds a parsed plan: checks every name, type and option, replaces user functions and models by calls.
Result<LogicalNodePtr> BindPlan(const ParsedPlan& plan, const BindContext& context);

/// A name for a hidden column that is not among the columns yet.
std::string FreshName(const Columns& columns, const std::string& prefix);
/// Makes the node's projection list for passing all columns through.
std::vector<NamedExpression> PassThrough(const Columns& columns);
/// A copy of the node over other inputs.
LogicalNodePtr WithInputs(const LogicalNodePtr& node, std::vector<LogicalNodePtr> inputs);
/// A project over `input`; its columns are bound and checked.
Result<LogicalNodePtr> MakeProjectNode(LogicalNodePtr input, std::vector<NamedExpression> projections,
                                       const Registry& registry);

/// Whether the node's rows have no end.
bool IsUnbounded(const LogicalNode& node);
/// An error when values of the column cannot be compared for equality; `what` says what the column was to be.
Status CheckKey(const Column& column, const char* what);

/// The plan as an indented tree, root first.
std::string ToString(const LogicalNode& node);

}  // namespace mainstem::plan
