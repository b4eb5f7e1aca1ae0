// RowProgram: row functions fused into one small program that runs over one row at a time.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/data/cell_reader.h"
#include "mainstem/data/column_writer.h"
#include "mainstem/functions/function.h"

namespace mainstem {

/// A row that was set aside, and why.
struct RowFault {
  int64_t row = 0;       ///< index in the batch that was given in
  std::string function;  ///< which function failed
  std::string input;     ///< the row's file, uri or first text column, escaped; may be empty
  std::string reason;
};

/// What a failed step does to its row.
enum class OnError { kRaise, kNull, kDeadLetter };

/// One step: a function, where its arguments come from, and where its value goes.
struct RowStep {
  const FunctionDefinition* function = nullptr;
  BoundSignature signature;
  LogicalType type;
  std::vector<size_t> arguments;  ///< slots
  size_t result = 0;              ///< slot
};

/// The program: slots hold the values of the current row.
class RowProgram {
 public:
  struct Input {
    size_t slot = 0;
    LogicalType type;
    std::shared_ptr<arrow::Scalar> constant;  ///< set for a literal; otherwise a column is given to Run
  };
  struct Output {
    size_t slot = 0;
    LogicalType type;
  };

  static Result<std::unique_ptr<RowProgram>> Make(size_t slots, std::vector<Input> inputs, std::vector<RowStep> steps,
                                                  std::vector<Output> outputs, arrow::MemoryPool* pool);

  struct Produced {
    std::vector<std::shared_ptr<arrow::Array>> columns;
    std::vector<RowFault> faults;  ///< ascending; their rows are absent from `columns`
  };
  /// `columns` has one array for each input (null for constants), all of `rows` rows. `describe(row)` names the
  /// row's input for messages.
  Result<Produced> Run(const std::vector<std::shared_ptr<arrow::Array>>& columns, int64_t rows,
                       const std::function<std::string(int64_t)>& describe);

 private:
  RowProgram() = default;
  Result<bool> RunRow(const std::vector<std::shared_ptr<arrow::Array>>& columns, int64_t row, RowFault* fault);
  Result<bool> RunStep(size_t index, RowFault* fault);

  struct BoundStep {
    RowStep step;
    std::unique_ptr<RowKernel> kernel;
    OnError on_error = OnError::kRaise;
  };
  std::vector<Value> slots_;
  std::vector<Input> inputs_;
  std::vector<CellReader> readers_;
  std::vector<BoundStep> steps_;
  std::vector<Output> outputs_;
  std::vector<std::unique_ptr<ColumnWriter>> writers_;
  std::vector<Value> arguments_;
};

}  // namespace mainstem
