#include "mainstem/plan/plan_json.h"

#include <arrow/buffer.h>
#include <arrow/builder.h>
#include <arrow/compute/cast.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <arrow/util/base64.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "mainstem/base/suggestion.h"
#include "mainstem/data/type_json.h"

namespace mainstem::plan {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMaxDepth = 512;
constexpr int kMostNesting = 4 * kMaxDepth;  // of brackets: copying and printing JSON recurse

// How deep brackets nest outside of strings.
int Nesting(const std::string& json_text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < json_text.size(); ++i) {
    const char c = json_text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

Result<Json> Need(const Json& json, const char* key) {
  if (!json.is_object() || !json.contains(key)) return JobError(fmt::format("'{}' is missing", key));
  return json[key];
}

Result<std::string> Text(const Json& json, const char* key) {
  ARROW_ASSIGN_OR_RAISE(Json value, Need(json, key));
  if (!value.is_string()) return JobError(fmt::format("'{}' must be a string", key));
  return value.get<std::string>();
}

std::string TextOr(const Json& json, const char* key, std::string fallback) {
  return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : fallback;
}

bool FlagOr(const Json& json, const char* key, bool fallback) {
  return json.contains(key) && json[key].is_boolean() ? json[key].get<bool>() : fallback;
}

Result<std::vector<std::string>> Names(const Json& json, const char* key) {
  std::vector<std::string> names;
  if (!json.contains(key) || json[key].is_null()) return names;
  if (!json[key].is_array()) return JobError(fmt::format("'{}' must be a list of names", key));
  for (const Json& name : json[key]) {
    if (!name.is_string()) return JobError(fmt::format("'{}' must be a list of names", key));
    names.push_back(name.get<std::string>());
  }
  return names;
}

Result<OptionValue> ParseOption(const Json& json) {
  if (json.is_null()) return OptionValue();
  if (json.is_boolean()) return OptionValue(json.get<bool>());
  if (json.is_number_integer()) return OptionValue(json.get<int64_t>());
  if (json.is_number()) return OptionValue(json.get<double>());
  if (json.is_string()) return OptionValue(json.get<std::string>());
  if (json.is_array()) {
    OptionValue::List list;
    for (const Json& entry : json) {
      ARROW_ASSIGN_OR_RAISE(OptionValue value, ParseOption(entry));
      list.push_back(std::move(value));
    }
    return OptionValue(std::move(list));
  }
  return OptionValue(json.dump());  // an object (a type, a schema) travels as its JSON text
}

Result<std::map<std::string, OptionValue>> ParseOptions(const Json& json) {
  std::map<std::string, OptionValue> options;
  if (!json.contains("options") || json["options"].is_null()) return options;
  if (!json["options"].is_object()) return JobError("'options' must be an object");
  for (const auto& [name, value] : json["options"].items()) {
    ARROW_ASSIGN_OR_RAISE(options[name], ParseOption(value));
  }
  return options;
}

Result<std::shared_ptr<arrow::Scalar>> ParseLiteral(const Json& json) {
  const Json& value = json["literal"];
  std::shared_ptr<arrow::Scalar> scalar;
  if (value.is_null()) {
    scalar = arrow::MakeNullScalar(arrow::null());
  } else if (value.is_boolean()) {
    scalar = arrow::MakeScalar(value.get<bool>());
  } else if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
    scalar = arrow::MakeScalar(value.get<uint64_t>());
  } else if (value.is_number_integer()) {
    scalar = arrow::MakeScalar(value.get<int64_t>());
  } else if (value.is_number()) {
    scalar = arrow::MakeScalar(value.get<double>());
  } else if (value.is_string()) {
    const std::string text = value.get<std::string>();
    scalar = (text == "NaN" || text == "Infinity" || text == "-Infinity") && json.contains("type") &&
                     json["type"] == "float64"
                 ? arrow::MakeScalar(std::stod(text))
                 : arrow::MakeScalar(text);
  } else if (value.is_object() && value.contains("base64") && value["base64"].is_string()) {
    ARROW_ASSIGN_OR_RAISE(std::string bytes, arrow::util::base64_decode(value["base64"].get<std::string>()));
    scalar = std::make_shared<arrow::LargeBinaryScalar>(arrow::Buffer::FromString(std::move(bytes)));
  } else if (value.is_array()) {
    if (!json.contains("type")) return JobError("a literal list needs its 'type'");
    ARROW_ASSIGN_OR_RAISE(LogicalType type, ParseType(json["type"].dump()));
    if (!type.IsList()) return JobError("a literal list needs a list type");
    ARROW_ASSIGN_OR_RAISE(auto builder, arrow::MakeBuilder(type.storage()->field(0)->type()));
    for (const Json& entry : value) {
      ARROW_ASSIGN_OR_RAISE(auto item, ParseLiteral(Json{{"literal", entry}}));
      ARROW_ASSIGN_OR_RAISE(auto cast, arrow::compute::Cast(item, type.storage()->field(0)->type()));
      ARROW_RETURN_NOT_OK(builder->AppendScalar(*cast.scalar()));
    }
    ARROW_ASSIGN_OR_RAISE(auto items, builder->Finish());
    return std::make_shared<arrow::ListScalar>(items, type.storage());
  } else {
    return JobError(fmt::format("'{}' is not a literal", value.dump()));
  }
  if (!json.contains("type") || json["type"].is_null()) return scalar;
  ARROW_ASSIGN_OR_RAISE(LogicalType type, ParseType(json["type"].dump()));
  if (scalar->type->Equals(*type.storage())) return scalar;
  if (!scalar->is_valid) return arrow::MakeNullScalar(type.storage());
  ARROW_ASSIGN_OR_RAISE(arrow::Datum cast, arrow::compute::Cast(scalar, type.storage()));
  return cast.scalar();
}

Result<ExpressionPtr> ParseExpression(const Json& json, int depth = 0) {
  if (depth > kMaxDepth) return JobError("an expression is nested too deeply");
  if (!json.is_object()) return JobError(fmt::format("'{}' is not an expression", json.dump()));
  if (json.contains("column")) {
    ARROW_ASSIGN_OR_RAISE(std::string name, Text(json, "column"));
    return Expression::Column(std::move(name));
  }
  if (json.contains("literal")) {
    ARROW_ASSIGN_OR_RAISE(auto scalar, ParseLiteral(json));
    return Expression::Literal(std::move(scalar));
  }
  const bool is_udf = json.contains("udf");
  if (!is_udf && !json.contains("call")) return JobError(fmt::format("'{}' is not an expression", json.dump()));
  auto expression = std::make_shared<Expression>();
  expression->kind = is_udf ? Expression::Kind::kUdf : Expression::Kind::kCall;
  ARROW_ASSIGN_OR_RAISE(expression->name, Text(json, is_udf ? "udf" : "call"));
  if (json.contains("args")) {
    if (!json["args"].is_array()) return JobError("'args' must be a list");
    for (const Json& argument : json["args"]) {
      ARROW_ASSIGN_OR_RAISE(ExpressionPtr parsed, ParseExpression(argument, depth + 1));
      expression->arguments.push_back(std::move(parsed));
    }
  }
  ARROW_ASSIGN_OR_RAISE(expression->options, ParseOptions(json));
  return expression;
}

Result<std::vector<NamedExpression>> ParseColumns(const Json& json, const char* key) {
  ARROW_ASSIGN_OR_RAISE(Json list, Need(json, key));
  if (!list.is_array()) return JobError(fmt::format("'{}' must be a list", key));
  std::vector<NamedExpression> columns;
  for (const Json& entry : list) {
    ARROW_ASSIGN_OR_RAISE(std::string name, Text(entry, "name"));
    ARROW_ASSIGN_OR_RAISE(Json expression_json, Need(entry, "expr"));
    ARROW_ASSIGN_OR_RAISE(ExpressionPtr expression, ParseExpression(expression_json));
    columns.push_back({std::move(name), std::move(expression)});
  }
  return columns;
}

Result<UserFunction> ParseUserFunction(const std::string& id, const Json& json) {
  UserFunction function{.id = id};
  function.name = TextOr(json, "name", id);
  function.kind = TextOr(json, "kind", "scalar");
  function.form = TextOr(json, "form", "general");
  ARROW_ASSIGN_OR_RAISE(Json type, Need(json, "return_type"));
  ARROW_ASSIGN_OR_RAISE(function.return_type, ParseType(type.dump()));
  function.deterministic = FlagOr(json, "deterministic", true);
  const auto number = [&](const char* key) -> std::optional<double> {
    if (!json.contains(key) || !json[key].is_number()) return {};
    return std::clamp(json[key].get<double>(), -1e9, 1e9);  // what follows converts to integers
  };
  if (const auto value = number("concurrency")) function.concurrency = static_cast<int>(*value);
  if (const auto value = number("batch_size")) function.batch_size = static_cast<int64_t>(*value);
  function.timeout_s = number("timeout");
  function.num_gpus = number("num_gpus").value_or(0);
  function.gpu_type = TextOr(json, "gpu_type", "");
  function.on_error = TextOr(json, "on_error", "raise");
  function.journal = TextOr(json, "journal", "");
  static const std::vector<std::string> kPolicies = {"raise", "null", "dead_letter"};
  if (std::find(kPolicies.begin(), kPolicies.end(), function.on_error) == kPolicies.end()) {
    return JobError(fmt::format("on_error is raise, null or dead_letter, not '{}'", Escaped(function.on_error)));
  }
  if (function.concurrency && *function.concurrency < 1) return JobError("concurrency must be at least 1");
  if (function.batch_size && *function.batch_size < 1) return JobError("batch_size must be at least 1");
  if (function.timeout_s && *function.timeout_s <= 0) return JobError("timeout must be more than 0 seconds");
  ARROW_ASSIGN_OR_RAISE(std::string payload, Text(json, "payload"));
  ARROW_ASSIGN_OR_RAISE(function.payload, arrow::util::base64_decode(payload));
  return function;
}

Status ParseInputs(const Json& json, size_t index, PlanNode* node) {
  const auto add = [&](const Json& value) -> Status {
    if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<size_t>() >= index) {
      return JobError("an input must be the index of an earlier node");
    }
    node->inputs.push_back(value.get<size_t>());
    return Status::OK();
  };
  for (const char* key : {"input", "left", "right"}) {
    if (json.contains(key)) ARROW_RETURN_NOT_OK(add(json[key]));
  }
  if (json.contains("inputs")) {
    for (const Json& value : json["inputs"]) ARROW_RETURN_NOT_OK(add(value));
  }
  return Status::OK();
}

struct OpShape {
  size_t least_inputs;
  size_t most_inputs;
};
const std::map<std::string, OpShape>& Ops() {
  static const std::map<std::string, OpShape> kOps = {
      {"source", {0, 0}},    {"select", {1, 1}},  {"with_columns", {1, 1}}, {"drop", {1, 1}},      {"rename", {1, 1}},
      {"filter", {1, 1}},    {"limit", {1, 1}},   {"explode", {1, 1}},      {"lateral", {1, 1}},   {"map", {1, 1}},
      {"union_all", {1, 64}}, {"distinct", {1, 1}}, {"sort", {1, 1}},       {"aggregate", {1, 1}}, {"join", {2, 2}},
      {"write", {1, 1}}};
  return kOps;
}

Result<PlanNode> ParseNode(const Json& json, size_t index) {
  PlanNode node;
  ARROW_ASSIGN_OR_RAISE(node.op, Text(json, "op"));
  const auto op = Ops().find(node.op);
  if (op == Ops().end()) {
    std::vector<std::string> names;
    for (const auto& [name, shape] : Ops()) names.push_back(name);
    return JobError(fmt::format("there is no node '{}'.{}", Escaped(node.op), Suggestion(node.op, names)));
  }
  ARROW_RETURN_NOT_OK(ParseInputs(json, index, &node));
  if (node.inputs.size() < op->second.least_inputs || node.inputs.size() > op->second.most_inputs) {
    return JobError(fmt::format("a '{}' has {} inputs here", node.op, node.inputs.size()));
  }
  if (node.op == "source" || node.op == "write") {
    ARROW_ASSIGN_OR_RAISE(node.connector, Text(json, "connector"));
    ARROW_ASSIGN_OR_RAISE(node.options, ParseOptions(json));
  } else if (node.op == "select" || node.op == "with_columns") {
    ARROW_ASSIGN_OR_RAISE(node.columns, ParseColumns(json, "columns"));
  } else if (node.op == "drop") {
    ARROW_ASSIGN_OR_RAISE(node.names, Names(json, "names"));
    node.flag = FlagOr(json, "strict", true);
  } else if (node.op == "rename") {
    ARROW_ASSIGN_OR_RAISE(Json names, Need(json, "names"));
    for (const auto& [from, to] : names.items()) {
      if (!to.is_string()) return JobError("'names' maps old names to new ones");
      node.renames[from] = to.get<std::string>();
    }
  } else if (node.op == "filter") {
    ARROW_ASSIGN_OR_RAISE(Json predicate, Need(json, "predicate"));
    ARROW_ASSIGN_OR_RAISE(node.expression, ParseExpression(predicate));
  } else if (node.op == "limit") {
    for (const char* key : {"count", "offset"}) {
      if (!json.contains(key) || json[key].is_null()) continue;
      if (!json[key].is_number_integer()) return JobError(fmt::format("'{}' must be a whole number", key));
      if (key == std::string_view("count")) {
        node.count = json[key].get<int64_t>();
      } else {
        node.offset = json[key].get<int64_t>();
      }
    }
    if (node.offset < 0 || node.count.value_or(0) < 0) return JobError("limit and offset cannot be negative");
  } else if (node.op == "explode") {
    ARROW_ASSIGN_OR_RAISE(node.column, Text(json, "column"));
    node.output_column = TextOr(json, "output_column", node.column);
    node.flag = FlagOr(json, "ignore_empty_and_null", false);
  } else if (node.op == "lateral") {
    ARROW_ASSIGN_OR_RAISE(Json call, Need(json, "call"));
    ARROW_ASSIGN_OR_RAISE(node.expression, ParseExpression(call));
    ARROW_ASSIGN_OR_RAISE(node.names, Names(json, "names"));
    node.has_names = !node.names.empty();
    node.flag = FlagOr(json, "ignore_empty", true);
  } else if (node.op == "map") {
    ARROW_ASSIGN_OR_RAISE(node.udf, Text(json, "udf"));
  } else if (node.op == "distinct") {
    ARROW_ASSIGN_OR_RAISE(node.names, Names(json, "subset"));
    node.keep = TextOr(json, "keep", "first");
    if (node.keep != "first" && node.keep != "last") return JobError("'keep' is 'first' or 'last'");
  } else if (node.op == "sort") {
    ARROW_ASSIGN_OR_RAISE(Json by, Need(json, "by"));
    for (const Json& key : by) {
      ARROW_ASSIGN_OR_RAISE(Json expression, Need(key, "expr"));
      PlanNode::SortBy sort;
      ARROW_ASSIGN_OR_RAISE(sort.expression, ParseExpression(expression));
      sort.descending = FlagOr(key, "descending", false);
      sort.nulls_first = FlagOr(key, "nulls_first", false);
      node.sort_by.push_back(std::move(sort));
    }
    if (node.sort_by.empty()) return JobError("a sort needs at least one key");
  } else if (node.op == "aggregate") {
    ARROW_ASSIGN_OR_RAISE(node.columns, ParseColumns(json, "keys"));
    ARROW_ASSIGN_OR_RAISE(Json aggregates, Need(json, "aggregates"));
    for (const Json& entry : aggregates) {
      PlanNode::Aggregate aggregate;
      ARROW_ASSIGN_OR_RAISE(aggregate.name, Text(entry, "name"));
      ARROW_ASSIGN_OR_RAISE(aggregate.function, Text(entry, "function"));
      if (entry.contains("expr") && !entry["expr"].is_null()) {
        ARROW_ASSIGN_OR_RAISE(aggregate.expression, ParseExpression(entry["expr"]));
      }
      node.aggregates.push_back(std::move(aggregate));
    }
  } else if (node.op == "join") {
    node.how = TextOr(json, "how", "inner");
    ARROW_ASSIGN_OR_RAISE(node.left_on, Names(json, "left_on"));
    ARROW_ASSIGN_OR_RAISE(node.right_on, Names(json, "right_on"));
  }
  return node;
}

}  // namespace

Result<ParsedPlan> ParsePlan(const std::string& json_text) {
  if (Nesting(json_text) > kMostNesting) return JobError("the plan is nested too deeply");
  const Json json = Json::parse(json_text, nullptr, false);
  if (json.is_discarded() || !json.is_object()) return JobError("the plan is not JSON");
  if (!json.contains("version") || json["version"] != 1) {
    return JobError("the plan's version is not 1; it was made by another release");
  }
  ParsedPlan plan;
  if (!json.contains("nodes") || !json["nodes"].is_array() || json["nodes"].empty()) {
    return JobError("the plan has no nodes");
  }
  for (const Json& node : json["nodes"]) {
    auto parsed = ParseNode(node, plan.nodes.size());
    if (!parsed.ok()) {
      const std::string op = node.is_object() ? TextOr(node, "op", "?") : "?";
      return WithContext(parsed.status(), fmt::format("node {} ({})", plan.nodes.size(), Escaped(op)));
    }
    plan.nodes.push_back(parsed.MoveValueUnsafe());
  }
  if (json.contains("udfs") && json["udfs"].is_object()) {
    for (const auto& [id, function] : json["udfs"].items()) {
      auto parsed = ParseUserFunction(id, function);
      if (!parsed.ok()) return WithContext(parsed.status(), fmt::format("udf {}", Escaped(TextOr(function, "name", id))));
      plan.user_functions.emplace(id, parsed.MoveValueUnsafe());
    }
  }
  return plan;
}

}  // namespace mainstem::plan
