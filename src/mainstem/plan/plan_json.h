// Plan JSON: the text form of plans, parsed into nodes that are not bound yet (docs/plan.md).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/connectors/catalog.h"
#include "mainstem/functions/expression.h"

namespace mainstem::plan {

struct NamedExpression {
  std::string name;
  ExpressionPtr expression;
};

/// User code that the plan carries.
struct UserFunction {
  std::string id;
  std::string name;
  std::string kind;      ///< scalar | table | map | map_batches | flat_map
  std::string form;      ///< general | pandas | arrow | numpy
  LogicalType return_type;
  bool deterministic = true;
  std::optional<int> concurrency;
  std::optional<int64_t> batch_size;  ///< unset: by bytes and time
  std::optional<double> timeout_s;
  double num_gpus = 0;
  std::string gpu_type;
  std::string on_error = "raise";
  std::string payload;   ///< cloudpickle bytes
  std::string journal;   ///< what its code and settings are, hashed; empty: not journaled
};

/// A node as the plan has it.
struct PlanNode {
  std::string op;
  std::vector<size_t> inputs;
  std::string connector;
  ConnectorOptions options;
  std::vector<NamedExpression> columns;
  std::vector<std::string> names;               ///< drop, distinct.subset, lateral.names
  bool has_names = false;
  std::map<std::string, std::string> renames;
  ExpressionPtr expression;                     ///< filter.predicate, lateral.call
  std::optional<int64_t> count;
  int64_t offset = 0;
  std::string column;                           ///< explode
  std::string output_column;
  bool flag = false;                            ///< drop.strict, explode.ignore_empty_and_null, lateral.ignore_empty
  std::string keep = "first";
  struct SortBy {
    ExpressionPtr expression;
    bool descending = false;
    bool nulls_first = false;
  };
  std::vector<SortBy> sort_by;
  struct Aggregate {
    std::string name;
    std::string function;
    ExpressionPtr expression;                   ///< null: counts rows
  };
  std::vector<Aggregate> aggregates;            ///< their keys stand in `columns`
  std::string how = "inner";
  std::vector<std::string> left_on;
  std::vector<std::string> right_on;
  std::string udf;                              ///< map
};

struct ParsedPlan {
  std::vector<PlanNode> nodes;
  std::map<std::string, UserFunction> user_functions;
};

/// Parses a plan. Errors name the node and the field.
Result<ParsedPlan> ParsePlan(const std::string& json_text);

}  // namespace mainstem::plan
