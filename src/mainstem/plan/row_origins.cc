#include "mainstem/plan/row_origins.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mainstem/connectors/origin_source.h"
#include "mainstem/data/row_origin.h"

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

bool IsKeptByOrigin(const PlannedCall& call) {
  const bool kept = call.service.host == ServiceSpec::Host::kNative || !call.service.journal_identity.empty();
  return kept && !call.service.deterministic;
}

bool IsOrigin(const Column& column) { return column.name == kOriginColumn; }

bool HasOrigin(const Columns& columns) { return std::any_of(columns.begin(), columns.end(), IsOrigin); }

Columns WithoutOrigin(Columns columns) {
  std::erase_if(columns, IsOrigin);
  return columns;
}

Column OriginColumn() { return {kOriginColumn, LogicalType::Binary()}; }

class OriginPlacement {
 public:
  explicit OriginPlacement(const Registry& registry) : registry_(registry) {}

  // The node with the columns that it has.
  Result<LogicalNodePtr> Rewritten(const LogicalNodePtr& node) {
    if (node->kind == Kind::kCall && IsKeptByOrigin(node->call)) {
      ARROW_ASSIGN_OR_RAISE(LogicalNodePtr call, With(node));
      Columns columns = WithoutOrigin(call->columns);
      return MakeProjectNode(std::move(call), PassThrough(columns), registry_);
    }
    std::vector<LogicalNodePtr> inputs;
    for (const LogicalNodePtr& input : node->inputs) {
      ARROW_ASSIGN_OR_RAISE(LogicalNodePtr rewritten, Rewritten(input));
      inputs.push_back(std::move(rewritten));
    }
    return inputs == node->inputs ? node : WithInputs(node, std::move(inputs));
  }

 private:
  // The node with the origin as a column more.
  Result<LogicalNodePtr> With(const LogicalNodePtr& node) {
    if (HasOrigin(node->columns)) {
      return JobError(fmt::format("a column is named '{}', which the engine needs for itself here; rename it",
                                  kOriginColumn));
    }
    switch (node->kind) {
      case Kind::kSource: return WithSource(*node);
      case Kind::kProject: {
        ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, With(node->inputs[0]));
        std::vector<NamedExpression> projections = node->projections;
        projections.push_back({kOriginColumn, Expression::Column(kOriginColumn)});
        return MakeProjectNode(std::move(input), std::move(projections), registry_);
      }
      case Kind::kFilter:
      case Kind::kLimit:
      case Kind::kSort: {
        ARROW_ASSIGN_OR_RAISE(auto copy, Over(*node));
        copy->columns = copy->inputs[0]->columns;
        return copy;
      }
      case Kind::kOver: {
        ARROW_ASSIGN_OR_RAISE(auto copy, Over(*node));
        copy->columns = copy->inputs[0]->columns;
        const auto results = node->columns.end() - static_cast<ptrdiff_t>(node->aggregates.size());
        copy->columns.insert(copy->columns.end(), results, node->columns.end());
        return copy;
      }
      case Kind::kFetch: {
        ARROW_ASSIGN_OR_RAISE(auto copy, Over(*node));
        copy->columns = copy->inputs[0]->columns;
        if (node->output_column != node->column) copy->columns.push_back(node->columns.back());
        return copy;
      }
      case Kind::kExplode: return WithExplode(*node);
      case Kind::kLateral: return WithLateral(*node);
      case Kind::kCall: return WithCall(*node);
      case Kind::kUnion: return WithUnion(*node);
      case Kind::kAggregate: return NoOrigin("a group is made of many rows");
      case Kind::kJoin: return NoOrigin("a joined row is made of two rows");
      case Kind::kDistinct: return NoOrigin("a row that is left by drop_duplicates stands for several");
      default: return NoOrigin("a step before it makes rows of others");
    }
  }

  Status NoOrigin(const std::string& why) const {
    return JobError(fmt::format(
        "{} has deterministic=False, so the journal keeps its answers by where each row comes from (a file and the row in "
        "it), and here rows have no single origin: {}. Call it before that step, or run without a journal",
        call_, why));
  }

  // A copy over an input that has the origin.
  Result<std::shared_ptr<LogicalNode>> Over(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr input, With(node.inputs[0]));
    auto copy = std::make_shared<LogicalNode>(node);
    copy->inputs = {std::move(input)};
    copy->carries_origin = true;
    return copy;
  }

  Result<LogicalNodePtr> WithSource(const LogicalNode& node) {
    auto copy = std::make_shared<LogicalNode>(node);
    auto source = MakeOriginSource(node.source, readings_++);
    if (!source.ok()) return WithContext(source.status(), call_);
    copy->source = source.MoveValueUnsafe();
    copy->columns.push_back(OriginColumn());
    if (!copy->scan.all_columns) copy->scan.columns.push_back(kOriginColumn);
    return copy;
  }

  Result<LogicalNodePtr> WithExplode(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(auto copy, Over(node));
    ARROW_ASSIGN_OR_RAISE(const int exploded, FindColumn(node.columns, node.output_column));
    copy->columns = copy->inputs[0]->columns;
    const Column& output = node.columns[static_cast<size_t>(exploded)];
    if (node.output_column != node.column) {
      copy->columns.push_back(output);
      return copy;
    }
    for (Column& column : copy->columns) {
      if (column.name == node.column) column = output;
    }
    return copy;
  }

  Result<LogicalNodePtr> WithLateral(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(auto copy, Over(node));
    copy->columns.insert(copy->columns.begin() + static_cast<std::ptrdiff_t>(copy->kept.size()), OriginColumn());
    copy->kept.push_back(kOriginColumn);
    return copy;
  }

  Result<LogicalNodePtr> WithCall(const LogicalNode& node) {
    if (IsKeptByOrigin(node.call)) call_ = node.call.name;
    if (node.call.shape == CallOptions::Shape::kBatch) {
      return NoOrigin(fmt::format("{} makes whole batches of whole batches", node.call.name));
    }
    ARROW_ASSIGN_OR_RAISE(auto copy, Over(node));
    if (IsKeptByOrigin(node.call)) {
      copy->call.arguments.push_back(kOriginColumn);
      copy->call.service.by_origin = true;
      // One row may be asked several times by one function: each time for an answer of its own.
      const int times = times_asked_[node.call.service.journal_identity + node.call.service.payload]++;
      if (times > 0) copy->call.service.journal_identity += fmt::format("|asked again {}", times);
    }
    if (node.call.replace) {
      // Only what stands last in the input is left of it.
      ARROW_ASSIGN_OR_RAISE(copy->inputs[0], OriginLast(copy->inputs[0]));
      copy->columns = {OriginColumn()};
    } else {
      copy->columns = copy->inputs[0]->columns;
    }
    copy->columns.insert(copy->columns.end(), node.call.outputs.begin(), node.call.outputs.end());
    return copy;
  }

  Result<LogicalNodePtr> WithUnion(const LogicalNode& node) {
    auto copy = std::make_shared<LogicalNode>(node);
    for (LogicalNodePtr& input : copy->inputs) {
      ARROW_ASSIGN_OR_RAISE(input, With(input));
      ARROW_ASSIGN_OR_RAISE(input, OriginLast(input));
    }
    copy->columns.push_back(OriginColumn());
    return copy;
  }

  Result<LogicalNodePtr> OriginLast(LogicalNodePtr node) {
    if (IsOrigin(node->columns.back())) return node;
    Columns columns = WithoutOrigin(node->columns);
    columns.push_back(OriginColumn());
    return MakeProjectNode(std::move(node), PassThrough(columns), registry_);
  }

  const Registry& registry_;
  std::string call_;  // for whose sake the origin is carried
  int readings_ = 0;  // of sources
  std::map<std::string, int> times_asked_;  // by what the journal knows a function by
};

}  // namespace

Result<LogicalNodePtr> CarryOrigins(const LogicalNodePtr& root, const Registry& registry) {
  return OriginPlacement(registry).Rewritten(root);
}

}  // namespace mainstem::plan
