// Logic: comparison, boolean algebra with unknowns (Kleene), null handling, choice, membership and cast.
#include <arrow/array/util.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/scalar.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <optional>

#include "mainstem/data/type_json.h"
#include "mainstem/functions/vector/arrow_function.h"

namespace mainstem {
namespace {

using Arguments = std::vector<arrow::Datum>;

const std::vector<ArgumentSpec> kTwo = {{"left", TypePattern::kAny, ""}, {"right", TypePattern::kAny, ""}};
const std::vector<ArgumentSpec> kTwoBooleans = {{"left", TypePattern::kBoolean, ""},
                                                {"right", TypePattern::kBoolean, ""}};
const std::vector<ArgumentSpec> kAnyValue = {{"value", TypePattern::kAny, ""}};

FunctionDefinition Comparison(const std::string& name, std::string doc) {
  return VectorFunction(name, std::move(doc), kTwo, CallArrow(name));
}


// Membership as a chain of equalities would be slow; Arrow's kernel wants a set of the column's type.
Result<arrow::Datum> IsIn(const Arguments& arguments, const BoundSignature& signature, arrow::MemoryPool* pool) {
  arrow::ArrayVector parts;
  for (size_t i = 1; i < arguments.size(); ++i) {
    if (!arguments[i].is_scalar() && arguments[i].length() != 0) {
      return JobError("the values of is_in must be literals");
    }
    if (!arguments[i].is_scalar()) continue;
    ARROW_ASSIGN_OR_RAISE(auto part, arrow::MakeArrayFromScalar(*arguments[i].scalar(), 1, pool));
    const arrow::compute::CastOptions options = arrow::compute::CastOptions::Safe(arguments[0].type());
    auto cast = CallKernel("cast", {part}, &options, pool);
    if (!cast.ok() && ClassOf(cast.status()) == ErrorClass::kRow) continue;  // no value of the column equals it
    ARROW_RETURN_NOT_OK(cast.status());
    parts.push_back(cast->make_array());
  }
  if (parts.empty()) {
    ARROW_ASSIGN_OR_RAISE(auto none, arrow::MakeEmptyArray(arguments[0].type(), pool));
    parts.push_back(std::move(none));
  }
  ARROW_ASSIGN_OR_RAISE(auto set, arrow::Concatenate(parts, pool));
  const arrow::compute::SetLookupOptions options(set, arrow::compute::SetLookupOptions::SKIP);
  return CallKernel("is_in", {arguments[0]}, &options, pool);
}

Result<arrow::Datum> Between(const Arguments& arguments, const BoundSignature&, arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(arrow::Datum low, CallKernel("greater_equal", {arguments[0], arguments[1]}, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum high, CallKernel("less_equal", {arguments[0], arguments[2]}, nullptr, pool));
  return CallKernel("and_kleene", {low, high}, nullptr, pool);
}

FunctionDefinition Cast() {
  FunctionDefinition definition;
  definition.name = "cast";
  definition.kind = FunctionKind::kVector;
  definition.doc = "The value in another type; a value that does not fit is an error.";
  definition.arguments = kAnyValue;
  definition.options = {{.name = "type",
                         .type = OptionType::kString,
                         .doc = "The type, as JSON text of the plan format.",
                         .required = true}};
  definition.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    ARROW_ASSIGN_OR_RAISE(LogicalType type, ParseType(signature.options.String("type")));
    if (type.kind() != TypeKind::kPlain && !type.storage()->Equals(*signature.arguments[0].storage())) {
      const bool list_to_vector = type.kind() == TypeKind::kVector && signature.arguments[0].storage()->num_fields() == 1;
      if (!list_to_vector) {
        return JobError(fmt::format("cast: {} cannot become {}", signature.arguments[0].ToString(), type.ToString()));
      }
    }
    return type;
  };
  definition.vector_kernel = [](const Arguments& arguments, const BoundSignature& signature,
                                arrow::MemoryPool* pool) -> Result<arrow::Datum> {
    ARROW_ASSIGN_OR_RAISE(LogicalType type, ParseType(signature.options.String("type")));
    if (arguments[0].type()->Equals(*type.storage())) return arguments[0];
    const arrow::compute::CastOptions options = arrow::compute::CastOptions::Safe(type.storage());
    return CallKernel("cast", arguments, &options, pool);
  };
  return definition;
}

// Choices keep the multimodal type of their branches; pictures of different sizes have none in common.
Result<LogicalType> CommonType(const std::string& function, const std::vector<LogicalType>& branches,
                               const LogicalType& kernel_type) {
  std::optional<LogicalType> common;
  for (const LogicalType& branch : branches) {
    if (branch.storage()->id() == arrow::Type::NA) continue;
    if (!common || *common == branch) {
      common = branch;
    } else if (common->kind() == TypeKind::kImage && branch.kind() == TypeKind::kImage) {
      common = LogicalType::Image();
    } else if (common->kind() == TypeKind::kPlain && branch.kind() == TypeKind::kPlain) {
      common = kernel_type;
    } else {
      return JobError(fmt::format("{}: one branch is {} and another {}", function, common->ToString(),
                                  branch.ToString()));
    }
  }
  return common && common->storage()->Equals(*kernel_type.storage()) ? *common : kernel_type;
}

// With conditions, every other argument is a branch, and so is the last of an odd number.
FunctionDefinition KeepingType(FunctionDefinition definition, bool conditions) {
  const auto plain = definition.result_type;
  definition.result_type = [plain, conditions, name = definition.name](
                               const BoundSignature& signature) -> Result<LogicalType> {
    std::vector<LogicalType> branches;
    const size_t count = signature.arguments.size();
    for (size_t i = 0; i < count; ++i) {
      if (!conditions || i % 2 == 1 || (i + 1 == count && count % 2 == 1)) branches.push_back(signature.arguments[i]);
    }
    ARROW_ASSIGN_OR_RAISE(LogicalType type, plain(signature));
    return CommonType(name, branches, type);
  };
  return definition;
}

Result<arrow::Datum> CaseWhen(const Arguments& arguments, const BoundSignature&, arrow::MemoryPool* pool) {
  // (condition, value)… [, otherwise]: folded from the end, so that the first true condition wins.
  arrow::Datum result = arrow::MakeNullScalar(arguments[1].type());
  size_t pairs = arguments.size() / 2;
  if (arguments.size() % 2 == 1) result = arguments.back();
  for (size_t i = pairs; i-- > 0;) {
    // An unknown condition is not true.
    ARROW_ASSIGN_OR_RAISE(arrow::Datum condition,
                          CallKernel("coalesce", {arguments[2 * i], arrow::MakeScalar(false)}, nullptr, pool));
    ARROW_ASSIGN_OR_RAISE(result, CallKernel("if_else", {condition, arguments[2 * i + 1], result}, nullptr, pool));
  }
  return result;
}

FunctionDefinition Variadic(FunctionDefinition definition) {
  definition.variadic = true;
  return definition;
}

}  // namespace

std::vector<FunctionDefinition> LogicFunctions() {
  return {
      Comparison("equal", "True where both are equal; null where one is null."),
      Comparison("not_equal", "True where they differ."),
      Comparison("less", "True where left is less."),
      Comparison("less_equal", "True where left is less or equal."),
      Comparison("greater", "True where left is greater."),
      Comparison("greater_equal", "True where left is greater or equal."),
      VectorFunction("between", "True where low ≤ value ≤ high.",
                     {{"value", TypePattern::kAny, ""}, {"low", TypePattern::kAny, ""}, {"high", TypePattern::kAny, ""}},
                     Between),
      VectorFunction("and", "Both are true; false wins over unknown.", kTwoBooleans, CallArrow("and_kleene")),
      VectorFunction("or", "One is true; true wins over unknown.", kTwoBooleans, CallArrow("or_kleene")),
      VectorFunction("not", "True where false.", {{"value", TypePattern::kBoolean, ""}}, CallArrow("invert")),
      VectorFunction("is_null", "True where the value is missing.", kAnyValue, CallArrow("is_null")),
      VectorFunction("is_not_null", "True where there is a value.", kAnyValue, CallArrow("is_valid")),
      VectorFunction("is_nan", "True where the number is not a number.", {{"number", TypePattern::kNumber, ""}},
                     CallArrow("is_nan")),
      KeepingType(Variadic(VectorFunction("coalesce", "The first of the values that is not null.", kAnyValue,
                                          CallArrow("coalesce"))),
                  false),
      KeepingType(VectorFunction("if_else", "`then` where the condition is true, else `otherwise`.",
                                 {{"condition", TypePattern::kBoolean, ""},
                                  {"then", TypePattern::kAny, ""},
                                  {"otherwise", TypePattern::kAny, ""}},
                                 CaseWhen),
                  true),
      KeepingType(Variadic(VectorFunction("case_when",
                                          "The value behind the first condition that is true: condition, value, "
                                          "condition, value, …, otherwise.",
                                          {{"condition", TypePattern::kBoolean, ""},
                                           {"value", TypePattern::kAny, ""},
                                           {"rest", TypePattern::kAny, "", true}},
                                          CaseWhen)),
                  true),
      Variadic(VectorFunction("is_in", "True where the value equals one of the literals that follow; null is in no set.",
                              {{"value", TypePattern::kAny, ""}, {"values", TypePattern::kAny, "", true}}, IsIn)),
      Cast(),
  };
}

}  // namespace mainstem
