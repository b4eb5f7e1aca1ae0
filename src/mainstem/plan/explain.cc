// Explain: logical plans as trees for people.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "mainstem/plan/logical_plan.h"

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

std::string Line(const LogicalNode& node) {
  std::vector<std::string> parts;
  switch (node.kind) {
    case Kind::kSource: {
      std::string text = fmt::format("source {}", node.source->Describe());
      if (!node.scan.all_columns) text += fmt::format("; columns {}", fmt::join(node.scan.columns, ", "));
      if (node.scan.limit) text += fmt::format("; at most {} rows", *node.scan.limit);
      if (!node.scan.bounds.empty()) text += fmt::format("; {} bounds for pruning", node.scan.bounds.size());
      return text;
    }
    case Kind::kProject:
      for (const NamedExpression& projection : node.projections) {
        const std::string text = projection.expression->ToString();
        parts.push_back(text == projection.name ? text : fmt::format("{} = {}", projection.name, text));
      }
      return fmt::format("project {}", fmt::join(parts, ", "));
    case Kind::kFilter: return fmt::format("filter {}", node.expression->ToString());
    case Kind::kLimit:
      return fmt::format("limit {}{}", node.count ? std::to_string(*node.count) : "all",
                         node.offset ? fmt::format(", offset {}", node.offset) : "");
    case Kind::kExplode: return fmt::format("explode {}", node.column);
    case Kind::kLateral: return fmt::format("lateral {}", node.expression->ToString());
    case Kind::kCall:
      for (const Column& output : node.call.outputs) parts.push_back(output.name);
      return fmt::format("call {} = {}({})", fmt::join(parts, ", "), node.call.name,
                         fmt::join(node.call.arguments, ", "));
    case Kind::kFetch: return fmt::format("fetch {} = bytes of {}", node.output_column, node.column);
    case Kind::kUnion: return "union_all";
    case Kind::kDistinct: return fmt::format("drop_duplicates {}", fmt::join(node.names, ", "));
    case Kind::kSort:
      for (const SortKey& key : node.sort_keys) parts.push_back(key.column + (key.descending ? " desc" : ""));
      return fmt::format("sort {}", fmt::join(parts, ", "));
    case Kind::kAggregate:
      for (const AggregateCall& call : node.aggregates) {
        parts.push_back(fmt::format("{} = {}({})", call.name, call.function, call.column));
      }
      return fmt::format("aggregate {}{}{}", fmt::join(parts, ", "), node.keys.empty() ? "" : " by ",
                         fmt::join(node.keys, ", "));
    case Kind::kOver:
      for (const AggregateCall& call : node.aggregates) {
        parts.push_back(fmt::format("{} = {}({})", call.name, call.function, call.column));
      }
      return fmt::format("over {} by {}", fmt::join(parts, ", "), fmt::join(node.keys, ", "));
    case Kind::kJoin:
      return fmt::format("join on {} = {}", fmt::join(node.left_on, ", "), fmt::join(node.right_on, ", "));
    case Kind::kWrite: return node.sink ? fmt::format("write {}", node.sink->Describe()) : "write";
  }
  return "?";
}

void Print(const LogicalNode& node, int depth, std::string* text) {
  *text += fmt::format("{:{}}{}\n", "", depth * 2, Line(node));
  for (const LogicalNodePtr& input : node.inputs) Print(*input, depth + 1, text);
}

}  // namespace

std::string ToString(const LogicalNode& node) {
  std::string text;
  Print(node, 0, &text);
  return text;
}

}  // namespace mainstem::plan
