// Registers the vector functions and the aggregates.
#include "mainstem/functions/builtin.h"
#include "mainstem/functions/vector/arrow_function.h"
#include "mainstem/functions/vector/hash.h"

namespace mainstem {

Status RegisterVectorFunctions(Registry& registry) {
  for (auto family : {ArithmeticFunctions, LogicFunctions, TextKernels, TemporalFunctions, NestedFunctions}) {
    for (FunctionDefinition& definition : family()) ARROW_RETURN_NOT_OK(registry.Add(std::move(definition)));
  }
  return registry.Add(HashFunction());
}

namespace {

FunctionDefinition Aggregate(std::string name, std::string arrow_name, TypePattern accepts, std::string doc,
                             std::function<Result<LogicalType>(const BoundSignature&)> type) {
  FunctionDefinition definition;
  definition.name = "agg." + name;
  definition.kind = FunctionKind::kAggregate;
  definition.doc = std::move(doc);
  definition.arguments = {{"value", accepts, ""}};
  definition.aggregate = std::move(arrow_name);
  definition.result_type = std::move(type);
  return definition;
}

// Arrow sums signed integers as int64, unsigned ones as uint64, floating point numbers as double.
Result<LogicalType> SumType(const BoundSignature& signature) {
  if (signature.arguments[0].IsInteger()) return LogicalType::Int64();
  return LogicalType::Float64();
}

}  // namespace

Status RegisterAggregates(Registry& registry) {
  const auto number = Always(LogicalType::Float64());
  const auto count = Always(LogicalType::Int64());
  const auto same = SameAsArgument(0);
  const auto list = [](const BoundSignature& signature) -> Result<LogicalType> {
    return LogicalType::List(signature.arguments[0]);
  };
  const FunctionDefinition definitions[] = {
      Aggregate("sum", "sum", TypePattern::kNumber, "Sum of the values that are not null.", SumType),
      Aggregate("mean", "mean", TypePattern::kNumber, "Arithmetic mean.", number),
      Aggregate("count", "count", TypePattern::kAny, "Number of values that are not null.", count),
      Aggregate("count_all", "count_all", TypePattern::kAny, "Number of rows.", count),
      Aggregate("count_distinct", "count_distinct", TypePattern::kAny, "Number of different values, null apart.",
                count),
      Aggregate("min", "min", TypePattern::kAny, "Smallest value.", same),
      Aggregate("max", "max", TypePattern::kAny, "Largest value.", same),
      Aggregate("first", "first", TypePattern::kAny, "First value in the order of the rows.", same),
      Aggregate("last", "last", TypePattern::kAny, "Last value in the order of the rows.", same),
      Aggregate("list", "list", TypePattern::kAny, "All values as a list.", list),
      Aggregate("stddev_samp", "stddev", TypePattern::kNumber, "Standard deviation of a sample (n − 1).", number),
      Aggregate("stddev_pop", "stddev", TypePattern::kNumber, "Standard deviation of a population (n).", number),
      Aggregate("var_samp", "variance", TypePattern::kNumber, "Variance of a sample (n − 1).", number),
      Aggregate("var_pop", "variance", TypePattern::kNumber, "Variance of a population (n).", number),
      Aggregate("any", "any", TypePattern::kBoolean, "True where one value is true.", Always(LogicalType::Bool())),
      Aggregate("all", "all", TypePattern::kBoolean, "True where every value is true.", Always(LogicalType::Bool())),
  };
  for (FunctionDefinition definition : definitions) {
    if (definition.name == "agg.count_all") definition.arguments[0].optional = true;
    ARROW_RETURN_NOT_OK(registry.Add(std::move(definition)));
  }
  return Status::OK();
}

}  // namespace mainstem
