#include "mainstem/functions/expression.h"

#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <algorithm>

#include "mainstem/base/suggestion.h"

namespace mainstem {

ExpressionPtr Expression::Column(std::string name) {
  auto expression = std::make_shared<Expression>();
  expression->kind = Kind::kColumn;
  expression->name = std::move(name);
  return expression;
}

ExpressionPtr Expression::Literal(std::shared_ptr<arrow::Scalar> value) {
  auto expression = std::make_shared<Expression>();
  expression->kind = Kind::kLiteral;
  expression->literal = std::move(value);
  return expression;
}

ExpressionPtr Expression::Call(std::string function, std::vector<ExpressionPtr> arguments,
                               std::map<std::string, OptionValue> options) {
  auto expression = std::make_shared<Expression>();
  expression->kind = Kind::kCall;
  expression->name = std::move(function);
  expression->arguments = std::move(arguments);
  expression->options = std::move(options);
  return expression;
}

std::string Expression::ToString() const {
  if (kind == Kind::kColumn) return name;
  if (kind == Kind::kLiteral) {
    const bool text = arrow::is_base_binary_like(literal->type->id());
    return literal->is_valid && text ? fmt::format("'{}'", Escaped(literal->ToString(), 60)) : literal->ToString();
  }
  std::string inside;
  const auto add = [&](const std::string& part) {
    if (!inside.empty()) inside += ", ";
    inside += part;
  };
  for (const ExpressionPtr& argument : arguments) add(argument->ToString());
  for (const auto& [option, value] : options) {
    if (option != "resolved") add(fmt::format("{}={}", option, value.ToString()));
  }
  return fmt::format("{}({})", name, inside);
}

namespace {

// A literal's type and content. Arrow prints long lists with their middle left out: nested ones are known by address.
std::string IdentityOf(const std::shared_ptr<arrow::Scalar>& literal) {
  const std::string type = literal->type->ToString();
  if (!literal->is_valid) return fmt::format("null:{};", type);
  if (arrow::is_base_binary_like(literal->type->id())) {
    const auto& bytes = static_cast<const arrow::BaseBinaryScalar&>(*literal);
    return fmt::format("{}:{}:{}", type, bytes.value->size(), bytes.view());
  }
  if (literal->type->num_fields() > 0) return fmt::format("{}@{};", type, fmt::ptr(literal.get()));
  return fmt::format("{}:{};", type, literal->ToString());
}

}  // namespace

std::string Expression::Identity() const {
  if (kind == Kind::kColumn) return fmt::format("#{}:{}", name.size(), name);
  if (kind == Kind::kLiteral) return "=" + IdentityOf(literal);
  std::string identity = fmt::format("{}{}:{}(", kind == Kind::kUdf ? "udf" : "call", name.size(), name);
  for (const ExpressionPtr& argument : arguments) identity += argument->Identity() + ",";
  for (const auto& [option, value] : options) identity += option + "=" + value.Identity() + ",";
  return identity + ")";
}

void CollectColumns(const Expression& expression, std::vector<std::string>* names) {
  if (expression.kind == Expression::Kind::kColumn &&
      std::find(names->begin(), names->end(), expression.name) == names->end()) {
    names->push_back(expression.name);
  }
  for (const ExpressionPtr& argument : expression.arguments) CollectColumns(*argument, names);
}

ExpressionPtr Substitute(const ExpressionPtr& expression, const std::map<std::string, ExpressionPtr>& replacements) {
  if (expression->kind == Expression::Kind::kColumn) {
    const auto found = replacements.find(expression->name);
    return found == replacements.end() ? expression : found->second;
  }
  if (expression->arguments.empty()) return expression;
  auto copy = std::make_shared<Expression>(*expression);
  for (ExpressionPtr& argument : copy->arguments) argument = Substitute(argument, replacements);
  return copy;
}

std::shared_ptr<arrow::Schema> ToArrow(const Columns& columns) {
  arrow::FieldVector fields;
  for (const Column& column : columns) fields.push_back(column.type.ToField(column.name));
  return arrow::schema(std::move(fields));
}

Result<Columns> FromArrow(const arrow::Schema& schema) {
  Columns columns;
  for (const auto& field : schema.fields()) {
    ARROW_ASSIGN_OR_RAISE(LogicalType type, LogicalType::FromField(*field));
    columns.push_back({field->name(), std::move(type)});
  }
  return columns;
}

Result<int> FindColumn(const Columns& columns, const std::string& name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return static_cast<int>(i);
    names.push_back(columns[i].name);
  }
  return JobError(fmt::format("there is no column '{}'.{}", Escaped(name), Suggestion(name, names)));
}

namespace {

Result<BoundExpressionPtr> BindCall(const FunctionDefinition& function, std::vector<BoundExpressionPtr> arguments,
                                    const std::map<std::string, OptionValue>& options, const Registry& registry);

// A file passed where bytes are expected is fetched first; the fetch fails by the consumer's rule.
Result<BoundExpressionPtr> FetchedBytes(const BoundExpressionPtr& file, const FunctionDefinition& consumer,
                                        const std::map<std::string, OptionValue>& consumer_options,
                                        const Registry& registry) {
  ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* bytes, registry.Find("file.bytes"));
  std::map<std::string, OptionValue> options;
  const auto on_error = consumer_options.find("on_error");
  if (consumer.null_is_false) {
    options["on_error"] = "null";
  } else if (on_error != consumer_options.end() && on_error->second != OptionValue("skip")) {
    options["on_error"] = on_error->second;
  }
  return BindCall(*bytes, {file}, options, registry);
}

Status CheckArity(const FunctionDefinition& function, size_t given) {
  size_t required = 0;
  for (const ArgumentSpec& argument : function.arguments) required += argument.optional ? 0 : 1;
  const size_t most = function.arguments.size();
  if (given < required || (given > most && !function.variadic)) {
    return JobError(fmt::format("{} takes {} argument{}, not {}", function.name,
                                required == most ? std::to_string(most) : fmt::format("{} to {}", required, most),
                                most == 1 ? "" : "s", given));
  }
  return Status::OK();
}

Result<BoundExpressionPtr> BindCall(const FunctionDefinition& function, std::vector<BoundExpressionPtr> arguments,
                                    const std::map<std::string, OptionValue>& options, const Registry& registry) {
  ARROW_RETURN_NOT_OK(CheckArity(function, arguments.size()));
  auto bound = std::make_shared<BoundExpression>();
  bound->kind = BoundExpression::Kind::kCall;
  bound->function = &function;
  ARROW_ASSIGN_OR_RAISE(bound->signature.options, Options::Check(function.name, function.options, options));
  for (size_t i = 0; i < arguments.size(); ++i) {
    const ArgumentSpec& spec = function.arguments[std::min(i, function.arguments.size() - 1)];
    if (!Accepts(spec.accepts, arguments[i]->type)) {
      return JobError(fmt::format("{}: argument '{}' takes {}, not {}", function.name, spec.name,
                                  ToString(spec.accepts), arguments[i]->type.ToString()));
    }
    if (arguments[i]->type.kind() == TypeKind::kFile && NeedsBytes(spec.accepts)) {
      ARROW_ASSIGN_OR_RAISE(arguments[i], FetchedBytes(arguments[i], function, options, registry));
    }
    bound->signature.arguments.push_back(arguments[i]->type);
  }
  bound->arguments = std::move(arguments);
  if (function.kind != FunctionKind::kTable) {
    ARROW_ASSIGN_OR_RAISE(bound->type, function.result_type(bound->signature));
  }
  std::string key = function.name + "(";
  for (const BoundExpressionPtr& argument : bound->arguments) key += argument->key + ", ";
  for (const auto& [name, value] : bound->signature.options.values()) key += name + "=" + value.Identity() + ", ";
  bound->key = key + ")";
  return bound;
}

}  // namespace

Result<BoundExpressionPtr> Bind(const ExpressionPtr& expression, const Columns& columns, const Registry& registry) {
  switch (expression->kind) {
    case Expression::Kind::kColumn: {
      auto bound = std::make_shared<BoundExpression>();
      bound->kind = BoundExpression::Kind::kColumn;
      ARROW_ASSIGN_OR_RAISE(bound->column, FindColumn(columns, expression->name));
      bound->type = columns[static_cast<size_t>(bound->column)].type;
      bound->key = fmt::format("#{};", bound->column);
      return bound;
    }
    case Expression::Kind::kLiteral: {
      auto bound = std::make_shared<BoundExpression>();
      bound->kind = BoundExpression::Kind::kLiteral;
      bound->literal = expression->literal;
      bound->type = LogicalType::Plain(expression->literal->type);
      bound->key = "=" + IdentityOf(expression->literal);
      return bound;
    }
    case Expression::Kind::kCall: {
      ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, registry.Find(expression->name));
      std::vector<BoundExpressionPtr> arguments;
      for (const ExpressionPtr& argument : expression->arguments) {
        ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(argument, columns, registry));
        arguments.push_back(std::move(bound));
      }
      return BindCall(*function, std::move(arguments), expression->options, registry);
    }
    case Expression::Kind::kUdf: break;
  }
  return JobError(fmt::format("a user function cannot be used here: {}", expression->ToString()));
}

}  // namespace mainstem
