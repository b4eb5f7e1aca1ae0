// Expressions: trees over columns, literals and function calls; unbound as users write them, bound as they run.
#pragma once

#include <arrow/type_fwd.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/functions/registry.h"

namespace mainstem {

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

/// An expression as a plan has it. Immutable.
struct Expression {
  enum class Kind { kColumn, kLiteral, kCall, kUdf } kind = Kind::kColumn;
  std::string name;                          ///< column, function or UDF id
  std::shared_ptr<arrow::Scalar> literal;    ///< kLiteral
  std::vector<ExpressionPtr> arguments;
  std::map<std::string, OptionValue> options;

  static ExpressionPtr Column(std::string name);
  static ExpressionPtr Literal(std::shared_ptr<arrow::Scalar> value);
  static ExpressionPtr Call(std::string function, std::vector<ExpressionPtr> arguments,
                            std::map<std::string, OptionValue> options = {});
  /// As explain prints it, long texts cut: "image.resize(image.decode(file), width=224)".
  std::string ToString() const;
  /// Text that is equal only where the expressions give equal values.
  std::string Identity() const;
};

/// Names of the columns that the expression reads.
void CollectColumns(const Expression& expression, std::vector<std::string>* names);
/// Replaces columns by expressions where the map has one.
ExpressionPtr Substitute(const ExpressionPtr& expression, const std::map<std::string, ExpressionPtr>& replacements);

struct BoundExpression;
using BoundExpressionPtr = std::shared_ptr<const BoundExpression>;

/// An expression whose columns are indices and whose functions and types are known. Immutable.
struct BoundExpression {
  enum class Kind { kColumn, kLiteral, kCall } kind = Kind::kColumn;
  int column = -1;
  std::shared_ptr<arrow::Scalar> literal;
  const FunctionDefinition* function = nullptr;  ///< owned by the registry
  BoundSignature signature;
  std::vector<BoundExpressionPtr> arguments;
  LogicalType type;
  std::string key;  ///< equal keys mean equal values
};

/// Named, typed columns.
struct Column {
  std::string name;
  LogicalType type;
};
using Columns = std::vector<Column>;

std::shared_ptr<arrow::Schema> ToArrow(const Columns& columns);
Result<Columns> FromArrow(const arrow::Schema& schema);
/// Index of a column, or an error that suggests the nearest name.
Result<int> FindColumn(const Columns& columns, const std::string& name);

/// Binds against the columns: checks names, argument types and options, inserts `file.bytes` where a file is
/// passed to a function of bytes. UDF calls must have been replaced by columns before.
Result<BoundExpressionPtr> Bind(const ExpressionPtr& expression, const Columns& columns, const Registry& registry);

}  // namespace mainstem
