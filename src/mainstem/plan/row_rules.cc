#include "mainstem/plan/row_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

namespace mainstem::plan {
namespace {

using Kind = LogicalNode::Kind;

bool IsCall(const Expression& expression, const std::string& name) {
  return expression.kind == Expression::Kind::kCall && expression.name == name;
}

bool MayBeRemote(const LogicalNode& node) {
  if (node.kind == Kind::kSource) return node.source->MayBeRemote();
  return std::any_of(node.inputs.begin(), node.inputs.end(), [](const auto& input) { return MayBeRemote(*input); });
}

// The expressions of a node that row programs run.
std::vector<ExpressionPtr*> Expressions(LogicalNode* node) {
  std::vector<ExpressionPtr*> expressions;
  if (node->kind == Kind::kProject) {
    for (NamedExpression& projection : node->projections) expressions.push_back(&projection.expression);
  } else if (node->kind == Kind::kFilter || node->kind == Kind::kLateral) {
    expressions.push_back(&node->expression);
  }
  return expressions;
}

// One file that functions need the bytes of, and what happens when it cannot be had.
struct Wanted {
  ExpressionPtr file;
  std::string on_error;
};

// Finds file-typed arguments of functions that need bytes (or open the file themselves).
class FileUses {
 public:
  FileUses(const Columns& columns, const Registry& registry) : columns_(columns), registry_(registry) {}

  Status Visit(const ExpressionPtr& expression) {
    if (expression->kind != Expression::Kind::kCall) return Status::OK();
    ARROW_ASSIGN_OR_RAISE(const FunctionDefinition* function, registry_.Find(expression->name));
    for (size_t i = 0; i < expression->arguments.size(); ++i) {
      const ExpressionPtr& argument = expression->arguments[i];
      ARROW_RETURN_NOT_OK(Visit(argument));
      const TypePattern pattern = function->arguments[std::min(i, function->arguments.size() - 1)].accepts;
      const bool opens = OpensFiles(pattern);
      if (!NeedsBytes(pattern) && !opens && function->name != "file.bytes") continue;
      ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(argument, columns_, registry_));
      if (bound->type.kind() != TypeKind::kFile) continue;
      std::string on_error = function->null_is_false ? "null" : "raise";
      const auto given = expression->options.find("on_error");
      if (given != expression->options.end()) {
        on_error = std::get<std::string>(given->second.value) == "skip" ? "dead_letter"
                                                                        : std::get<std::string>(given->second.value);
      }
      // Every function would act on the failed file by its own policy: the strictest of them decides.
      const auto [known, added] = wanted.try_emplace(argument->Identity(), Wanted{argument, on_error});
      const auto strictness = [](const std::string& policy) {
        return policy == "raise" ? 2 : policy == "dead_letter" ? 1 : 0;
      };
      if (!added && strictness(on_error) > strictness(known->second.on_error)) known->second.on_error = on_error;
    }
    return Status::OK();
  }

  std::map<std::string, Wanted> wanted;  // by identity of the file expression

 private:
  const Columns& columns_;
  const Registry& registry_;
};

// Replaces file expressions that stand as arguments of calls; a file that is only passed on stays as it was.
ExpressionPtr Replace(const ExpressionPtr& expression, const std::map<std::string, std::string>& columns, bool inside) {
  if (inside) {
    const auto found = columns.find(expression->Identity());
    if (found != columns.end()) return Expression::Column(found->second);
  }
  if (expression->arguments.empty()) return expression;
  auto copy = std::make_shared<Expression>(*expression);
  for (ExpressionPtr& argument : copy->arguments) argument = Replace(argument, columns, true);
  return copy;
}

}  // namespace

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::vector<std::string> ColumnsOf(const Expression& expression) {
  std::vector<std::string> names;
  CollectColumns(expression, &names);
  return names;
}

std::set<std::string> SettingAside(const std::vector<NamedExpression>& projections) {
  std::set<std::string> found;
  const std::function<void(const Expression&)> visit = [&](const Expression& expression) {
    const auto policy = expression.options.find("on_error");
    if (policy != expression.options.end() && policy->second == OptionValue("dead_letter")) {
      found.insert(expression.Identity());
    }
    for (const ExpressionPtr& argument : expression.arguments) visit(*argument);
  };
  for (const NamedExpression& projection : projections) visit(*projection.expression);
  return found;
}

bool Includes(const std::set<std::string>& all, const std::set<std::string>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

bool SetsRowsAside(const LogicalNode& node) { return !SettingAside(node.projections).empty(); }

Result<LogicalNodePtr> FetchAhead(LogicalNodePtr node, const Registry& registry) {
  std::vector<ExpressionPtr*> expressions = Expressions(node.get());
  if (expressions.empty() || !MayBeRemote(*node)) return node;
  LogicalNodePtr input = node->inputs[0];
  FileUses uses(input->columns, registry);
  for (const ExpressionPtr* expression : expressions) ARROW_RETURN_NOT_OK(uses.Visit(*expression));
  if (uses.wanted.empty()) return node;

  std::map<std::string, std::string> fetched;  // identity of a file expression to the column with its bytes
  for (const auto& [text, wanted] : uses.wanted) {
    std::string column = wanted.file->name;
    if (wanted.file->kind != Expression::Kind::kColumn) {
      column = fmt::format("__file{}", input->columns.size());
      std::vector<NamedExpression> projections = PassThrough(input->columns);
      projections.push_back({column, wanted.file});
      ARROW_ASSIGN_OR_RAISE(input, MakeProjectNode(input, std::move(projections), registry));
    }
    auto fetch = std::make_shared<LogicalNode>();
    fetch->kind = Kind::kFetch;
    fetch->column = column;
    fetch->output_column = fmt::format("__fetched{}", input->columns.size());
    fetch->on_error = wanted.on_error;
    fetch->columns = input->columns;
    fetch->columns.push_back({fetch->output_column, LogicalType::File()});
    fetch->inputs = {input};
    fetched[text] = fetch->output_column;
    input = std::move(fetch);
  }
  auto copy = std::make_shared<LogicalNode>(*node);
  copy->inputs = {input};
  for (ExpressionPtr* expression : Expressions(copy.get())) *expression = Replace(*expression, fetched, false);
  if (copy->kind == Kind::kFilter) {
    // A filter passes every column on: take the fetched bytes away again.
    copy->columns = input->columns;
    return MakeProjectNode(std::move(copy), PassThrough(node->columns), registry);
  }
  return copy;
}

Result<LogicalNodePtr> ScaleWhileDecoding(LogicalNodePtr node, const Registry& registry) {
  std::vector<ExpressionPtr*> expressions = Expressions(node.get());
  if (expressions.empty()) return node;
  struct Use {
    int64_t height = 0;
    int64_t width = 0;
    bool only_resized = true;
  };
  std::map<std::string, Use> uses;  // by identity of the decode call
  std::set<std::string> visited;
  std::function<void(const Expression&)> visit = [&](const Expression& expression) {
    if (!visited.insert(expression.Identity()).second) return;
    for (const ExpressionPtr& argument : expression.arguments) {
      if (IsCall(*argument, "image.decode")) {
        Use& use = uses[argument->Identity()];
        const auto height = expression.options.find("height");
        const auto width = expression.options.find("width");
        const auto method = expression.options.find("method");
        const bool nearest = method != expression.options.end() && method->second == OptionValue("nearest");
        if (IsCall(expression, "image.resize") && !nearest && height != expression.options.end() &&
            width != expression.options.end()) {
          use.height = std::max(use.height, std::get<int64_t>(height->second.value));
          use.width = std::max(use.width, std::get<int64_t>(width->second.value));
        } else {
          use.only_resized = false;
        }
      }
      visit(*argument);
    }
  };
  for (const ExpressionPtr* expression : expressions) {
    if (IsCall(**expression, "image.decode")) uses[(*expression)->Identity()].only_resized = false;
    visit(**expression);
  }
  std::function<ExpressionPtr(const ExpressionPtr&)> rewrite = [&](const ExpressionPtr& expression) -> ExpressionPtr {
    if (expression->arguments.empty()) return expression;
    auto copy = std::make_shared<Expression>(*expression);
    for (ExpressionPtr& argument : copy->arguments) argument = rewrite(argument);
    const auto use = uses.find(expression->Identity());
    if (use != uses.end() && use->second.only_resized && !copy->options.contains("minimum_height")) {
      // Twice the target keeps the antialiased resize within 54 dB of a full decode.
      copy->options["minimum_height"] = OptionValue(2 * use->second.height);
      copy->options["minimum_width"] = OptionValue(2 * use->second.width);
    }
    return copy;
  };
  auto copy = std::make_shared<LogicalNode>(*node);
  for (ExpressionPtr* expression : Expressions(copy.get())) *expression = rewrite(*expression);
  return copy;
}

}  // namespace mainstem::plan
