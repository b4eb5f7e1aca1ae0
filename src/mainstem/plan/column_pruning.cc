#include "mainstem/plan/column_pruning.h"

#include <arrow/type.h>
#include <arrow/type_traits.h>

#include <algorithm>
#include <set>

#include "mainstem/plan/row_rules.h"

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

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
      case Kind::kOver: return PruneOver(node, needed);
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
    // Rows without any column cannot be counted: keep one, a small one if there is one.
    if (copy->columns.empty() && !node->columns.empty()) {
      const auto small = std::find_if(node->columns.begin(), node->columns.end(), [](const Column& column) {
        return arrow::is_primitive(column.type.storage()->id());
      });
      copy->columns = {small == node->columns.end() ? node->columns[0] : *small};
    }
    copy->scan.all_columns = copy->columns.size() == node->columns.size();
    copy->scan.columns = NamesOf(copy->columns);
    return copy;
  }

  Result<LogicalNodePtr> PruneProject(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    std::vector<NamedExpression> kept;
    for (const NamedExpression& projection : node->projections) {
      if (Has(needed, projection.name)) kept.push_back(projection);
    }
    std::set<std::string> covered = SettingAside(kept);
    for (const NamedExpression& projection : node->projections) {
      std::set<std::string> aside = SettingAside({projection});
      if (Has(needed, projection.name) || Includes(covered, aside)) continue;
      kept.push_back(projection);
      covered.merge(aside);
    }
    // Where only rows are counted, one row of the input is one row here.
    if (kept.empty()) return Prune(node->inputs[0], {});
    std::vector<std::string> reads;
    for (const NamedExpression& projection : kept) CollectColumns(*projection.expression, &reads);
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
    if (!read && node->call.shape == CallOptions::Shape::kScalar && !node->call.replace &&
        node->call.on_error != "dead_letter") {
      return Prune(node->inputs[0], needed);
    }
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Exactly(node->inputs[0], below));
    copy->inputs = {input};
    copy->columns.clear();
    if (!node->call.replace) copy->columns = input->columns;
    for (const Column& output : node->call.outputs) copy->columns.push_back(output);
    return copy;
  }

  Result<LogicalNodePtr> PruneOver(const LogicalNodePtr& node, const std::vector<std::string>& needed) {
    auto copy = std::make_shared<LogicalNode>(*node);
    std::vector<std::string> below = node->keys;
    copy->aggregates.clear();
    for (const AggregateCall& call : node->aggregates) {
      if (!Has(needed, call.name)) continue;
      copy->aggregates.push_back(call);
      if (!call.column.empty()) below = Union(std::move(below), {call.column});
    }
    if (copy->aggregates.empty()) return Prune(node->inputs[0], needed);
    for (const std::string& name : needed) {
      if (FindColumn(node->inputs[0]->columns, name).ok()) below = Union(std::move(below), {name});
    }
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, Exactly(node->inputs[0], below));
    copy->columns = input->columns;
    for (const AggregateCall& call : copy->aggregates) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(node->columns, call.name));
      copy->columns.push_back(node->columns[static_cast<size_t>(index)]);
    }
    copy->inputs = {std::move(input)};
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

}  // namespace

Result<LogicalNodePtr> PruneColumns(const LogicalNodePtr& root, const Registry& registry) {
  std::vector<std::string> names;
  for (const Column& column : root->columns) names.push_back(column.name);
  ARROW_ASSIGN_OR_RAISE(LogicalNodePtr pruned, ColumnPruning(registry).Prune(root, names));
  if (pruned->kind == Kind::kWrite || pruned->columns.size() == root->columns.size()) return pruned;
  return MakeProjectNode(std::move(pruned), PassThrough(root->columns), registry);
}

}  // namespace mainstem::plan
