#include "mainstem/plan/job_graph.h"

#include <arrow/type.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

#include "mainstem/data/row_origin.h"
#include "mainstem/operators/explode.h"
#include "mainstem/operators/fetch.h"
#include "mainstem/operators/key_partition.h"
#include "mainstem/operators/keyed_distinct.h"
#include "mainstem/operators/limit.h"
#include "mainstem/operators/over.h"
#include "mainstem/operators/project.h"
#include "mainstem/operators/table_function.h"

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

class GraphBuilder {
 public:
  GraphBuilder(const Registry& registry, int parallelism) : registry_(registry), parallelism_(parallelism) {}

  Result<JobGraph> Build(const LogicalNode& root) {
    ARROW_RETURN_NOT_OK(BuildNode(root).status());
    graph_.output = root.kind == Kind::kWrite ? root.inputs[0]->columns : root.columns;
    for (TaskSpec& task : graph_.tasks) {
      std::vector<std::string> names;
      if (task.source) names.push_back("source");
      for (const OperatorSpec& spec : task.operators) names.push_back(spec.name);
      if (task.sink) names.push_back("sink");
      if (names.empty()) names.push_back("merge");
      task.name = fmt::format("{}", fmt::join(names, " → "));
    }
    return std::move(graph_);
  }

 private:
  Result<size_t> BuildNode(const LogicalNode& node) {
    switch (node.kind) {
      case Kind::kSource: {
        TaskSpec task{.parallelism = parallelism_, .source = node.source, .scan = node.scan};
        task.output = ToArrow(node.columns);
        graph_.tasks.push_back(std::move(task));
        return graph_.tasks.size() - 1;
      }
      case Kind::kProject: return BuildProject(node);
      case Kind::kFilter: return BuildFilter(node);
      case Kind::kExplode: return BuildExplode(node);
      case Kind::kLateral: return BuildLateral(node);
      case Kind::kCall: return BuildCall(node);
      case Kind::kFetch: return BuildFetch(node);
      case Kind::kLimit:
        return Single(node, {.name = "limit",
                             .detail = fmt::format("{}{}", node.count ? std::to_string(*node.count) : "all",
                                                   node.offset ? fmt::format(" after {}", node.offset) : ""),
                             .make = [count = node.count, offset = node.offset]() -> Result<std::unique_ptr<Operator>> {
                               return MakeLimit(count, offset);
                             }});
      case Kind::kUnion: return Single(node, {});
      case Kind::kSort: {
        std::vector<std::string> keys;
        for (const SortKey& key : node.sort_keys) keys.push_back(key.column + (key.descending ? " desc" : ""));
        return BuildRelational(node, "sort", fmt::format("{}", fmt::join(keys, ", ")), MakeSort(node.sort_keys));
      }
      case Kind::kDistinct:
        if (node.keep_first && IsUnbounded(*node.inputs[0])) return BuildKeyedDistinct(node);
        return BuildRelational(node, "drop_duplicates", fmt::format("{}", fmt::join(node.names, ", ")),
                               MakeDistinct(node.names, node.keep_first));
      case Kind::kAggregate:
        return BuildRelational(node, "aggregate", fmt::format("by {}", fmt::join(node.keys, ", ")),
                               MakeAggregate(node.keys, node.aggregates, ToArrow(node.columns)));
      case Kind::kOver: return BuildOver(node);
      case Kind::kJoin:
        return BuildRelational(node, "join",
                               fmt::format("{} = {}", fmt::join(node.left_on, ", "), fmt::join(node.right_on, ", ")),
                               MakeJoin(node.join, node.left_on, node.right_on, ToArrow(node.columns)));
      case Kind::kWrite: {
        ARROW_ASSIGN_OR_RAISE(const size_t task, BuildNode(*node.inputs[0]));
        graph_.tasks[task].sink = node.sink;
        return task;
      }
    }
    return JobError("an unknown node");
  }

  // Appends to the chain of the input; a costly operator behind a single subtask gets a task of its own.
  Result<size_t> Append(const LogicalNode& node, OperatorSpec spec, bool costly) {
    ARROW_ASSIGN_OR_RAISE(size_t task, BuildNode(*node.inputs[0]));
    if (costly && graph_.tasks[task].parallelism == 1 && parallelism_ > 1) {
      TaskSpec spread{.parallelism = parallelism_, .inputs = {task}};
      graph_.tasks.push_back(std::move(spread));
      task = graph_.tasks.size() - 1;
    }
    spec.output = ToArrow(node.columns);
    graph_.tasks[task].output = spec.output;
    graph_.tasks[task].operators.push_back(std::move(spec));
    return task;
  }

  // A task of one subtask that gathers its inputs.
  Result<size_t> Single(const LogicalNode& node, OperatorSpec spec) {
    TaskSpec task{.parallelism = 1};
    task.concatenates = node.kind == Kind::kUnion;
    for (const LogicalNodePtr& input : node.inputs) {
      ARROW_ASSIGN_OR_RAISE(const size_t upstream, BuildNode(*input));
      task.inputs.push_back(upstream);
    }
    task.output = ToArrow(node.columns);
    spec.output = task.output;
    if (spec.make) task.operators.push_back(std::move(spec));
    graph_.tasks.push_back(std::move(task));
    return graph_.tasks.size() - 1;
  }

  Result<size_t> BuildRelational(const LogicalNode& node, const std::string& name, std::string detail,
                                 std::shared_ptr<RelationalStep> step) {
    std::vector<std::shared_ptr<arrow::Schema>> inputs;
    for (const LogicalNodePtr& input : node.inputs) inputs.push_back(ToArrow(input->columns));
    return Single(node, {.name = name,
                         .detail = std::move(detail),
                         .make = [step = std::move(step), inputs, output = ToArrow(node.columns)]()
                             -> Result<std::unique_ptr<Operator>> { return MakeRelational(step, inputs, output); }});
  }

  // A task behind an exchange by keys.
  Result<size_t> Keyed(const LogicalNode& node, std::vector<int> keys, OperatorSpec spec) {
    ARROW_ASSIGN_OR_RAISE(const size_t upstream, BuildNode(*node.inputs[0]));
    TaskSpec task{.parallelism = std::min(parallelism_, kKeyGroups), .inputs = {upstream}, .keys = std::move(keys)};
    task.output = ToArrow(node.columns);
    spec.output = task.output;
    task.operators.push_back(std::move(spec));
    graph_.tasks.push_back(std::move(task));
    return graph_.tasks.size() - 1;
  }

  static Result<std::vector<int>> Positions(const Columns& columns, const std::vector<std::string>& names) {
    std::vector<int> positions;
    for (const std::string& name : names) {
      ARROW_ASSIGN_OR_RAISE(const int position, FindColumn(columns, name));
      positions.push_back(position);
    }
    return positions;
  }

  Result<size_t> BuildKeyedDistinct(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(const std::vector<int> keys, Positions(node.inputs[0]->columns, node.names));
    return Keyed(node, keys, {.name = "drop_duplicates",
                              .detail = fmt::format("{}", fmt::join(node.names, ", ")),
                              .make = [keys]() -> Result<std::unique_ptr<Operator>> { return MakeKeyedDistinct(keys); }});
  }

  Result<size_t> BuildOver(const LogicalNode& node) {
    const Columns& input = node.inputs[0]->columns;
    ARROW_ASSIGN_OR_RAISE(const std::vector<int> keys, Positions(input, node.keys));
    std::vector<OverCall> calls;
    std::vector<std::string> detail;
    for (const AggregateCall& call : node.aggregates) {
      OverCall over{.function = call.function};
      if (!call.column.empty()) {
        ARROW_ASSIGN_OR_RAISE(over.column, FindColumn(input, call.column));
      }
      detail.push_back(fmt::format("{}({})", call.function, call.column));
      calls.push_back(std::move(over));
    }
    return Keyed(node, keys, {.name = "over",
                              .detail = fmt::format("{} by {}", fmt::join(detail, ", "), fmt::join(node.keys, ", ")),
                              .make = [keys, calls, output = ToArrow(node.columns)]()
                                  -> Result<std::unique_ptr<Operator>> { return MakeOver(keys, calls, output); }});
  }

  static bool Costly(const BoundExpression& expression) {
    if (expression.function && expression.function->cost >= CostClass::kDecode) return true;
    return std::any_of(expression.arguments.begin(), expression.arguments.end(),
                       [](const BoundExpressionPtr& argument) { return Costly(*argument); });
  }

  Result<size_t> BuildProject(const LogicalNode& node) {
    std::vector<BoundExpressionPtr> expressions;
    bool costly = false;
    bool computes = false;
    std::vector<std::string> detail;
    for (const NamedExpression& projection : node.projections) {
      ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(projection.expression, node.inputs[0]->columns, registry_));
      costly |= Costly(*bound);
      const bool plain = bound->kind == BoundExpression::Kind::kColumn;
      computes |= !plain;
      const std::string text = projection.expression->ToString();
      detail.push_back(plain && text == projection.name ? text : fmt::format("{} = {}", projection.name, text));
      expressions.push_back(std::move(bound));
    }
    return Append(node,
                  {.name = computes ? "project" : "select",
                   .detail = fmt::format("{}", fmt::join(detail, ", ")),
                   .make = [expressions, input = node.inputs[0]->columns, output = ToArrow(node.columns)] {
                     return MakeProject(expressions, input, output);
                   }},
                  costly);
  }

  Result<size_t> BuildFilter(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(node.expression, node.inputs[0]->columns, registry_));
    const bool costly = Costly(*bound);
    return Append(node,
                  {.name = "filter",
                   .detail = node.expression->ToString(),
                   .make = [bound, input = node.inputs[0]->columns] { return MakeFilter(bound, input); }},
                  costly);
  }

  // Where the input has the origins of the rows, or -1.
  static Result<int> OriginOf(const LogicalNode& node) {
    return node.carries_origin ? FindColumn(node.inputs[0]->columns, kOriginColumn) : -1;
  }

  Result<size_t> BuildExplode(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(const int column, FindColumn(node.inputs[0]->columns, node.column));
    ARROW_ASSIGN_OR_RAISE(const int origin, OriginOf(node));
    const ExplodeOptions options{.column = column,
                                 .replace = node.output_column == node.column,
                                 .ignore_empty_and_null = node.ignore_empty,
                                 .origin = origin};
    return Append(node,
                  {.name = "explode",
                   .detail = node.column,
                   .make = [options, output = ToArrow(node.columns)]() -> Result<std::unique_ptr<Operator>> {
                     return MakeExplode(options, output);
                   }},
                  false);
  }

  Result<size_t> BuildLateral(const LogicalNode& node) {
    const Columns& input = node.inputs[0]->columns;
    ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(node.expression, input, registry_));
    TableFunctionOptions options{.function = bound->function,
                                 .signature = bound->signature,
                                 .arguments = bound->arguments,
                                 .ignore_empty = node.ignore_empty};
    ARROW_ASSIGN_OR_RAISE(options.outputs, bound->function->output_columns(bound->signature));
    for (const std::string& name : node.kept) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(input, name));
      options.kept.push_back(index);
    }
    ARROW_ASSIGN_OR_RAISE(options.origin, OriginOf(node));
    return Append(node,
                  {.name = bound->function->name,
                   .detail = node.expression->ToString(),
                   .make = [options, input, output = ToArrow(node.columns)] {
                     return MakeTableFunction(options, input, output);
                   }},
                  true);
  }

  Result<size_t> BuildCall(const LogicalNode& node) {
    const Columns& input = node.inputs[0]->columns;
    CallOptions options{.name = node.call.name,
                        .shape = node.call.shape,
                        .on_error = node.call.on_error,
                        .ignore_empty = node.call.ignore_empty};
    ARROW_ASSIGN_OR_RAISE(options.origin, OriginOf(node));
    Columns sent;
    for (const std::string& name : node.call.arguments) {
      ARROW_ASSIGN_OR_RAISE(const int index, FindColumn(input, name));
      options.arguments.push_back(index);
      sent.push_back(input[static_cast<size_t>(index)]);
    }
    // Two arguments may be the same column; names must differ, and whole rows need their own.
    for (size_t i = 0; i < sent.size() && !node.call.replace; ++i) sent[i].name = fmt::format("a{}", i);
    options.call = ToArrow(sent);
    ServiceSpec service = node.call.service;
    if (service.by_origin) sent.pop_back();  // the journal takes it off
    service.input = ToArrow(sent);
    service.output = ToArrow(node.call.outputs);
    ARROW_ASSIGN_OR_RAISE(const size_t task,
                          Append(node,
                                 {.name = "call " + node.call.name,
                                  .detail = fmt::format("{}({})", node.call.name, fmt::join(node.call.arguments, ", ")),
                                  .make = [options, input, output = ToArrow(node.columns)]()
                                      -> Result<std::unique_ptr<Operator>> { return MakeCall(options, input, output); },
                                  .service = graph_.services.size()},
                                 false));
    graph_.tasks[task].operators.back().service = graph_.services.size();
    graph_.services.push_back(std::move(service));
    return task;
  }

  Result<size_t> BuildFetch(const LogicalNode& node) {
    ARROW_ASSIGN_OR_RAISE(const int column, FindColumn(node.inputs[0]->columns, node.column));
    const FetchOptions options{.column = column, .on_error = node.on_error};
    return Append(node,
                  {.name = "fetch",
                   .detail = node.column,
                   .make = [options, input = node.inputs[0]->columns, output = ToArrow(node.columns)]()
                       -> Result<std::unique_ptr<Operator>> { return MakeFetch(options, input, output); }},
                  false);
  }

  const Registry& registry_;
  int parallelism_;
  JobGraph graph_;
};

}  // namespace

Result<JobGraph> MakeJobGraph(const LogicalNode& root, const Registry& registry, int parallelism) {
  return GraphBuilder(registry, parallelism).Build(root);
}

std::string DescribeRegions(const JobGraph& graph) {
  if (graph.tasks.size() == 1) {
    const int subtasks = graph.tasks[0].parallelism;
    return fmt::format("regions: {}; each subtask fails and restarts alone\n", subtasks);
  }
  return "regions: 1; rows move between subtasks, so all of them restart together\n";
}

std::string ToString(const JobGraph& graph) {
  std::string text;
  for (size_t i = 0; i < graph.tasks.size(); ++i) {
    const TaskSpec& task = graph.tasks[i];
    text += fmt::format("task {} × {}", i, task.parallelism);
    if (!task.inputs.empty()) {
      const char* takes = !task.keys.empty()      ? "takes its keys of"
                          : task.parallelism == 1 ? "gathers"
                                                  : "takes its share of";
      text += fmt::format("  ({} task {})", takes, fmt::join(task.inputs, ", "));
    }
    text += "\n";
    if (task.source) text += fmt::format("  source   {}\n", task.source->Describe());
    for (const OperatorSpec& spec : task.operators) text += fmt::format("  {:<8} {}\n", spec.name, spec.detail);
    if (task.sink) text += fmt::format("  sink     {}\n", task.sink->Describe());
  }
  for (const ServiceSpec& service : graph.services) {
    text += fmt::format("service {}: {} process{} of {} code\n", service.name, service.max_replicas,
                        service.max_replicas == 1 ? "" : "es",
                        service.host == ServiceSpec::Host::kPython ? "Python" : "native");
  }
  return text;
}

}  // namespace mainstem::plan
