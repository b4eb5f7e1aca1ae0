#include "mainstem/functions/row_program.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <fmt/format.h>

namespace mainstem {
namespace {

OnError PolicyOf(const RowStep& step) {
  if (!step.function->has_on_error) return OnError::kRaise;
  const std::string& policy = step.signature.options.String("on_error");
  if (policy == "null") return OnError::kNull;
  if (policy == "dead_letter") return OnError::kDeadLetter;
  return OnError::kRaise;
}

}  // namespace

Result<std::unique_ptr<RowProgram>> RowProgram::Make(size_t slots, std::vector<Input> inputs,
                                                     std::vector<RowStep> steps, std::vector<Output> outputs,
                                                     arrow::MemoryPool* pool) {
  std::unique_ptr<RowProgram> program(new RowProgram());
  program->slots_.resize(slots);
  for (const Input& input : inputs) {
    ARROW_ASSIGN_OR_RAISE(CellReader reader, CellReader::Make(input.type));
    if (input.constant) {
      ARROW_ASSIGN_OR_RAISE(auto column, arrow::MakeArrayFromScalar(*input.constant, 1));
      ARROW_ASSIGN_OR_RAISE(program->slots_[input.slot], reader.Read(column, 0));
    }
    program->readers_.push_back(std::move(reader));
  }
  program->inputs_ = std::move(inputs);
  for (RowStep& step : steps) {
    BoundStep bound{.step = std::move(step)};
    ARROW_ASSIGN_OR_RAISE(bound.kernel, bound.step.function->make_row_kernel(bound.step.signature));
    bound.on_error = PolicyOf(bound.step);
    program->steps_.push_back(std::move(bound));
  }
  for (const Output& output : outputs) {
    ARROW_ASSIGN_OR_RAISE(auto writer, ColumnWriter::Make(output.type, pool));
    program->writers_.push_back(std::move(writer));
  }
  program->outputs_ = std::move(outputs);
  return program;
}

Result<RowProgram::Produced> RowProgram::Run(const std::vector<std::shared_ptr<arrow::Array>>& columns, int64_t rows,
                                             const std::function<std::string(int64_t)>& describe) {
  Produced produced;
  for (int64_t row = 0; row < rows; ++row) {
    RowFault fault{.row = row};
    const Result<bool> alive = RunRow(columns, row, &fault);
    if (!alive.ok()) {
      const std::string input = describe(row);
      return input.empty() ? alive.status() : WithContext(alive.status(), input);
    }
    if (*alive) continue;
    fault.input = describe(row);
    produced.faults.push_back(std::move(fault));
  }
  // Let go of the last row's memory.
  for (const BoundStep& bound : steps_) slots_[bound.step.result] = Value();
  for (const Input& input : inputs_) {
    if (!input.constant) slots_[input.slot] = Value();
  }
  arguments_.clear();
  for (auto& writer : writers_) {
    ARROW_ASSIGN_OR_RAISE(auto column, writer->Finish());
    produced.columns.push_back(std::move(column));
  }
  return produced;
}

Result<bool> RowProgram::RunRow(const std::vector<std::shared_ptr<arrow::Array>>& columns, int64_t row,
                                RowFault* fault) {
  for (size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i].constant) continue;
    ARROW_ASSIGN_OR_RAISE(slots_[inputs_[i].slot], readers_[i].Read(columns[i], row));
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    ARROW_ASSIGN_OR_RAISE(const bool alive, RunStep(i, fault));
    if (!alive) return false;
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    ARROW_RETURN_NOT_OK(writers_[i]->Append(slots_[outputs_[i].slot]));
  }
  return true;
}

Result<bool> RowProgram::RunStep(size_t index, RowFault* fault) {
  BoundStep& bound = steps_[index];
  const RowStep& step = bound.step;
  Value& result = slots_[step.result];
  arguments_.clear();
  for (size_t i = 0; i < step.arguments.size(); ++i) {
    const Value& argument = slots_[step.arguments[i]];
    const size_t spec = std::min(i, step.function->arguments.size() - 1);
    if (argument.is_null() && !step.function->sees_null && !step.function->arguments[spec].optional) {
      result = step.function->null_is_false ? Value(false) : Value();
      return true;
    }
    arguments_.push_back(argument);
  }
  Result<Value> value = bound.kernel->Run(arguments_);
  if (value.ok()) {
    result = value.MoveValueUnsafe();
    return true;
  }
  const Status& status = value.status();
  if (ClassOf(status) != ErrorClass::kRow) return WithContext(status, step.function->name);
  if (step.function->null_is_false) {
    result = Value(false);
    return true;
  }
  switch (bound.on_error) {
    case OnError::kRaise: return WithContext(status, step.function->name);
    case OnError::kNull: result = Value(); return true;
    case OnError::kDeadLetter: break;
  }
  fault->function = step.function->name;
  fault->reason = status.message();
  return false;
}

}  // namespace mainstem
