#include "mainstem/operators/over.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/cast.h>
#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <span>

#include "mainstem/base/suggestion.h"
#include "mainstem/state/keyed_rows.h"
#include "mainstem/state/keyed_state.h"

namespace mainstem {
namespace {

using Word = KeyedState::Word;

enum class Function { kRowNumber, kCount, kSum, kMean, kMin, kMax };

Result<Function> ParseFunction(const std::string& name) {
  static const std::vector<std::string> kNames = {"row_number", "count", "sum", "mean", "min", "max"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found != kNames.end()) return static_cast<Function>(found - kNames.begin());
  return JobError(fmt::format("'{}' has no running form; there are {}.{}", Escaped(name),
                              "row_number, count, sum, mean, min and max", Suggestion(name, kNames)));
}

bool IsTime(const arrow::DataType& type) { return arrow::is_temporal(type.id()) && !arrow::is_interval(type.id()); }

// The integers that stand for times.
std::shared_ptr<arrow::DataType> IntegersOf(const arrow::DataType& time) {
  return time.bit_width() == 32 ? arrow::int32() : arrow::int64();
}

/// An argument's values as int64 or double, whichever holds them.
class Argument {
 public:
  static Result<Argument> Make(const arrow::Array& column) {
    Argument argument;
    std::shared_ptr<arrow::Array> values = arrow::MakeArray(column.data());
    if (IsTime(*column.type())) {
      ARROW_ASSIGN_OR_RAISE(values, values->View(IntegersOf(*column.type())));
    }
    argument.is_double_ = arrow::is_floating(column.type_id());
    ARROW_ASSIGN_OR_RAISE(argument.values_,
                          arrow::compute::Cast(*values, argument.is_double_ ? arrow::float64() : arrow::int64()));
    return argument;
  }
  bool is_double() const { return is_double_; }
  bool IsValid(int64_t row) const { return values_->IsValid(row); }
  int64_t Integer(int64_t row) const { return static_cast<const arrow::Int64Array&>(*values_).Value(row); }
  double Double(int64_t row) const {
    return is_double_ ? static_cast<const arrow::DoubleArray&>(*values_).Value(row) : static_cast<double>(Integer(row));
  }

 private:
  bool is_double_ = false;
  std::shared_ptr<arrow::Array> values_;
};

/// One call over one batch. Of a key it remembers two words: how many values have come, and what became of them.
class Running {
 public:
  static constexpr size_t kWords = 2;

  static Result<Running> Make(const OverCall& call, const arrow::RecordBatch& rows) {
    Running running;
    ARROW_ASSIGN_OR_RAISE(running.function_, ParseFunction(call.function));
    if (running.function_ == Function::kCount) running.counted_ = rows.column(call.column);
    if (running.function_ > Function::kCount) {
      ARROW_ASSIGN_OR_RAISE(auto argument, Argument::Make(*rows.column(call.column)));
      running.argument_ = std::move(argument);
      running.is_double_ = running.argument_->is_double() || running.function_ == Function::kMean;
    }
    return running;
  }

  Status Take(int64_t row, std::span<Word> words) {
    Word& n = words[0];
    if (function_ <= Function::kCount) {
      n += function_ == Function::kRowNumber || counted_->IsValid(row) ? 1 : 0;
      return integers_.Append(n);
    }
    if (argument_->IsValid(row)) {
      ++n;
      if (is_double_) {
        words[1] = std::bit_cast<Word>(Next(n == 1, std::bit_cast<double>(words[1]), argument_->Double(row)));
      } else if (function_ == Function::kSum) {
        if (__builtin_add_overflow(words[1], argument_->Integer(row), &words[1])) {
          return JobError("a running sum of integers leaves int64; cast the column to float64");
        }
      } else {
        words[1] = Next(n == 1, words[1], argument_->Integer(row));
      }
    }
    if (is_double_) {
      const double value = std::bit_cast<double>(words[1]);
      return n == 0 ? doubles_.AppendNull() : doubles_.Append(function_ == Function::kMean ? value / n : value);
    }
    return n == 0 ? integers_.AppendNull() : integers_.Append(words[1]);
  }

  Result<std::shared_ptr<arrow::Array>> Finish(const std::shared_ptr<arrow::DataType>& type) {
    std::shared_ptr<arrow::Array> values;
    if (is_double_) {
      ARROW_ASSIGN_OR_RAISE(values, doubles_.Finish());
    } else {
      ARROW_ASSIGN_OR_RAISE(values, integers_.Finish());
    }
    if (!IsTime(*type)) return arrow::compute::Cast(*values, type);
    ARROW_ASSIGN_OR_RAISE(values, arrow::compute::Cast(*values, IntegersOf(*type)));
    return values->View(type);
  }

 private:
  template <typename T>
  T Next(bool first, T before, T value) const {
    if (first) return value;
    if (function_ == Function::kMin) return std::min(before, value);
    if (function_ == Function::kMax) return std::max(before, value);
    return before + value;
  }

  Function function_ = Function::kRowNumber;
  bool is_double_ = false;
  std::shared_ptr<arrow::Array> counted_;
  std::optional<Argument> argument_;
  arrow::Int64Builder integers_;
  arrow::DoubleBuilder doubles_;
};

class Over : public Operator {
 public:
  Over(std::vector<int> keys, std::vector<OverCall> calls, std::shared_ptr<arrow::Schema> output)
      : keys_(std::move(keys)), calls_(std::move(calls)), output_(std::move(output)),
        remembered_(calls_.size() * Running::kWords) {}

  Status Open(OperatorContext& context) override {
    bytes_most_ = context.holding_limit_bytes() / 2;
    remembered_.DeclareIn(context.state(), "over");
    return Status::OK();
  }

  Result<Progress> ProcessBatch(const Batch& batch, Output& output) override {
    ARROW_ASSIGN_OR_RAISE(const KeyedRows keys, KeyedRows::Make(*batch.rows, keys_));
    std::vector<Running> running;
    for (const OverCall& call : calls_) {
      ARROW_ASSIGN_OR_RAISE(Running one, Running::Make(call, *batch.rows));
      running.push_back(std::move(one));
    }
    for (int64_t row = 0; row < keys.size(); ++row) {
      bool is_new = false;
      const std::span<Word> words = remembered_.At(keys[row], &is_new);
      for (size_t i = 0; i < running.size(); ++i) {
        ARROW_RETURN_NOT_OK(running[i].Take(row, words.subspan(i * Running::kWords, Running::kWords)));
      }
    }
    ARROW_RETURN_NOT_OK(remembered_.CheckBytes(bytes_most_, "over"));
    arrow::ArrayVector columns = batch.rows->columns();
    for (Running& one : running) {
      ARROW_ASSIGN_OR_RAISE(auto column, one.Finish(output_->field(static_cast<int>(columns.size()))->type()));
      columns.push_back(std::move(column));
    }
    output.Emit({.rows = arrow::RecordBatch::Make(output_, batch.rows->num_rows(), std::move(columns)),
                 .order = batch.order,
                 .last_of_order = batch.last_of_order});
    return Progress::kDone;
  }

 private:
  const std::vector<int> keys_;
  const std::vector<OverCall> calls_;
  const std::shared_ptr<arrow::Schema> output_;
  KeyedState remembered_;
  int64_t bytes_most_ = 0;
};

}  // namespace

Result<std::shared_ptr<arrow::DataType>> TypeOfOver(const std::string& name, const arrow::DataType& argument) {
  ARROW_ASSIGN_OR_RAISE(const Function function, ParseFunction(name));
  if (function <= Function::kCount) return arrow::int64();
  const bool integer = arrow::is_integer(argument.id());
  const bool floating = argument.id() == arrow::Type::FLOAT || argument.id() == arrow::Type::DOUBLE;
  const bool ordered = function >= Function::kMin && IsTime(argument);
  if (!integer && !floating && !ordered) {
    return JobError(fmt::format("a running {} takes numbers{}, not {}", name, function >= Function::kMin ? " or times" : "",
                                argument.ToString()));
  }
  if (function == Function::kMean) return arrow::float64();
  if (function == Function::kSum) return integer ? arrow::int64() : arrow::float64();
  return argument.GetSharedPtr();
}

std::unique_ptr<Operator> MakeOver(std::vector<int> keys, std::vector<OverCall> calls,
                                   std::shared_ptr<arrow::Schema> output) {
  return std::make_unique<Over>(std::move(keys), std::move(calls), std::move(output));
}

}  // namespace mainstem
