#include "mainstem/plan/over_placement.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "mainstem/operators/over.h"

namespace mainstem::plan {
namespace {

constexpr std::string_view kPrefix = "over.";

bool IsOver(const Expression& expression) {
  return expression.kind == Expression::Kind::kCall && expression.name.starts_with(kPrefix);
}

bool ContainsOver(const Expression& expression) {
  return IsOver(expression) || std::any_of(expression.arguments.begin(), expression.arguments.end(),
                                           [](const ExpressionPtr& argument) { return ContainsOver(*argument); });
}

// Calls that contain no other such call.
void CollectInnermost(const ExpressionPtr& expression, std::map<std::string, ExpressionPtr>* calls) {
  for (const ExpressionPtr& argument : expression->arguments) CollectInnermost(argument, calls);
  const bool innermost = IsOver(*expression) && std::none_of(expression->arguments.begin(), expression->arguments.end(),
                                                             [](const auto& argument) { return ContainsOver(*argument); });
  if (innermost) calls->emplace(expression->Identity(), expression);
}

ExpressionPtr Replace(const ExpressionPtr& expression, const std::map<std::string, std::string>& columns) {
  if (IsOver(*expression)) {
    const auto found = columns.find(expression->Identity());
    if (found != columns.end()) return Expression::Column(found->second);
  }
  if (!ContainsOver(*expression)) return expression;
  auto copy = std::make_shared<Expression>(*expression);
  for (ExpressionPtr& argument : copy->arguments) argument = Replace(argument, columns);
  return copy;
}

// The keys of a call, and what stands before them.
struct OverExpression {
  std::string function;
  ExpressionPtr argument;  // null: none
  std::vector<ExpressionPtr> keys;
};

Result<OverExpression> Split(const Expression& call) {
  OverExpression over{.function = call.name.substr(kPrefix.size())};
  const auto option = call.options.find("keys");
  const auto* keys = option == call.options.end() ? nullptr : std::get_if<int64_t>(&option->second.value);
  const auto count = static_cast<int64_t>(call.arguments.size());
  if (keys == nullptr || *keys < 1 || *keys > count || count - *keys > 1) {
    return JobError(fmt::format("{} needs the keys of its partition: .over(ms.Window().partition_by(…))", call.name));
  }
  const bool takes_argument = over.function != "row_number";
  if (takes_argument != (count - *keys == 1)) {
    return JobError(fmt::format("{} takes {} argument", over.function, takes_argument ? "one" : "no"));
  }
  if (takes_argument) over.argument = call.arguments[0];
  over.keys.assign(call.arguments.end() - *keys, call.arguments.end());
  return over;
}

/// A node for the calls of one list of keys.
class OverNode {
 public:
  explicit OverNode(LogicalNodePtr input) : input_(std::move(input)), projections_(PassThrough(input_->columns)) {
    taken_ = input_->columns;
  }

  Status Add(const std::string& identity, const OverExpression& over) {
    if (keys_.empty()) {
      for (const ExpressionPtr& key : over.keys) keys_.push_back(NameOf(key));
    }
    calls_.push_back({.identity = identity, .function = over.function,
                      .column = over.argument ? NameOf(over.argument) : ""});
    return Status::OK();
  }

  // `columns` gets the column that stands for each call.
  Result<LogicalNodePtr> Finish(const ProjectNode& project, std::map<std::string, std::string>* columns) {
    if (projections_.size() > input_->columns.size()) {
      ARROW_ASSIGN_OR_RAISE(input_, project(std::move(input_), std::move(projections_)));
    }
    auto node = std::make_shared<LogicalNode>();
    node->kind = LogicalNode::Kind::kOver;
    node->columns = input_->columns;
    for (const std::string& key : keys_) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(input_->columns, key));
      ARROW_RETURN_NOT_OK(CheckKey(input_->columns[static_cast<size_t>(index)], "a key of a partition"));
      node->keys.push_back(key);
    }
    for (const Call& call : calls_) {
      AggregateCall planned{.name = FreshName(node->columns, "__over"), .function = call.function,
                            .column = call.column};
      std::shared_ptr<arrow::DataType> type = arrow::null();
      if (!call.column.empty()) {
        ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(input_->columns, call.column));
        const LogicalType& argument = input_->columns[static_cast<size_t>(index)].type;
        if (argument.kind() != TypeKind::kPlain && call.function != "count") {
          return JobError(fmt::format("a running {} takes numbers or times, not {}", call.function, argument.ToString()));
        }
        type = argument.storage();
      }
      ARROW_ASSIGN_OR_RAISE(const auto result, TypeOfOver(call.function, *type));
      ARROW_ASSIGN_OR_RAISE(const Columns column, FromArrow(*arrow::schema({arrow::field(planned.name, result)})));
      node->columns.push_back(column[0]);
      (*columns)[call.identity] = planned.name;
      node->aggregates.push_back(std::move(planned));
    }
    node->inputs = {std::move(input_)};
    return node;
  }

 private:
  struct Call {
    std::string identity;
    std::string function;
    std::string column;
  };

  // The column that holds the expression, a hidden one where it is none yet.
  std::string NameOf(const ExpressionPtr& expression) {
    if (expression->kind == Expression::Kind::kColumn) return expression->name;
    const std::string name = FreshName(taken_, "__partition");
    taken_.push_back({name, LogicalType::Int64()});
    projections_.push_back({name, expression});
    return name;
  }

  LogicalNodePtr input_;
  std::vector<NamedExpression> projections_;
  Columns taken_;
  std::vector<std::string> keys_;
  std::vector<Call> calls_;
};

}  // namespace

Result<LogicalNodePtr> PlaceOver(LogicalNodePtr input, std::vector<ExpressionPtr>* expressions,
                                 const ProjectNode& project) {
  while (true) {
    std::map<std::string, ExpressionPtr> calls;
    for (const ExpressionPtr& expression : *expressions) CollectInnermost(expression, &calls);
    if (calls.empty()) return input;
    std::map<std::string, std::vector<std::string>> by_keys;
    std::map<std::string, OverExpression> split;
    for (const auto& [identity, call] : calls) {
      ARROW_ASSIGN_OR_RAISE(OverExpression over, Split(*call));
      std::string keys;
      for (const ExpressionPtr& key : over.keys) keys += key->Identity() + "\n";
      by_keys[keys].push_back(identity);
      split[identity] = std::move(over);
    }
    std::map<std::string, std::string> columns;
    for (const auto& [keys, identities] : by_keys) {
      OverNode node(std::move(input));
      for (const std::string& identity : identities) ARROW_RETURN_NOT_OK(node.Add(identity, split.at(identity)));
      ARROW_ASSIGN_OR_RAISE(input, node.Finish(project, &columns));
    }
    for (ExpressionPtr& expression : *expressions) expression = Replace(expression, columns);
  }
}

}  // namespace mainstem::plan
