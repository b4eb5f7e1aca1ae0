#include "mainstem/plan/rules.h"

#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <set>

#include "mainstem/plan/row_rules.h"

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> ColumnsOf(const Expression& expression) {
  std::vector<std::string> names;
  CollectColumns(expression, &names);
  return names;
}

LogicalNodePtr WithInputs(const LogicalNodePtr& node, std::vector<LogicalNodePtr> inputs) {
  auto copy = std::make_shared<LogicalNode>(*node);
  copy->inputs = std::move(inputs);
  return copy;
}

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

// project(project(x)) becomes one project; equal parts are computed once by the expression program.
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

// Removes columns that nobody reads, from the root down.
class ColumnPruning {
 public:
  explicit ColumnPruning(const Registry& registry) : registry_(registry) {}

  // `needed` are the columns of `node` that something above reads; all of them where it is the root.
  Result<LogicalNodePtr> Prune(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    switch (node->kind) {
      case Kind::kSource: return PruneSource(node, needed);
      case Kind::kProject: return PruneProject(node, needed);
      case Kind::kFilter: return Through(node, needed, ColumnsOf(*node->expression));
      case Kind::kLimit: return Through(node, needed, {});
      case Kind::kExplode: return PruneExplode(node, needed);
      case Kind::kLateral: return PruneLateral(node, needed);
      case Kind::kCall: return PruneCall(node, needed);
      case Kind::kFetch: return Through(node, needed, {node->column});
      case Kind::kSort: {
        std::vector<std::string> keys;
        for (const SortKey& key : node->sort_keys) keys.push_back(key.column);
        return Narrowed(node, needed, keys);
      }
      case Kind::kDistinct: return Narrowed(node, needed, node->names);
      case Kind::kJoin: return PruneJoin(node, needed);
      case Kind::kAggregate:
      case Kind::kUnion:
      case Kind::kWrite: break;
    }
    std::vector<LogicalNodePtr> inputs;
    for (const LogicalNodePtr& input : node->inputs) {
      ARROW_ASSIGN_OR_RAISE(LogicalNodePtr pruned, Exactly(input, NamesOf(input->columns)));
      inputs.push_back(std::move(pruned));
    }
    return WithInputs(node, std::move(inputs));
  }

 private:
  static std::vector<std::string> NamesOf(const Columns& columns) {
    std::vector<std::string> names;
    for (const Column& column : columns) names.push_back(column.name);
    return names;
  }

  static Columns Only(const Columns& columns, const std::vector<std::string>& names) {
    Columns kept;
    for (const Column& column : columns) {
      if (Has(names, column.name)) kept.push_back(column);
    }
    return kept;
  }

  static std::vector<std::string> Union(std::vector<std::string> a, const std::vector<std::string>& b) {
    for (const std::string& name : b) {
      if (!Has(a, name)) a.push_back(name);
    }
    return a;
  }

  // Prunes and makes sure that exactly these columns come, in the order that `node` has them.
  Result<LogicalNodePtr> Exactly(const LogicalNodePtr& node, const std::vector<std::string>& names) {
    const Columns wanted = Only(node->columns, names);
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr pruned, Prune(node, names));
    if (NamesOf(pruned->columns) == NamesOf(wanted)) return pruned;
    return MakeProjectNode(std::move(pruned), PassThrough(wanted), registry_);
  }

  static Result<LogicalNodePtr> PruneSource(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    auto copy = std::make_shared<LogicalNode>(*node);
    copy->columns = Only(node->columns, needed);
    // Rows without any column cannot be counted: keep the first.
    if (copy->columns.empty() && !node->columns.empty()) copy->columns = {node->columns[0]};
    copy->scan.all_columns = copy->columns.size() == node->columns.size();
    copy->scan.columns = NamesOf(copy->columns);
    return copy;
  }

  Result<LogicalNodePtr> PruneProject(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    std::vector<NamedExpression> kept;
    std::vector<std::string> reads;
    for (const NamedExpression& projection : node->projections) {
      if (!Has(needed, projection.name)) continue;
      kept.push_back(projection);
      CollectColumns(*projection.expression, &reads);
    }
    if (kept.empty() && !node->projections.empty()) {
      kept.push_back(node->projections[0]);
      CollectColumns(*kept[0].expression, &reads);
    }
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Prune(node->inputs[0], reads));
    return MakeProjectNode(std::move(input), std::move(kept), registry_);
  }

  // Nodes whose output columns are their input's.
  Result<LogicalNodePtr> Through(const LogicalNodePtr& node, const std::vector<std::string>& needed,
                                 const std::vector<std::string>& reads) {
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Prune(node->inputs[0], Union(needed, reads)));
    auto copy = WithInputs(node, {input});
    copy->columns = input->columns;
    return copy;
  }

  // Nodes that hold rows: only what is needed is held.
  Result<LogicalNodePtr> Narrowed(const LogicalNodePtr& node, const std::vector<std::string>& needed,
                                  const std::vector<std::string>& reads) {
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Exactly(node->inputs[0], Union(needed, reads)));
    auto copy = WithInputs(node, {input});
    copy->columns = input->columns;
    return copy;
  }

  Result<LogicalNodePtr> PruneExplode(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    std::vector<std::string> below = {node->column};
    for (const std::string& name : needed) {
      if (name != node->output_column && !Has(below, name)) below.push_back(name);
    }
    if (node->output_column != node->column && Has(needed, node->column)) below = Union(below, {node->column});
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Exactly(node->inputs[0], below));
    auto copy = WithInputs(node, {input});
    copy->columns.clear();
    for (const Column& column : node->columns) {
      if (Has(below, column.name) || column.name == node->output_column) copy->columns.push_back(column);
    }
    return copy;
  }

  Result<LogicalNodePtr> PruneLateral(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    auto copy = std::make_shared<LogicalNode>(*node);
    copy->kept.clear();
    for (const std::string& name : node->kept) {
      if (Has(needed, name)) copy->kept.push_back(name);
    }
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input,
                          Prune(node->inputs[0], Union(copy->kept, ColumnsOf(*node->expression))));
    copy->inputs = {input};
    copy->columns.clear();
    for (const Column& column : node->columns) {
      if (Has(copy->kept, column.name) || Has(node->function_columns, column.name)) copy->columns.push_back(column);
    }
    return copy;
  }

  Result<LogicalNodePtr> PruneCall(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    auto copy = std::make_shared<LogicalNode>(*node);
    std::vector<std::string> below = node->call.arguments;
    if (!node->call.replace) {
      for (const std::string& name : needed) {
        const bool output = std::any_of(node->call.outputs.begin(), node->call.outputs.end(),
                                        [&](const Column& column) { return column.name == name; });
        if (!output && !Has(below, name)) below.push_back(name);
      }
    }
    // A call is made for its reply: where nobody reads it, and it cannot change the rows, it is not made.
    const bool read = std::any_of(node->call.outputs.begin(), node->call.outputs.end(),
                                  [&](const Column& column) { return Has(needed, column.name); });
    if (!read && node->call.shape == CallOptions::Shape::kScalar && !node->call.replace) {
      return Prune(node->inputs[0], needed);
    }
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Exactly(node->inputs[0], below));
    copy->inputs = {input};
    copy->columns.clear();
    if (!node->call.replace) copy->columns = input->columns;
    for (const Column& output : node->call.outputs) copy->columns.push_back(output);
    return copy;
  }

  Result<LogicalNodePtr> PruneJoin(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr left, Exactly(node->inputs[0], Union(needed, node->left_on)));
    const bool left_only = node->join == JoinKind::kSemi || node->join == JoinKind::kAnti;
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr right, Exactly(node->inputs[1], left_only ? node->right_on
                                                                                   : Union(needed, node->right_on)));
    auto copy = WithInputs(node, {left, right});
    copy->columns.clear();
    for (const Column& column : node->columns) {
      const bool there = FindColumn(left->columns, column.name).ok() ||
                         (!left_only && FindColumn(right->columns, column.name).ok());
      if (there) copy->columns.push_back(column);
    }
    return copy;
  }

  const Registry& registry_;
};

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
  std::vector<std::string> names;
  for (const Column& column : root->columns) names.push_back(column.name);
  const LogicalNodePtr before = root;
  ARROW_ASSIGN_OR_RAISE(root, ColumnPruning(registry).Prune(root, names));
  if (root->kind != Kind::kWrite && root->columns.size() != before->columns.size()) {
    ARROW_ASSIGN_OR_RAISE(root, MakeProjectNode(root, PassThrough(before->columns), registry));
  }
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, merge));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [&](LogicalNodePtr node) { return FetchAhead(std::move(node), registry); }));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [](LogicalNodePtr node) -> Result<LogicalNodePtr> {
    return PushBounds(DropIdentity(SinkLimit(std::move(node))));
  }));
  ARROW_ASSIGN_OR_RAISE(root, Everywhere(root, [](LogicalNodePtr node) -> Result<LogicalNodePtr> {
    return PushLimit(std::move(node));
  }));
  return Everywhere(root, [&](LogicalNodePtr node) { return ScaleWhileDecoding(std::move(node), registry); });
}

}  // namespace mainstem::plan
