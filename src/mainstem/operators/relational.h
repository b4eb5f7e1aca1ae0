// Relational segments: sort, aggregate, join and distinct over bounded input, run by an executor behind them.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/functions/expression.h"
#include "mainstem/operators/operator.h"

namespace mainstem {

struct SortKey {
  std::string column;
  bool descending = false;
  bool nulls_first = false;
};

struct AggregateCall {
  std::string name;      ///< output column
  std::string function;  ///< Arrow's name: sum, mean, count, …
  std::string column;    ///< input column; empty counts rows
  bool sample = false;   ///< stddev, variance: divide by n − 1
  bool valid_only = true;
};

enum class JoinKind { kInner, kLeft, kRight, kOuter, kSemi, kAnti, kCross };
Result<JoinKind> ParseJoinKind(const std::string& name);

/// What a step keeps to while it runs.
struct StepBounds {
  int64_t result_bytes_max = std::numeric_limits<int64_t>::max();  ///< a larger result is a job error
  std::shared_ptr<const std::atomic<bool>> stop;                   ///< may be null; once true, the step ends as cancelled
};

/// One step over whole tables. Exchangeable: Acero is behind it today.
class RelationalStep {
 public:
  virtual ~RelationalStep() = default;
  virtual std::string name() const = 0;
  /// Runs over the collected inputs. May use several threads of its own and may block. The same inputs give the same
  /// rows in the same order. Looks at the bounds several times a second, but for sorting, which ends first.
  virtual Result<std::shared_ptr<arrow::Table>> Run(const std::vector<std::shared_ptr<arrow::Table>>& inputs,
                                                    const StepBounds& bounds = {}) const = 0;
};

/// Rows sorted stably. Every column type survives.
std::shared_ptr<RelationalStep> MakeSort(std::vector<SortKey> keys);
/// One row a group, in the order in which the groups first appear; without keys one row in all. Keys are plain types. A
/// sum of integers that leaves int64 is a job error.
std::shared_ptr<RelationalStep> MakeAggregate(std::vector<std::string> keys, std::vector<AggregateCall> aggregates,
                                              std::shared_ptr<arrow::Schema> output);
/// The first (or last) row of each group of equal values, in the order of the rows. Null equals null.
std::shared_ptr<RelationalStep> MakeDistinct(std::vector<std::string> columns, bool keep_first);
/// Columns of the left, then those of the right without its keys of the same name. Null matches nothing. Rows come in
/// the order of the left, for each in the order of the right; rows of the right alone come last.
std::shared_ptr<RelationalStep> MakeJoin(JoinKind kind, std::vector<std::string> left_keys,
                                         std::vector<std::string> right_keys, std::shared_ptr<arrow::Schema> output);

/// An operator that collects its inputs, runs the step when all have ended, and emits the result. Fails with a
/// clear error when the inputs, or the result, outgrow half of the context's holding limit. A step that is running when
/// the operator is destroyed is told to stop.
std::unique_ptr<Operator> MakeRelational(std::shared_ptr<RelationalStep> step,
                                         std::vector<std::shared_ptr<arrow::Schema>> inputs,
                                         std::shared_ptr<arrow::Schema> output);

}  // namespace mainstem
