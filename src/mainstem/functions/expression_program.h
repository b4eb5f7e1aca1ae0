// ExpressionProgram: evaluates expressions over a batch: Arrow kernels on whole columns, row programs row by row.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <string>
#include <vector>

#include "mainstem/functions/expression.h"
#include "mainstem/functions/row_program.h"

namespace mainstem {

/// What came out of a batch.
struct ProgramResult {
  std::vector<std::shared_ptr<arrow::Array>> columns;  ///< one an expression
  std::vector<RowFault> faults;                        ///< rows set aside, ascending; absent from `columns`
};

/// Names a row for people, escaped: its file or clip, else its first text, else its first few numbers ("id = 7"), else empty.
std::string DescribeInput(const Columns& columns, const arrow::RecordBatch& batch, int64_t row);

/// Several expressions compiled together: equal parts are computed once, and row functions that feed each
/// other are fused, so that only what is asked for exists as a column. One thread at a time.
class ExpressionProgram {
 public:
  /// The expressions must contain no table, call or aggregate functions.
  static Result<std::unique_ptr<ExpressionProgram>> Make(const std::vector<BoundExpressionPtr>& expressions,
                                                         const Columns& input, arrow::MemoryPool* pool);
  ~ExpressionProgram();

  /// Errors other than set-aside rows fail the whole batch and name the input.
  Result<ProgramResult> Evaluate(const std::shared_ptr<arrow::RecordBatch>& batch);

  /// Says whether any row function runs: such programs are fed small slices.
  bool has_row_steps() const;
  /// The most expensive class among its functions.
  CostClass cost() const;

 private:
  struct Node;
  struct Stage;
  ExpressionProgram();

  std::vector<Node> nodes_;
  std::vector<Stage> stages_;
  std::vector<size_t> outputs_;  ///< node of each expression
  Columns input_;
  arrow::MemoryPool* pool_;
};

}  // namespace mainstem
