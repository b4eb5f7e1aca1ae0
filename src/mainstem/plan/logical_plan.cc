#include "mainstem/plan/logical_plan.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace mainstem::plan {

std::string FreshName(const Columns& columns, const std::string& prefix) {
  for (size_t i = 0;; ++i) {
    std::string name = fmt::format("{}{}", prefix, i);
    const bool taken = std::any_of(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
    if (!taken) return name;
  }
}

std::vector<NamedExpression> PassThrough(const Columns& columns) {
  std::vector<NamedExpression> projections;
  for (const Column& column : columns) projections.push_back({column.name, Expression::Column(column.name)});
  return projections;
}

Result<LogicalNodePtr> MakeProjectNode(LogicalNodePtr input, std::vector<NamedExpression> projections,
                                       const Registry& registry) {
  auto node = std::make_shared<LogicalNode>();
  node->kind = LogicalNode::Kind::kProject;
  std::set<std::string> seen;
  for (const NamedExpression& projection : projections) {
    ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(projection.expression, input->columns, registry));
    if (!seen.insert(projection.name).second) {
      return JobError(fmt::format("two columns are named '{}'; give one an alias", Escaped(projection.name)));
    }
    node->columns.push_back({projection.name, bound->type});
  }
  node->projections = std::move(projections);
  node->inputs = {std::move(input)};
  return node;
}

LogicalNodePtr WithInputs(const LogicalNodePtr& node, std::vector<LogicalNodePtr> inputs) {
  auto copy = std::make_shared<LogicalNode>(*node);
  copy->inputs = std::move(inputs);
  return copy;
}

bool IsUnbounded(const LogicalNode& node) {
  if (node.kind == LogicalNode::Kind::kSource) return node.source->unbounded();
  if (node.kind == LogicalNode::Kind::kLimit && node.count) return false;
  return std::any_of(node.inputs.begin(), node.inputs.end(), [](const auto& input) { return IsUnbounded(*input); });
}

Status CheckKey(const Column& column, const char* what) {
  if (column.type.kind() == TypeKind::kPlain && column.type.storage()->num_fields() == 0) return Status::OK();
  return JobError(fmt::format("column '{}' is {} and cannot be {}; use hash() of it, or a part", column.name,
                              column.type.ToString(), what));
}

}  // namespace mainstem::plan
