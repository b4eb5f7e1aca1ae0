// Arrow functions: makes registry definitions whose bodies are Arrow compute kernels.
#pragma once

#include <arrow/compute/type_fwd.h>

#include <functional>
#include <memory>
#include <string>

#include "mainstem/functions/function.h"

namespace mainstem {

/// Makes Arrow's options for one bound call.
using ArrowOptions = std::function<Result<std::shared_ptr<arrow::compute::FunctionOptions>>(const BoundSignature&)>;

/// A body that calls Arrow's function by name, implicit casts included.
VectorKernel CallArrow(std::string arrow_function, ArrowOptions options = {});

/// The result type of a vector kernel: what the kernel gives for empty columns of the argument types.
std::function<Result<LogicalType>(const BoundSignature&)> TypeOf(VectorKernel kernel);

/// A complete vector function: body, and result type taken from the body.
FunctionDefinition VectorFunction(std::string name, std::string doc, std::vector<ArgumentSpec> arguments,
                                  VectorKernel kernel, std::vector<OptionSpec> options = {});

/// Calls Arrow's function; errors have the class of a row error where the data is at fault.
Result<arrow::Datum> CallKernel(const std::string& arrow_function, const std::vector<arrow::Datum>& arguments,
                                const arrow::compute::FunctionOptions* options, arrow::MemoryPool* pool);

/// The families of this folder.
std::vector<FunctionDefinition> ArithmeticFunctions();
std::vector<FunctionDefinition> LogicFunctions();
std::vector<FunctionDefinition> TextKernels();
std::vector<FunctionDefinition> TemporalFunctions();
std::vector<FunctionDefinition> NestedFunctions();

}  // namespace mainstem
