#include "mainstem/plan/logical_plan.h"

#include <fmt/format.h>

#include <set>

namespace mainstem::plan {

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

}  // namespace mainstem::plan
