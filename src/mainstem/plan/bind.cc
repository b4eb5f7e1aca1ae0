// Binds parsed nodes, one after the other, into a logical plan.
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "mainstem/base/suggestion.h"
#include "mainstem/plan/call_placement.h"
#include "mainstem/plan/logical_plan.h"
#include "mainstem/plan/over_placement.h"

namespace mainstem::plan {

namespace {

class Binder {
 public:
  Binder(const ParsedPlan& plan, const BindContext& context) : plan_(plan), context_(context) {}

  Result<LogicalNodePtr> Bind() {
    std::vector<LogicalNodePtr> bound;
    for (size_t i = 0; i < plan_.nodes.size(); ++i) {
      const PlanNode& node = plan_.nodes[i];
      std::vector<LogicalNodePtr> inputs;
      for (const size_t input : node.inputs) {
        if (bound[input]->kind == LogicalNode::Kind::kWrite) return JobError("a write must be the last node");
        inputs.push_back(bound[input]);
      }
      auto result = BindNode(node, std::move(inputs));
      if (!result.ok()) return WithContext(result.status(), node.op);
      bound.push_back(result.MoveValueUnsafe());
    }
    return bound.back();
  }

 private:
  using Kind = LogicalNode::Kind;
  using Inputs = std::vector<LogicalNodePtr>;

  static LogicalNodePtr New(Kind kind, Inputs inputs) {
    auto node = std::make_shared<LogicalNode>();
    node->kind = kind;
    if (!inputs.empty()) node->columns = inputs[0]->columns;
    node->inputs = std::move(inputs);
    return node;
  }

  Result<LogicalNodePtr> BindNode(const PlanNode& node, Inputs inputs) {
    if (node.op == "source") return BindSource(node);
    if (node.op == "select") return Project(inputs[0], node.columns);
    if (node.op == "with_columns") return BindWithColumns(node, inputs[0]);
    if (node.op == "drop") return BindDrop(node, inputs[0]);
    if (node.op == "rename") return BindRename(node, inputs[0]);
    if (node.op == "filter") return BindFilter(node, inputs[0]);
    if (node.op == "limit") {
      LogicalNodePtr limit = New(Kind::kLimit, inputs);
      limit->count = node.count;
      limit->offset = node.offset;
      return limit;
    }
    if (node.op == "explode") return BindExplode(node, inputs[0]);
    if (node.op == "lateral") return BindLateral(node, inputs[0]);
    if (node.op == "map") return BindMap(node, inputs[0]);
    if (node.op == "union_all") return BindUnion(inputs);
    if (node.op == "distinct") return BindDistinct(node, inputs[0]);
    if (node.op == "sort") return BindSort(node, inputs[0]);
    if (node.op == "aggregate") return BindAggregate(node, inputs[0]);
    if (node.op == "join") return BindJoin(node, inputs);
    return BindWrite(node, inputs[0]);
  }

  Result<LogicalNodePtr> BindSource(const PlanNode& node) {
    std::string key = node.connector;
    for (const auto& [name, value] : node.options) key += fmt::format("\n{}={}", name, value.Identity());
    auto& cache = *context_.source_cache;
    LogicalNodePtr bound = New(Kind::kSource, {});
    const auto found = cache.find(key);
    if (found != cache.end()) {
      bound->source = found->second;
    } else {
      ARROW_ASSIGN_OR_RAISE(bound->source, MakeSource(node.connector, node.options, *context_.tables));
      // A table of the caller's is neither opened nor costly, and must not be kept alive here.
      if (node.connector != "memory") cache[key] = bound->source;
    }
    ARROW_ASSIGN_OR_RAISE(bound->columns, FromArrow(*bound->source->schema()));
    return bound;
  }

  // Places the calls inside the expressions below, then projects.
  Result<LogicalNodePtr> Project(LogicalNodePtr input, std::vector<NamedExpression> projections) {
    CallPlacement placement(plan_.user_functions, context_);
    std::vector<ExpressionPtr> expressions;
    for (const NamedExpression& projection : projections) expressions.push_back(projection.expression);
    ARROW_ASSIGN_OR_RAISE(input, PlaceRunning(std::move(input), &expressions));
    ARROW_ASSIGN_OR_RAISE(input, placement.Place(std::move(input), &expressions));
    for (size_t i = 0; i < projections.size(); ++i) projections[i].expression = expressions[i];
    return MakeProjectNode(std::move(input), std::move(projections), *context_.registry);
  }

  Result<LogicalNodePtr> PlaceRunning(LogicalNodePtr input, std::vector<ExpressionPtr>* expressions) {
    return PlaceOver(std::move(input), expressions, [this](LogicalNodePtr below, std::vector<NamedExpression> columns) {
      return Project(std::move(below), std::move(columns));
    });
  }

  Result<LogicalNodePtr> BindWithColumns(const PlanNode& node, const LogicalNodePtr& input) {
    std::vector<NamedExpression> projections = PassThrough(input->columns);
    for (const NamedExpression& column : node.columns) {
      const auto same = std::find_if(projections.begin(), projections.end(),
                                     [&](const NamedExpression& other) { return other.name == column.name; });
      if (same == projections.end()) {
        projections.push_back(column);
      } else {
        same->expression = column.expression;
      }
    }
    return Project(input, std::move(projections));
  }

  Result<LogicalNodePtr> BindDrop(const PlanNode& node, const LogicalNodePtr& input) {
    for (const std::string& name : node.names) {
      if (node.flag) ARROW_RETURN_NOT_OK(FindColumn(input->columns, name).status());
    }
    std::vector<NamedExpression> projections;
    for (const Column& column : input->columns) {
      if (std::find(node.names.begin(), node.names.end(), column.name) == node.names.end()) {
        projections.push_back({column.name, Expression::Column(column.name)});
      }
    }
    return MakeProjectNode(input, std::move(projections), *context_.registry);
  }

  Result<LogicalNodePtr> BindRename(const PlanNode& node, const LogicalNodePtr& input) {
    for (const auto& [from, to] : node.renames) ARROW_RETURN_NOT_OK(FindColumn(input->columns, from).status());
    std::vector<NamedExpression> projections = PassThrough(input->columns);
    for (NamedExpression& projection : projections) {
      const auto found = node.renames.find(projection.name);
      if (found != node.renames.end()) projection.name = found->second;
    }
    return MakeProjectNode(input, std::move(projections), *context_.registry);
  }

  Result<LogicalNodePtr> BindFilter(const PlanNode& node, LogicalNodePtr input) {
    const std::vector<NamedExpression> pass_through = PassThrough(input->columns);
    CallPlacement placement(plan_.user_functions, context_);
    std::vector<ExpressionPtr> predicate = {node.expression};
    const size_t columns = input->columns.size();
    ARROW_ASSIGN_OR_RAISE(input, PlaceRunning(std::move(input), &predicate));
    ARROW_ASSIGN_OR_RAISE(input, placement.Place(std::move(input), &predicate));
    ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, mainstem::Bind(predicate[0], input->columns, *context_.registry));
    if (!bound->type.IsBoolean()) {
      return JobError(fmt::format("filter takes a condition, not {}", bound->type.ToString()));
    }
    const bool has_calls = input->columns.size() != columns;
    LogicalNodePtr filter = New(Kind::kFilter, {std::move(input)});
    filter->expression = predicate[0];
    if (!has_calls) return filter;
    return MakeProjectNode(std::move(filter), pass_through, *context_.registry);
  }

  Result<LogicalNodePtr> BindExplode(const PlanNode& node, const LogicalNodePtr& input) {
    ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(input->columns, node.column));
    const LogicalType& type = input->columns[static_cast<size_t>(index)].type;
    if (!type.IsList()) {
      return JobError(fmt::format("column '{}' is {}, not a list", node.column, type.ToString()));
    }
    LogicalNodePtr explode = New(Kind::kExplode, {input});
    explode->column = node.column;
    explode->output_column = node.output_column;
    explode->ignore_empty = node.flag;
    if (node.output_column == node.column) {
      explode->columns[static_cast<size_t>(index)].type = type.item();
    } else {
      if (FindColumn(input->columns, node.output_column).ok()) {
        return JobError(fmt::format("there is a column '{}' already", node.output_column));
      }
      explode->columns.push_back({node.output_column, type.item()});
    }
    return explode;
  }

  Result<LogicalNodePtr> BindLateral(const PlanNode& node, LogicalNodePtr input) {
    const Columns original = input->columns;
    CallPlacement placement(plan_.user_functions, context_);
    if (node.expression->kind == Expression::Kind::kUdf) {
      return placement.PlaceTableFunction(std::move(input), *node.expression, node.names, node.flag);
    }
    if (node.expression->kind != Expression::Kind::kCall) return JobError("join_lateral takes a table function call");
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, context_.registry->Find(node.expression->name));
    if (function->kind != FunctionKind::kTable) {
      return JobError(fmt::format("{} gives one value a row; use it in with_column", function->name));
    }
    std::vector<ExpressionPtr> arguments = node.expression->arguments;
    ARROW_ASSIGN_OR_RAISE(input, placement.Place(std::move(input), &arguments));
    LogicalNodePtr lateral = New(Kind::kLateral, {input});
    auto call = std::make_shared<Expression>(*node.expression);
    call->arguments = std::move(arguments);
    ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, mainstem::Bind(call, input->columns, *context_.registry));
    ARROW_ASSIGN_OR_RAISE(auto outputs, function->output_columns(bound->signature));
    if (node.has_names && node.names.size() != outputs.size()) {
      return JobError(fmt::format("{} gives {} columns and {} names were given", function->name, outputs.size(),
                                  node.names.size()));
    }
    lateral->expression = std::move(call);
    lateral->ignore_empty = node.flag;
    lateral->columns.clear();
    for (const Column& column : original) {
      lateral->kept.push_back(column.name);
      lateral->columns.push_back(column);
    }
    for (size_t i = 0; i < outputs.size(); ++i) {
      const std::string name = node.has_names ? node.names[i] : outputs[i].name;
      if (FindColumn(lateral->columns, name).ok()) {
        return JobError(fmt::format("{} gives a column '{}' and there is one already; rename it or use alias()",
                                    function->name, name));
      }
      lateral->function_columns.push_back(name);
      lateral->columns.push_back({name, outputs[i].type});
    }
    return lateral;
  }

  Result<LogicalNodePtr> BindMap(const PlanNode& node, LogicalNodePtr input) {
    CallPlacement placement(plan_.user_functions, context_);
    return placement.PlaceMap(std::move(input), node.udf);
  }

  Result<LogicalNodePtr> BindUnion(const Inputs& inputs) {
    ARROW_RETURN_NOT_OK(CheckEnds(Inputs(inputs.begin(), inputs.end() - 1), "only the last input of a union may be endless"));
    for (const LogicalNodePtr& input : inputs) {
      if (input->columns.size() != inputs[0]->columns.size()) {
        return JobError(fmt::format("inputs have {} and {} columns", inputs[0]->columns.size(), input->columns.size()));
      }
      for (size_t i = 0; i < input->columns.size(); ++i) {
        if (!(input->columns[i].type == inputs[0]->columns[i].type)) {
          return JobError(fmt::format("column {} is {} in one input and {} in another; cast one of them",
                                      inputs[0]->columns[i].name, inputs[0]->columns[i].type.ToString(),
                                      input->columns[i].type.ToString()));
        }
      }
    }
    // Columns match by position; downstream they all have the names of the first input.
    Inputs renamed = {inputs[0]};
    for (size_t i = 1; i < inputs.size(); ++i) {
      std::vector<NamedExpression> projections = PassThrough(inputs[i]->columns);
      bool same = true;
      for (size_t j = 0; j < projections.size(); ++j) {
        same &= projections[j].name == inputs[0]->columns[j].name;
        projections[j].name = inputs[0]->columns[j].name;
      }
      renamed.push_back(inputs[i]);
      if (!same) {
        ARROW_ASSIGN_OR_RAISE(renamed.back(), MakeProjectNode(inputs[i], std::move(projections), *context_.registry));
      }
    }
    return New(Kind::kUnion, std::move(renamed));
  }

  // Of a step that gives nothing before it has seen all rows.
  static Status CheckEnds(const Inputs& inputs, const char* instead) {
    if (std::none_of(inputs.begin(), inputs.end(), [](const auto& input) { return IsUnbounded(*input); })) {
      return Status::OK();
    }
    return JobError(fmt::format("its rows have no end and it needs all of them; {}", instead));
  }

  Result<LogicalNodePtr> BindDistinct(const PlanNode& node, const LogicalNodePtr& input) {
    LogicalNodePtr distinct = New(Kind::kDistinct, {input});
    distinct->names = node.names;
    if (distinct->names.empty()) {
      for (const Column& column : input->columns) distinct->names.push_back(column.name);
    }
    for (const std::string& name : distinct->names) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(input->columns, name));
      ARROW_RETURN_NOT_OK(CheckKey(input->columns[static_cast<size_t>(index)], "compared for equality here"));
    }
    distinct->keep_first = node.keep == "first";
    if (!distinct->keep_first) ARROW_RETURN_NOT_OK(CheckEnds({input}, "keep=\"first\" gives every row at once"));
    return distinct;
  }

  // Expressions that are not plain columns become hidden columns; the names of all are returned.
  Result<LogicalNodePtr> WithHidden(LogicalNodePtr input, const std::vector<ExpressionPtr>& expressions,
                                    const std::string& prefix, std::vector<std::string>* names) {
    std::vector<NamedExpression> projections = PassThrough(input->columns);
    for (const ExpressionPtr& expression : expressions) {
      if (expression->kind == Expression::Kind::kColumn) {
        names->push_back(expression->name);
        continue;
      }
      names->push_back(fmt::format("{}{}", prefix, projections.size()));
      projections.push_back({names->back(), expression});
    }
    if (projections.size() == input->columns.size()) {
      for (const std::string& name : *names) ARROW_RETURN_NOT_OK(FindColumn(input->columns, name).status());
      return input;
    }
    return Project(std::move(input), std::move(projections));
  }

  Result<LogicalNodePtr> BindSort(const PlanNode& node, const LogicalNodePtr& input) {
    ARROW_RETURN_NOT_OK(CheckEnds({input}, "sort what it writes"));
    const std::vector<NamedExpression> pass_through = PassThrough(input->columns);
    std::vector<ExpressionPtr> expressions;
    for (const PlanNode::SortBy& by : node.sort_by) expressions.push_back(by.expression);
    std::vector<std::string> names;
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr below, WithHidden(input, expressions, "__sort", &names));
    LogicalNodePtr sort = New(Kind::kSort, {below});
    for (size_t i = 0; i < names.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(below->columns, names[i]));
      ARROW_RETURN_NOT_OK(CheckKey(below->columns[static_cast<size_t>(index)], "a sort key"));
      sort->sort_keys.push_back({names[i], node.sort_by[i].descending, node.sort_by[i].nulls_first});
    }
    if (below == input) return sort;
    return MakeProjectNode(std::move(sort), pass_through, *context_.registry);
  }

  Result<LogicalNodePtr> BindAggregate(const PlanNode& node, const LogicalNodePtr& input) {
    ARROW_RETURN_NOT_OK(CheckEnds({input}, "running values (.over(…)) are there with every row"));
    std::vector<NamedExpression> below;
    LogicalNodePtr aggregate = New(Kind::kAggregate, {});
    for (const NamedExpression& key : node.columns) {
      below.push_back(key);
      aggregate->keys.push_back(key.name);
    }
    for (size_t i = 0; i < node.aggregates.size(); ++i) {
      const PlanNode::Aggregate& call = node.aggregates[i];
      AggregateCall planned{.name = call.name};
      ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, context_.registry->Find("agg." + call.function));
      planned.function = function->aggregate;
      planned.sample = call.function.ends_with("_samp");
      if (call.expression && call.function != "count_all") {
        planned.column = fmt::format("__agg{}", i);
        below.push_back({planned.column, call.expression});
      }
      aggregate->aggregates.push_back(std::move(planned));
    }
    if (below.empty()) {
      // count of all rows alone: something has to stand in the rows that are counted, and nothing needs to be read for it
      below.push_back({"__any", Expression::Literal(arrow::MakeScalar(true))});
    }
    ARROW_ASSIGN_OR_RAISE(LogicalNodePtr project, Project(input, std::move(below)));
    for (const std::string& key : aggregate->keys) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(project->columns, key));
      ARROW_RETURN_NOT_OK(CheckKey(project->columns[static_cast<size_t>(index)], "a group key"));
      aggregate->columns.push_back(project->columns[static_cast<size_t>(index)]);
    }
    for (size_t i = 0; i < node.aggregates.size(); ++i) {
      const AggregateCall& call = aggregate->aggregates[i];
      LogicalType type = LogicalType::Int64();
      if (!call.column.empty()) {
        const ExpressionPtr bound_call =
            Expression::Call("agg." + node.aggregates[i].function, {Expression::Column(call.column)});
        ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, mainstem::Bind(bound_call, project->columns, *context_.registry));
        type = bound->type;
      }
      if (FindColumn(aggregate->columns, call.name).ok()) {
        return JobError(fmt::format("two columns are named '{}'; give one an alias", call.name));
      }
      aggregate->columns.push_back({call.name, type});
    }
    aggregate->inputs = {std::move(project)};
    return aggregate;
  }

  Result<LogicalNodePtr> BindJoin(const PlanNode& node, const Inputs& inputs) {
    ARROW_RETURN_NOT_OK(CheckEnds(inputs, "join what it writes"));
    LogicalNodePtr join = New(Kind::kJoin, inputs);
    ARROW_ASSIGN_OR_RAISE(join->join, ParseJoinKind(node.how));
    join->left_on = node.left_on;
    join->right_on = node.right_on;
    if (node.left_on.size() != node.right_on.size()) return JobError("left_on and right_on differ in length");
    if (node.left_on.empty() != (join->join == JoinKind::kCross)) {
      return JobError(node.left_on.empty() ? "a join needs key columns (on=…)" : "a cross join has no keys");
    }
    for (size_t i = 0; i < node.left_on.size(); ++i) {
      ARROW_ASSIGN_OR_RAISE(const int left, FindColumn(inputs[0]->columns, node.left_on[i]));
      ARROW_ASSIGN_OR_RAISE(const int right, FindColumn(inputs[1]->columns, node.right_on[i]));
      const Column& left_column = inputs[0]->columns[static_cast<size_t>(left)];
      const Column& right_column = inputs[1]->columns[static_cast<size_t>(right)];
      ARROW_RETURN_NOT_OK(CheckKey(left_column, "a join key"));
      ARROW_RETURN_NOT_OK(CheckKey(right_column, "a join key"));
      if (!(left_column.type == right_column.type)) {
        return JobError(fmt::format("key '{}' is {} and key '{}' is {}; cast one of them", left_column.name,
                                    left_column.type.ToString(), right_column.name, right_column.type.ToString()));
      }
    }
    if (join->join == JoinKind::kSemi || join->join == JoinKind::kAnti) return join;
    for (const Column& column : inputs[1]->columns) {
      bool shared_key = false;
      for (size_t i = 0; i < node.left_on.size(); ++i) {
        shared_key |= node.left_on[i] == column.name && node.right_on[i] == column.name;
      }
      if (shared_key) continue;
      if (FindColumn(join->columns, column.name).ok()) {
        return JobError(fmt::format("both sides have a column '{}'; rename it on one side first", column.name));
      }
      join->columns.push_back(column);
    }
    return join;
  }

  Result<LogicalNodePtr> BindWrite(const PlanNode& node, const LogicalNodePtr& input) {
    LogicalNodePtr write = New(Kind::kWrite, {input});
    if (context_.create_sinks) {
      const GivenSinks given = context_.sinks != nullptr ? *context_.sinks : GivenSinks{};
      ARROW_ASSIGN_OR_RAISE(write->sink, MakeSink(node.connector, node.options, ToArrow(input->columns), given));
    }
    return write;
  }

  const ParsedPlan& plan_;
  const BindContext& context_;
};

}  // namespace

Result<LogicalNodePtr> BindPlan(const ParsedPlan& plan, const BindContext& context) {
  return Binder(plan, context).Bind();
}

}  // namespace mainstem::plan
