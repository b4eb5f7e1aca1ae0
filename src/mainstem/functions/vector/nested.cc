// Nested columns: items of lists, fields of structs.
#include <arrow/array.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include "mainstem/base/suggestion.h"
#include "mainstem/functions/vector/arrow_function.h"

namespace mainstem {
namespace {

using Arguments = std::vector<arrow::Datum>;

// Items that do not exist are null: the list is padded by slicing with a fixed size.
Result<arrow::Datum> ListGet(const Arguments& arguments, const BoundSignature& signature, arrow::MemoryPool* pool) {
  const int64_t index = signature.options.Int("index");
  const arrow::compute::ListSliceOptions slice(index, index + 1, 1, true);
  ARROW_ASSIGN_OR_RAISE(arrow::Datum items, CallKernel("list_slice", arguments, &slice, pool));
  const arrow::Datum zero(std::make_shared<arrow::Int32Scalar>(0));
  return CallKernel("list_element", {items, zero}, nullptr, pool);
}

Result<arrow::Datum> StructField(const Arguments& arguments, const BoundSignature& signature,
                                 arrow::MemoryPool* pool) {
  const arrow::compute::StructFieldOptions options(arrow::FieldRef(signature.options.String("name")));
  return CallKernel("struct_field", arguments, &options, pool);
}

Result<LogicalType> StructFieldType(const BoundSignature& signature) {
  // Every multimodal type but vectors is stored as a struct, and its parts may be read too.
  const std::string& name = signature.options.String("name");
  const auto& storage = signature.arguments[0].storage();
  std::vector<std::string> names;
  for (const auto& field : storage->fields()) {
    if (field->name() == name && storage->id() == arrow::Type::STRUCT) return LogicalType::FromField(*field);
    names.push_back(field->name());
  }
  return JobError(fmt::format("struct.field: {} has no field '{}'.{}", signature.arguments[0].ToString(),
                              Escaped(name), Suggestion(name, names)));
}

}  // namespace

std::vector<FunctionDefinition> NestedFunctions() {
  FunctionDefinition get = VectorFunction(
      "list.get", "The item at a position, or null where the list is shorter.", {{"list", TypePattern::kList, ""}},
      ListGet,
      {{.name = "index", .type = OptionType::kInt, .doc = "Position from 0.", .required = true, .minimum = 0}});
  get.result_type = [](const BoundSignature& signature) -> Result<LogicalType> {
    return signature.arguments[0].item();
  };
  FunctionDefinition field =
      VectorFunction("struct.field", "A field of a struct.", {{"struct", TypePattern::kAny, ""}}, StructField,
                     {{.name = "name", .type = OptionType::kString, .doc = "Name of the field.", .required = true}});
  field.result_type = StructFieldType;
  return {
      get,
      VectorFunction("list.length", "Number of items.", {{"list", TypePattern::kList, ""}},
                     CallArrow("list_value_length")),
      field,
  };
}

}  // namespace mainstem
