#include "mainstem/functions/expression_program.h"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>
#include <arrow/scalar.h>
#include <arrow/type_traits.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace mainstem {

// One distinct sub-expression. Row nodes live in slots of their stage's row program; the others are columns.
struct ExpressionProgram::Node {
  BoundExpressionPtr expression;
  std::vector<size_t> arguments;
  bool is_row = false;
  size_t stage = 0;
  bool wanted_as_column = false;
};

// The Arrow kernels of a stage run first, then its row program.
struct ExpressionProgram::Stage {
  std::vector<size_t> vector_nodes;
  std::unique_ptr<RowProgram> row_program;
  std::vector<size_t> row_inputs;   ///< nodes
  std::vector<size_t> row_outputs;  ///< nodes
};

ExpressionProgram::ExpressionProgram() = default;
ExpressionProgram::~ExpressionProgram() = default;

namespace {

struct Collector {
  std::map<std::string, size_t> by_key;
  std::function<size_t(const BoundExpressionPtr&, std::vector<size_t>)> add;

  size_t Visit(const BoundExpressionPtr& expression) {
    const auto found = by_key.find(expression->key);
    if (found != by_key.end()) return found->second;
    std::vector<size_t> arguments;
    for (const BoundExpressionPtr& argument : expression->arguments) arguments.push_back(Visit(argument));
    const size_t index = add(expression, std::move(arguments));
    by_key.emplace(expression->key, index);
    return index;
  }
};

}  // namespace

Result<std::unique_ptr<ExpressionProgram>> ExpressionProgram::Make(const std::vector<BoundExpressionPtr>& expressions,
                                                                   const Columns& input, arrow::MemoryPool* pool) {
  std::unique_ptr<ExpressionProgram> program(new ExpressionProgram());
  program->input_ = input;
  program->pool_ = pool;
  auto& nodes = program->nodes_;

  Collector collector;
  collector.add = [&](const BoundExpressionPtr& expression, std::vector<size_t> arguments) {
    Node node{.expression = expression, .arguments = std::move(arguments)};
    node.is_row = expression->kind == BoundExpression::Kind::kCall && expression->function->kind == FunctionKind::kRow;
    for (const size_t argument : node.arguments) {
      const Node& source = nodes[argument];
      node.stage = std::max(node.stage, source.stage + (source.is_row && !node.is_row ? 1 : 0));
    }
    nodes.push_back(std::move(node));
    return nodes.size() - 1;
  };
  for (const BoundExpressionPtr& expression : expressions) program->outputs_.push_back(collector.Visit(expression));

  size_t stage_count = 1;
  for (const Node& node : nodes) {
    if (node.expression->kind == BoundExpression::Kind::kCall && node.expression->function->kind != FunctionKind::kRow &&
        node.expression->function->kind != FunctionKind::kVector) {
      return JobError(fmt::format("{} cannot be used inside an expression here", node.expression->function->name));
    }
    stage_count = std::max(stage_count, node.stage + 1);
  }
  // A row value that leaves its stage, or that a kernel needs, becomes a column.
  for (const size_t output : program->outputs_) nodes[output].wanted_as_column = true;
  for (const Node& node : nodes) {
    for (const size_t argument : node.arguments) {
      if (nodes[argument].is_row && (!node.is_row || node.stage != nodes[argument].stage)) {
        nodes[argument].wanted_as_column = true;
      }
    }
  }

  program->stages_.resize(stage_count);
  for (size_t s = 0; s < stage_count; ++s) {
    Stage& stage = program->stages_[s];
    std::map<size_t, size_t> slots;  // node to slot
    std::vector<RowProgram::Input> inputs;
    std::vector<RowStep> steps;
    std::vector<RowProgram::Output> outputs;
    const auto slot_of = [&](size_t node) {
      const auto found = slots.find(node);
      if (found != slots.end()) return found->second;
      const size_t slot = slots.size();
      slots.emplace(node, slot);
      const BoundExpression& expression = *nodes[node].expression;
      stage.row_inputs.push_back(node);
      inputs.push_back({.slot = slot, .type = expression.type, .constant = expression.literal});
      return slot;
    };
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Node& node = nodes[i];
      if (node.stage != s) continue;
      if (!node.is_row) {
        if (node.expression->kind == BoundExpression::Kind::kCall) stage.vector_nodes.push_back(i);
        continue;
      }
      RowStep step{.function = node.expression->function,
                   .signature = node.expression->signature,
                   .type = node.expression->type};
      for (const size_t argument : node.arguments) step.arguments.push_back(slot_of(argument));
      step.result = slots.size();
      slots.emplace(i, step.result);
      if (node.wanted_as_column) {
        stage.row_outputs.push_back(i);
        outputs.push_back({.slot = step.result, .type = node.expression->type});
      }
      steps.push_back(std::move(step));
    }
    if (steps.empty()) continue;
    ARROW_ASSIGN_OR_RAISE(stage.row_program, RowProgram::Make(slots.size(), std::move(inputs), std::move(steps),
                                                              std::move(outputs), pool));
  }
  return program;
}

namespace {

// "id = 7, score = 0.5": the first numbers, times and truth values of a row; of the planner's own columns or the others.
std::string DescribeValues(const Columns& columns, const arrow::RecordBatch& batch, int64_t row, bool planned) {
  constexpr int kMost = 4;
  std::string text;
  int named = 0;
  for (size_t i = 0; i < columns.size() && named < kMost; ++i) {
    const auto& column = batch.column(static_cast<int>(i));
    if (columns[i].type.kind() != TypeKind::kPlain || columns[i].name.starts_with("__") != planned) continue;
    if (!arrow::is_primitive(column->type_id()) && !arrow::is_decimal(column->type_id())) continue;
    const auto value = column->GetScalar(row);
    if (!value.ok()) continue;
    text += fmt::format("{}{} = {}", named++ == 0 ? "" : ", ", planned ? "argument" : Escaped(columns[i].name, 80),
                        (*value)->ToString());
  }
  return text;
}

}  // namespace

std::string DescribeInput(const Columns& columns, const arrow::RecordBatch& batch, int64_t row) {
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto kind = columns[i].type.kind();
    if (kind != TypeKind::kFile && kind != TypeKind::kAudioClip && kind != TypeKind::kVideoClip) continue;
    const auto& files = static_cast<const arrow::StructArray&>(*batch.column(static_cast<int>(i)));
    if (files.IsNull(row)) continue;
    return Escaped(static_cast<const arrow::StringArray&>(*files.field(0)).GetView(row));
  }
  for (size_t i = 0; i < columns.size(); ++i) {
    const auto& column = batch.column(static_cast<int>(i));
    if (column->type_id() != arrow::Type::STRING || column->IsNull(row)) continue;
    return Escaped(static_cast<const arrow::StringArray&>(*column).GetView(row), 80);
  }
  const std::string values = DescribeValues(columns, batch, row, false);
  return values.empty() ? DescribeValues(columns, batch, row, true) : values;
}

namespace {

Result<std::shared_ptr<arrow::Array>> ToColumn(const arrow::Datum& datum, int64_t rows, arrow::MemoryPool* pool) {
  if (datum.is_scalar()) return arrow::MakeArrayFromScalar(*datum.scalar(), rows, pool);
  return datum.make_array();
}

}  // namespace

Result<ProgramResult> ExpressionProgram::Evaluate(const std::shared_ptr<arrow::RecordBatch>& batch) {
  ProgramResult result;
  std::vector<arrow::Datum> values(nodes_.size());
  int64_t rows = batch->num_rows();
  std::vector<int64_t> original_rows;  // filled once a row has been set aside

  for (size_t i = 0; i < nodes_.size(); ++i) {
    const BoundExpression& expression = *nodes_[i].expression;
    if (expression.kind == BoundExpression::Kind::kColumn) values[i] = batch->column(expression.column);
    if (expression.kind == BoundExpression::Kind::kLiteral) values[i] = expression.literal;
  }
  for (Stage& stage : stages_) {
    for (const size_t i : stage.vector_nodes) {
      const Node& node = nodes_[i];
      std::vector<arrow::Datum> arguments;
      for (const size_t argument : node.arguments) arguments.push_back(values[argument]);
      auto value = node.expression->function->vector_kernel(arguments, node.expression->signature, pool_);
      if (!value.ok()) return WithContext(value.status(), node.expression->function->name);
      values[i] = value.MoveValueUnsafe();
    }
    if (!stage.row_program) continue;
    std::vector<std::shared_ptr<arrow::Array>> inputs;
    for (const size_t i : stage.row_inputs) {
      if (nodes_[i].expression->kind == BoundExpression::Kind::kLiteral) {
        inputs.push_back(nullptr);
      } else {
        ARROW_ASSIGN_OR_RAISE(auto column, ToColumn(values[i], rows, pool_));
        inputs.push_back(std::move(column));
      }
    }
    const auto original = [&](int64_t row) {
      return original_rows.empty() ? row : original_rows[static_cast<size_t>(row)];
    };
    ARROW_ASSIGN_OR_RAISE(auto produced, stage.row_program->Run(inputs, rows, [&](int64_t row) {
      return DescribeInput(input_, *batch, original(row));
    }));
    for (size_t i = 0; i < stage.row_outputs.size(); ++i) values[stage.row_outputs[i]] = produced.columns[i];
    if (produced.faults.empty()) continue;

    // Drop the rows that were set aside from everything else that exists as a column.
    arrow::BooleanBuilder keep_builder(pool_);
    std::vector<int64_t> kept;
    size_t fault = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const bool dead = fault < produced.faults.size() && produced.faults[fault].row == row;
      fault += dead ? 1 : 0;
      if (!dead) kept.push_back(original(row));
      ARROW_RETURN_NOT_OK(keep_builder.Append(!dead));
    }
    ARROW_ASSIGN_OR_RAISE(auto keep, keep_builder.Finish());
    for (RowFault& set_aside : produced.faults) {
      set_aside.row = original(set_aside.row);
      result.faults.push_back(std::move(set_aside));
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      const bool just_made =
          std::find(stage.row_outputs.begin(), stage.row_outputs.end(), i) != stage.row_outputs.end();
      if (!values[i].is_array() || just_made) continue;
      ARROW_ASSIGN_OR_RAISE(values[i], arrow::compute::Filter(values[i], keep));
    }
    original_rows = std::move(kept);
    rows = static_cast<int64_t>(original_rows.size());
    if (rows == 0) break;
  }
  std::sort(result.faults.begin(), result.faults.end(), [](const auto& a, const auto& b) { return a.row < b.row; });
  for (const size_t output : outputs_) {
    if (rows == 0 && values[output].kind() == arrow::Datum::NONE) {  // a later stage that never ran
      ARROW_ASSIGN_OR_RAISE(values[output], arrow::MakeEmptyArray(nodes_[output].expression->type.storage(), pool_));
    }
    ARROW_ASSIGN_OR_RAISE(auto column, ToColumn(values[output], rows, pool_));
    result.columns.push_back(std::move(column));
  }
  return result;
}

bool ExpressionProgram::has_row_steps() const {
  return std::any_of(stages_.begin(), stages_.end(), [](const Stage& stage) { return stage.row_program != nullptr; });
}

CostClass ExpressionProgram::cost() const {
  CostClass cost = CostClass::kCheap;
  for (const Node& node : nodes_) {
    if (node.expression->function) cost = std::max(cost, node.expression->function->cost);
  }
  return cost;
}

}  // namespace mainstem
