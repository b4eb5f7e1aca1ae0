#include "mainstem/functions/vector/arrow_function.h"

#include <arrow/array/util.h>
#include <arrow/compute/api.h>
#include <arrow/datum.h>
#include <fmt/format.h>

namespace mainstem {

Result<arrow::Datum> CallKernel(const std::string& arrow_function, const std::vector<arrow::Datum>& arguments,
                                const arrow::compute::FunctionOptions* options, arrow::MemoryPool* pool) {
  arrow::compute::ExecContext context(pool);
  context.set_use_threads(false);
  auto result = arrow::compute::CallFunction(arrow_function, arguments, options, &context);
  if (result.ok()) return result;
  const Status& status = result.status();
  if (status.IsNotImplemented() || status.IsTypeError()) {
    std::string types;
    for (const arrow::Datum& argument : arguments) {
      types += fmt::format("{}{}", types.empty() ? "" : ", ", argument.type()->ToString());
    }
    return JobError(fmt::format("not defined for ({}); cast one side", types));
  }
  if (status.IsInvalid()) return RowError(status.message());
  return status;
}

VectorKernel CallArrow(std::string arrow_function, ArrowOptions make_options) {
  return [arrow_function = std::move(arrow_function), make_options = std::move(make_options)](
             const std::vector<arrow::Datum>& arguments, const BoundSignature& signature,
             arrow::MemoryPool* pool) -> Result<arrow::Datum> {
    std::shared_ptr<arrow::compute::FunctionOptions> options;
    if (make_options) {
      ARROW_ASSIGN_OR_RAISE(options, make_options(signature));
    }
    return CallKernel(arrow_function, arguments, options.get(), pool);
  };
}

std::function<Result<LogicalType>(const BoundSignature&)> TypeOf(VectorKernel kernel) {
  return [kernel = std::move(kernel)](const BoundSignature& signature) -> Result<LogicalType> {
    std::vector<arrow::Datum> empty;
    for (const LogicalType& type : signature.arguments) {
      ARROW_ASSIGN_OR_RAISE(auto column, arrow::MakeEmptyArray(type.storage()));
      empty.emplace_back(std::move(column));
    }
    ARROW_ASSIGN_OR_RAISE(arrow::Datum result, kernel(empty, signature, arrow::default_memory_pool()));
    return LogicalType::Plain(result.type());
  };
}

FunctionDefinition VectorFunction(std::string name, std::string doc, std::vector<ArgumentSpec> arguments,
                                  VectorKernel kernel, std::vector<OptionSpec> options) {
  FunctionDefinition definition;
  definition.name = std::move(name);
  definition.kind = FunctionKind::kVector;
  definition.doc = std::move(doc);
  definition.arguments = std::move(arguments);
  definition.options = std::move(options);
  definition.result_type = [type = TypeOf(kernel), name = definition.name](const BoundSignature& signature) {
    auto result = type(signature);
    return result.ok() ? result : Result<LogicalType>(WithContext(result.status(), name));
  };
  definition.vector_kernel = std::move(kernel);
  return definition;
}

}  // namespace mainstem
