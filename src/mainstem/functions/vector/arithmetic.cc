// Arithmetic: as Python has it (/ is true division, // and % round towards minus infinity); overflow is an error.
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>

#include "mainstem/functions/vector/arrow_function.h"

namespace mainstem {
namespace {

using Arguments = std::vector<arrow::Datum>;

const std::vector<ArgumentSpec> kTwo = {{"left", TypePattern::kAny, ""}, {"right", TypePattern::kAny, ""}};
const std::vector<ArgumentSpec> kTwoNumbers = {{"left", TypePattern::kNumber, ""}, {"right", TypePattern::kNumber, ""}};
const std::vector<ArgumentSpec> kNumber = {{"number", TypePattern::kNumber, ""}};

Result<arrow::Datum> ToDouble(const arrow::Datum& value, arrow::MemoryPool* pool) {
  const arrow::compute::CastOptions options = arrow::compute::CastOptions::Unsafe(arrow::float64());
  return CallKernel("cast", {value}, &options, pool);
}

Result<arrow::Datum> Divide(const Arguments& arguments, const BoundSignature&, arrow::MemoryPool* pool) {
  if (arrow::is_integer(arguments[0].type()->id()) && arrow::is_integer(arguments[1].type()->id())) {
    // Both by hand: an implicit cast refuses integers that a double cannot hold exactly.
    ARROW_ASSIGN_OR_RAISE(arrow::Datum left, ToDouble(arguments[0], pool));
    ARROW_ASSIGN_OR_RAISE(arrow::Datum right, ToDouble(arguments[1], pool));
    return CallKernel("divide", {left, right}, nullptr, pool);
  }
  return CallKernel("divide", arguments, nullptr, pool);
}

Result<arrow::Datum> FloorDivide(const Arguments& arguments, const BoundSignature&, arrow::MemoryPool* pool) {
  const bool integers = arrow::is_integer(arguments[0].type()->id()) && arrow::is_integer(arguments[1].type()->id());
  if (!integers) {
    ARROW_ASSIGN_OR_RAISE(arrow::Datum quotient, CallKernel("divide", arguments, nullptr, pool));
    return CallKernel("floor", {quotient}, nullptr, pool);
  }
  // C++ truncates; where the remainder is not zero and the signs differ, the floor is one less.
  ARROW_ASSIGN_OR_RAISE(arrow::Datum quotient, CallKernel("divide_checked", arguments, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum product, CallKernel("multiply", {quotient, arguments[1]}, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum inexact, CallKernel("not_equal", {product, arguments[0]}, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum left_sign, CallKernel("sign", {arguments[0]}, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum right_sign, CallKernel("sign", {arguments[1]}, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum differ, CallKernel("not_equal", {left_sign, right_sign}, nullptr, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum correct, CallKernel("and_kleene", {inexact, differ}, nullptr, pool));
  const arrow::compute::CastOptions to_type = arrow::compute::CastOptions::Safe(quotient.type());
  ARROW_ASSIGN_OR_RAISE(arrow::Datum one, CallKernel("cast", {correct}, &to_type, pool));
  return CallKernel("subtract", {quotient, one}, nullptr, pool);
}

Result<arrow::Datum> Modulo(const Arguments& arguments, const BoundSignature& signature, arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(arrow::Datum quotient, FloorDivide(arguments, signature, pool));
  ARROW_ASSIGN_OR_RAISE(arrow::Datum product, CallKernel("multiply", {quotient, arguments[1]}, nullptr, pool));
  return CallKernel("subtract", {arguments[0], product}, nullptr, pool);
}

FunctionDefinition Unary(std::string name, std::string arrow_name, std::string doc) {
  return VectorFunction(std::move(name), std::move(doc), kNumber, CallArrow(std::move(arrow_name)));
}

}  // namespace

std::vector<FunctionDefinition> ArithmeticFunctions() {
  return {
      VectorFunction("add", "Sum of two numbers, or a time moved by a duration. Integer overflow is an error.", kTwo,
                     CallArrow("add_checked")),
      VectorFunction("subtract", "Difference of two numbers or times. Integer overflow is an error.", kTwo,
                     CallArrow("subtract_checked")),
      VectorFunction("multiply", "Product. Integer overflow is an error.", kTwo, CallArrow("multiply_checked")),
      VectorFunction("divide", "True division: a floating point number also for integers; x/0 is infinite or NaN.",
                     kTwoNumbers, Divide),
      VectorFunction("floor_divide", "Quotient rounded towards minus infinity; an integer divided by 0 is an error.",
                     kTwoNumbers, FloorDivide),
      VectorFunction("modulo", "Remainder with the sign of the divisor, as Python's %.", kTwoNumbers, Modulo),
      VectorFunction("power", "left to the power of right.", kTwoNumbers, CallArrow("power_checked")),
      VectorFunction("negate", "The number with the other sign.", {{"number", TypePattern::kAny, ""}},
                     CallArrow("negate_checked")),
      Unary("abs", "abs_checked", "Absolute value."),
      Unary("sqrt", "sqrt", "Square root; NaN below 0."),
      Unary("exp", "exp", "e to the power of the number."),
      Unary("ln", "ln", "Natural logarithm; NaN below 0."),
      Unary("log10", "log10", "Logarithm to base 10."),
      Unary("floor", "floor", "Largest integer that is not greater."),
      Unary("ceil", "ceil", "Smallest integer that is not less."),
      Unary("sign", "sign", "-1, 0 or 1."),
      VectorFunction(
          "round", "Rounded half to even.", kNumber,
          CallArrow("round",
                    [](const BoundSignature& signature) -> Result<std::shared_ptr<arrow::compute::FunctionOptions>> {
                      return std::make_shared<arrow::compute::RoundOptions>(
                          signature.options.Int("digits"), arrow::compute::RoundMode::HALF_TO_EVEN);
                    }),
          {{.name = "digits", .type = OptionType::kInt, .default_value = 0, .doc = "Digits after the point."}}),
  };
}

}  // namespace mainstem
