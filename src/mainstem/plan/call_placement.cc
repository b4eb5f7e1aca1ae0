#include "mainstem/plan/call_placement.h"

#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/suggestion.h"
#include "mainstem/functions/model/model_payload.h"

namespace mainstem::plan {
namespace {

// The columns that a user function over whole rows, or a table function, gives.
Columns OutputsOf(const LogicalType& type) {
  Columns columns;
  if (type.IsStruct()) {
    for (const auto& member : type.members()) columns.push_back({member.name, member.type});
  } else {
    columns.push_back({"f0", type});
  }
  return columns;
}

}  // namespace

Result<LogicalNodePtr> CallPlacement::Place(LogicalNodePtr input, std::vector<ExpressionPtr>* expressions) {
  node_ = std::move(input);
  for (ExpressionPtr& expression : *expressions) {
    ARROW_ASSIGN_OR_RAISE(expression, Rewrite(expression));
  }
  return std::move(node_);
}

Result<ExpressionPtr> CallPlacement::Rewrite(const ExpressionPtr& expression) {
  if (expression->arguments.empty() && expression->kind != Expression::Kind::kUdf) return expression;
  auto copy = std::make_shared<Expression>(*expression);
  for (ExpressionPtr& argument : copy->arguments) {
    ARROW_ASSIGN_OR_RAISE(argument, Rewrite(argument));
  }
  const FunctionDefinition* function = nullptr;
  if (copy->kind == Expression::Kind::kCall) function = context_.registry->FindOrNull(copy->name);
  const bool is_model = function != nullptr && function->kind == FunctionKind::kCall;
  if (copy->kind != Expression::Kind::kUdf && !is_model) return ExpressionPtr(std::move(copy));

  const std::string identity = copy->Identity();
  const auto known = placed_.find(identity);
  if (known != placed_.end()) return Expression::Column(known->second);
  std::vector<ExpressionPtr> arguments = copy->arguments;
  PlannedCall call;
  if (is_model) {
    ARROW_ASSIGN_OR_RAISE(call, ModelCall(*function, *copy, &arguments));
  } else {
    ARROW_ASSIGN_OR_RAISE(const UserFunction* user, FindUserFunction(copy->name));
    if (user->kind != "scalar") {
      return JobError(fmt::format("{} gives many rows; use it in join_lateral", user->name));
    }
    ARROW_ASSIGN_OR_RAISE(call, UserCall(*user));
    call.outputs = {{"", user->return_type}};
  }
  const std::string result = FreshName(node_->columns, "__call");
  call.outputs[0].name = result;
  ARROW_ASSIGN_OR_RAISE(node_, PlaceCall(std::move(node_), arguments, std::move(call)));
  placed_[identity] = result;
  return Expression::Column(result);
}

Result<LogicalNodePtr> CallPlacement::PlaceCall(LogicalNodePtr input, const std::vector<ExpressionPtr>& arguments,
                                                PlannedCall call) {
  std::vector<NamedExpression> projections = PassThrough(input->columns);
  const size_t before = projections.size();
  Columns taken = input->columns;
  for (const ExpressionPtr& argument : arguments) {
    if (argument->kind == Expression::Kind::kColumn) {
      call.arguments.push_back(argument->name);
      continue;
    }
    const std::string name = FreshName(taken, "__arg");
    taken.push_back({name, LogicalType::Int64()});
    projections.push_back({name, argument});
    call.arguments.push_back(name);
  }
  if (projections.size() > before) {
    ARROW_ASSIGN_OR_RAISE(input, MakeProjectNode(std::move(input), std::move(projections), *context_.registry));
  }
  for (const std::string& argument : call.arguments) {
    ARROW_RETURN_NOT_OK(FindColumn(input->columns, argument).status());
  }
  auto node = std::make_shared<LogicalNode>();
  node->kind = LogicalNode::Kind::kCall;
  if (!call.replace) node->columns = input->columns;
  for (const Column& output : call.outputs) node->columns.push_back(output);
  node->call = std::move(call);
  node->inputs = {std::move(input)};
  return node;
}

Result<PlannedCall> CallPlacement::ModelCall(const FunctionDefinition& function, const Expression& expression,
                                             std::vector<ExpressionPtr>* arguments) {
  // Models that look at pictures of one size get them from the row program, where scaled decoding can help.
  const auto needs = ModelImageSize(function.call_service);
  if (needs) {
    for (ExpressionPtr& argument : *arguments) {
      ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(argument, node_->columns, *context_.registry));
      const LogicalType& type = bound->type;
      if (type.kind() != TypeKind::kImage) continue;
      if (type.image_height() != needs->height || type.image_width() != needs->width) {
        argument = Expression::Call("image.resize", {argument},
                                    {{"width", OptionValue(int64_t{needs->width})},
                                     {"height", OptionValue(int64_t{needs->height})},
                                     {"method", OptionValue("bilinear")}});
      }
      if (type.image_mode() != ImageMode::kRGB) {
        argument = Expression::Call("image.convert_mode", {argument}, {{"mode", OptionValue("RGB")}});
      }
    }
  }
  const ExpressionPtr call = Expression::Call(expression.name, *arguments, expression.options);
  ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(call, node_->columns, *context_.registry));
  const Options& options = bound->signature.options;
  PlannedCall planned;
  planned.name = function.name;
  planned.service.name = function.name;
  planned.service.host = ServiceSpec::Host::kNative;
  ARROW_ASSIGN_OR_RAISE(planned.service.payload,
                        ModelPayload(function.call_service, options, bound->signature.arguments[0]));
  planned.service.batch_rows = options.MaybeInt("batch_size").value_or(0);
  planned.service.max_replicas = 1;
  planned.service.min_replicas = 1;
  planned.service.deterministic = function.deterministic;
  planned.outputs = {{"", bound->type}};
  planned.on_error = options.MaybeString("on_error").value_or("raise");
  // What the service computes is decided by its payload, so equal payloads share one service.
  return planned;
}

Result<const UserFunction*> CallPlacement::FindUserFunction(const std::string& id) const {
  const auto found = user_functions_.find(id);
  if (found == user_functions_.end()) {
    return JobError(fmt::format("the plan calls the user function '{}' and does not carry it", Escaped(id)));
  }
  return &found->second;
}

Result<PlannedCall> CallPlacement::UserCall(const UserFunction& function) {
  if (function.num_gpus > 0) {
    return JobError(fmt::format("{} asks for {} GPU{} and this machine has none that the engine can assign",
                                function.name, function.num_gpus, function.gpu_type.empty() ? "" : " (" + function.gpu_type + ")"));
  }
  PlannedCall call;
  call.name = function.name;
  call.service.name = function.name;
  call.service.host = ServiceSpec::Host::kPython;
  call.service.payload = function.payload;
  call.service.form = function.form;
  call.service.max_replicas = function.concurrency.value_or(context_.processors);
  // Its code, or the model that its class loads, is there when the first rows are.
  call.service.min_replicas = 1;
  call.service.batch_rows = function.batch_size.value_or(0);
  call.service.timeout_ns = static_cast<int64_t>(function.timeout_s.value_or(0) * 1e9);
  call.service.deterministic = function.deterministic;
  call.service.journal_identity = function.journal;
  call.on_error = function.on_error;
  return call;
}

Result<LogicalNodePtr> CallPlacement::PlaceTableFunction(LogicalNodePtr input, const Expression& call,
                                                         const std::vector<std::string>& names, bool ignore_empty) {
  ARROW_ASSIGN_OR_RAISE(const UserFunction* function, FindUserFunction(call.name));
  if (function->kind != "table") {
    return JobError(fmt::format("{} gives one value a row; use it in with_column", function->name));
  }
  std::vector<ExpressionPtr> arguments = call.arguments;
  const std::vector<NamedExpression> original = PassThrough(input->columns);
  ARROW_ASSIGN_OR_RAISE(input, Place(std::move(input), &arguments));
  ARROW_ASSIGN_OR_RAISE(PlannedCall planned, UserCall(*function));
  planned.shape = CallOptions::Shape::kTable;
  planned.service.shape = ReplyShape::kTable;
  planned.ignore_empty = ignore_empty;
  planned.outputs = OutputsOf(function->return_type);
  if (!names.empty() && names.size() != planned.outputs.size()) {
    return JobError(fmt::format("{} gives {} columns and {} names were given", function->name, planned.outputs.size(),
                                names.size()));
  }
  for (size_t i = 0; i < names.size(); ++i) planned.outputs[i].name = names[i];
  std::vector<NamedExpression> wanted = original;
  for (const Column& output : planned.outputs) {
    if (FindColumn(input->columns, output.name).ok()) {
      return JobError(fmt::format("{} gives a column '{}' and there is one already; use alias()", function->name,
                                  output.name));
    }
    wanted.push_back({output.name, Expression::Column(output.name)});
  }
  ARROW_ASSIGN_OR_RAISE(LogicalNodePtr node, PlaceCall(std::move(input), arguments, std::move(planned)));
  return MakeProjectNode(std::move(node), std::move(wanted), *context_.registry);
}

Result<LogicalNodePtr> CallPlacement::PlaceMap(LogicalNodePtr input, const std::string& udf) {
  ARROW_ASSIGN_OR_RAISE(const UserFunction* function, FindUserFunction(udf));
  ARROW_ASSIGN_OR_RAISE(PlannedCall call, UserCall(*function));
  if (function->kind == "map") {
    call.shape = CallOptions::Shape::kScalar;
  } else if (function->kind == "map_batches") {
    call.shape = CallOptions::Shape::kBatch;
    call.service.shape = ReplyShape::kBatch;
  } else if (function->kind == "flat_map") {
    call.shape = CallOptions::Shape::kTable;
    call.service.shape = ReplyShape::kTable;
  } else {
    return JobError(fmt::format("{} is a {} function; map takes a function of rows", function->name, function->kind));
  }
  call.replace = true;
  call.outputs = OutputsOf(function->return_type);
  std::vector<ExpressionPtr> arguments;
  for (const Column& column : input->columns) {
    arguments.push_back(Expression::Column(column.name));
    // A function of whole rows sees the names, too.
    if (!function->journal.empty()) {
      call.service.journal_identity += fmt::format("|{}:{}", column.name.size(), column.name);
    }
  }
  return PlaceCall(std::move(input), arguments, std::move(call));
}

}  // namespace mainstem::plan
