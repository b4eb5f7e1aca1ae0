#include "mainstem/plan/rules.h"

#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "mainstem/plan/column_pruning.h"
#include "mainstem/plan/row_origins.h"
#include "mainstem/plan/row_rules.h"

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

// Applies a rule to every node, inputs first.
Result<LogicalNodePtr> Everywhere(const LogicalNodePtr& node,
                                  const std::function<Result<LogicalNodePtr>(LogicalNodePtr)>& rule) {
  std::vector<LogicalNodePtr> inputs;
  for (const LogicalNodePtr& input : node->inputs) {
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr rewritten, Everywhere(input, rule));
    inputs.push_back(std::move(rewritten));
  }
  return rule(WithInputs(node, std::move(inputs)));
}

bool ContainsFunction(const Expression& expression, const std::function<bool(const FunctionDefinition&)>& test,
                      const Registry& registry) {
  if (expression.kind == Expression::Kind::kCall) {
    const FunctionDefinition* function = registry.FindOrNull(expression.name);
    if (function && test(*function)) return true;
  }
  return std::any_of(expression.arguments.begin(), expression.arguments.end(),
                     [&](const ExpressionPtr& argument) { return ContainsFunction(*argument, test, registry); });
}

std::map<std::string, ExpressionPtr> Definitions(const LogicalNode& project) {
  std::map<std::string, ExpressionPtr> definitions;
  for (const NamedExpression& projection : project.projections) definitions[projection.name] = projection.expression;
  return definitions;
}

// Size of the expression with the definitions put in, as a tree; saturating. A column that is used twice at every step
// of a long chain doubles each time: such chains stay apart.
int64_t SizeOf(const Expression& expression, const std::map<std::string, int64_t>& sizes) {
  if (expression.kind == Expression::Kind::kColumn) {
    const auto found = sizes.find(expression.name);
    return found == sizes.end() ? 1 : found->second;
  }
  int64_t size = 1;
  for (const ExpressionPtr& argument : expression.arguments) size += SizeOf(*argument, sizes);
  return size;
}

constexpr int64_t kMostNodes = 4096;

bool StaysSmall(const std::vector<ExpressionPtr>& expressions, const std::map<std::string, ExpressionPtr>& definitions) {
  std::map<std::string, int64_t> sizes;
  for (const auto& [name, definition] : definitions) sizes[name] = SizeOf(*definition, {});
  int64_t size = 0;
  for (const ExpressionPtr& expression : expressions) size += SizeOf(*expression, sizes);
  return size <= kMostNodes;
}

// Moves a filter below what it does not depend on. It never moves below a project that computes what it reads with a
// row function: it would compute it twice.
Result<LogicalNodePtr> PushFilter(LogicalNodePtr filter, const Registry& registry) {
  if (filter->kind != Kind::kFilter) return filter;
  const LogicalNodePtr below = filter->inputs[0];
  const std::vector<std::string> reads = ColumnsOf(*filter->expression);
  const auto swap = [&](ExpressionPtr predicate) -> Result<LogicalNodePtr> {
    auto lower = std::make_shared<LogicalNode>(*filter);
    lower->expression = std::move(predicate);
    lower->inputs = {below->inputs[0]};
    lower->columns = below->inputs[0]->columns;
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr pushed, PushFilter(std::move(lower), registry));
    return WithInputs(below, {std::move(pushed)});
  };
  switch (below->kind) {
    case Kind::kProject: {
      const auto definitions = Definitions(*below);
      for (const std::string& name : reads) {
        const auto is_row = [](const FunctionDefinition& function) { return function.kind == FunctionKind::kRow; };
        if (ContainsFunction(*definitions.at(name), is_row, registry)) return filter;
      }
      if (!StaysSmall({filter->expression}, definitions)) return filter;
      return swap(Substitute(filter->expression, definitions));
    }
    case Kind::kCall:
      if (below->call.replace) return filter;
      for (const Column& output : below->call.outputs) {
        if (Has(reads, output.name)) return filter;
      }
      return swap(filter->expression);
    case Kind::kLateral:
      for (const std::string& name : below->function_columns) {
        if (Has(reads, name)) return filter;
      }
      return swap(filter->expression);
    case Kind::kExplode:
      if (Has(reads, below->output_column)) return filter;
      return swap(filter->expression);
    case Kind::kSort: return swap(filter->expression);
    default: return filter;
  }
}

// project(project(x)) becomes one project; equal parts are computed once by the expression program. Where the lower one
// sets rows aside by what the upper one does not read, both stay: the rows are gone whether the value is read or not.
Result<LogicalNodePtr> MergeProjects(LogicalNodePtr node, const Registry& registry) {
  if (node->kind == Kind::kProject && node->inputs[0]->kind == Kind::kProject) {
    const LogicalNodePtr lower = node->inputs[0];
    const auto definitions = Definitions(*lower);
    std::vector<ExpressionPtr> expressions;
    for (const NamedExpression& projection : node->projections) expressions.push_back(projection.expression);
    if (!StaysSmall(expressions, definitions)) return node;
    std::vector<NamedExpression> merged;
    for (const NamedExpression& projection : node->projections) {
      merged.push_back({projection.name, Substitute(projection.expression, definitions)});
    }
    if (!Includes(SettingAside(merged), SettingAside(lower->projections))) return node;
    return MakeProjectNode(lower->inputs[0], std::move(merged), registry);
  }
  return node;
}

LogicalNodePtr DropIdentity(LogicalNodePtr node) {
  if (node->kind != Kind::kProject || node->columns.size() != node->inputs[0]->columns.size()) return node;
  for (size_t i = 0; i < node->columns.size(); ++i) {
    const Expression& expression = *node->projections[i].expression;
    if (expression.kind != Expression::Kind::kColumn || expression.name != node->columns[i].name ||
        node->inputs[0]->columns[i].name != node->columns[i].name) {
      return node;
    }
  }
  return node->inputs[0];
}

// Comparisons of a column with a literal, in a conjunction.
void CollectBounds(const Expression& expression, std::vector<ScanRequest::Bound>* bounds) {
  if (expression.kind != Expression::Kind::kCall) return;
  if (expression.name == "and") {
    for (const ExpressionPtr& argument : expression.arguments) CollectBounds(*argument, bounds);
    return;
  }
  static const std::map<std::string, std::string> kMirrored = {{"equal", "equal"},
                                                               {"less", "greater"},
                                                               {"less_equal", "greater_equal"},
                                                               {"greater", "less"},
                                                               {"greater_equal", "less_equal"}};
  const auto mirrored = kMirrored.find(expression.name);
  if (mirrored == kMirrored.end() || expression.arguments.size() != 2) return;
  const Expression& left = *expression.arguments[0];
  const Expression& right = *expression.arguments[1];
  if (left.kind == Expression::Kind::kColumn && right.kind == Expression::Kind::kLiteral) {
    bounds->push_back({left.name, expression.name, right.literal});
  } else if (left.kind == Expression::Kind::kLiteral && right.kind == Expression::Kind::kColumn) {
    bounds->push_back({right.name, mirrored->second, left.literal});
  }
}

LogicalNodePtr PushBounds(LogicalNodePtr node) {
  if (node->kind != Kind::kFilter || node->inputs[0]->kind != Kind::kSource) return node;
  auto source = std::make_shared<LogicalNode>(*node->inputs[0]);
  source->scan.bounds.clear();
  CollectBounds(*node->expression, &source->scan.bounds);
  return WithInputs(node, {source});
}

int64_t SaturatingSum(int64_t a, int64_t b) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  return a > kMost - b ? kMost : a + b;
}

// Moves a small limit below what keeps the number of rows: nobody pays for calls whose replies are cut off. A large one
// stays, because behind a limit there is one subtask.
LogicalNodePtr SinkLimit(LogicalNodePtr limit) {
  constexpr int64_t kSmall = 10'000;
  if (limit->kind != Kind::kLimit || !limit->count || SaturatingSum(*limit->count, limit->offset) > kSmall) return limit;
  const LogicalNodePtr below = limit->inputs[0];
  const bool keeps_rows = (below->kind == Kind::kProject && !SetsRowsAside(*below)) ||
                          (below->kind == Kind::kCall && below->call.shape == CallOptions::Shape::kScalar &&
                           below->call.on_error != "dead_letter");
  if (!keeps_rows) return limit;
  auto lower = std::make_shared<LogicalNode>(*limit);
  lower->inputs = {below->inputs[0]};
  lower->columns = below->inputs[0]->columns;
  return WithInputs(below, {SinkLimit(std::move(lower))});
}

// Tells the source how many rows are enough, through nodes that keep the number of rows.
LogicalNodePtr PushLimit(LogicalNodePtr node) {
  if (node->kind != Kind::kLimit || !node->count) return node;
  std::function<LogicalNodePtr(const LogicalNodePtr&, int64_t)> push = [&](const LogicalNodePtr& below,
                                                                           int64_t enough) -> LogicalNodePtr {
    if (below->kind == Kind::kSource) {
      auto source = std::make_shared<LogicalNode>(*below);
      source->scan.limit = std::min(source->scan.limit.value_or(enough), enough);
      return source;
    }
    // A project may set rows aside, so what it needs is not bounded by what it gives.
    const bool keeps_rows = below->kind == Kind::kProject || below->kind == Kind::kLimit;
    if (!keeps_rows || SetsRowsAside(*below)) return below;
    // Rows that a limit below skips are needed too.
    const int64_t skipped = below->kind == Kind::kLimit ? below->offset : 0;
    return WithInputs(below, {push(below->inputs[0], SaturatingSum(enough, skipped))});
  };
  return WithInputs(node, {push(node->inputs[0], SaturatingSum(*node->count, node->offset))});
}

}  // namespace

Result<LogicalNodePtr> Optimize(LogicalNodePtr root, const RuleContext& context) {
  const Registry& registry = *context.registry;
  const auto merge = [&](LogicalNodePtr node) { return MergeProjects(std::move(node), registry); };
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, merge));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [&](LogicalNodePtr node) { return PushFilter(std::move(node), registry); }));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, merge));
  ARROW_ASSIGN_OR_RAISE(root, PruneColumns(root, registry));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, merge));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [&](LogicalNodePtr node) { return FetchAhead(std::move(node), registry); }));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [](LogicalNodePtr node) -> Result<LogicalNodePtr> {
    return PushBounds(DropIdentity(SinkLimit(std::move(node))));
  }));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [](LogicalNodePtr node) -> Result<LogicalNodePtr> {
    return PushLimit(std::move(node));
  }));
  ARROW_ASSIGN_OR_RAISE(
      root, Everywhere(root, [&](LogicalNodePtr node) { return ScaleWhileDecoding(std::move(node), registry); }));
  if (!context.keeps_replies) return root;
  ARROW_ASSIGN_OR_RAISE(LogicalNodePtr carrying, CarryOrigins(root, registry));
  return carrying == root ? root : Everywhere(carrying, merge);
}

}  // namespace mainstem::plan
