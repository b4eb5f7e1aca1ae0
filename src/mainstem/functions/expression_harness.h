// Test-only: batches from JSON cells, and expressions evaluated over them.
#pragma once

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mainstem/data/type_json.h"
#include "mainstem/functions/builtin.h"
#include "mainstem/functions/expression_program.h"

namespace mainstem::testing {

inline const Registry& Functions() {
  static const Registry kRegistry = *BuiltinRegistry();
  return kRegistry;
}

inline std::shared_ptr<arrow::Array> Cells(const std::string& type, const std::string& json) {
  return *arrow::json::ArrayFromJSONString(ParseType(type)->storage(), json);
}

/// Named columns and their rows.
struct Rows {
  struct Spec {
    std::string name;
    std::string type;
    std::string cells;
  };
  Rows(const std::vector<Spec>& specs) {  // NOLINT: written as a braced list
    arrow::ArrayVector arrays;
    for (const Spec& spec : specs) {
      columns.push_back({spec.name, *ParseType(spec.type)});
      arrays.push_back(Cells(spec.type, spec.cells));
    }
    batch = arrow::RecordBatch::Make(ToArrow(columns), arrays[0]->length(), arrays);
  }
  Columns columns;
  std::shared_ptr<arrow::RecordBatch> batch;
};

inline ExpressionPtr Col(const std::string& name) { return Expression::Column(name); }
template <typename T>
ExpressionPtr Lit(T value) {
  return Expression::Literal(arrow::MakeScalar(value));
}
inline ExpressionPtr Lit(const char* value) { return Expression::Literal(arrow::MakeScalar(std::string(value))); }

inline Result<std::shared_ptr<arrow::Array>> Evaluate(const ExpressionPtr& expression, const Rows& rows) {
  ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr bound, Bind(expression, rows.columns, Functions()));
  ARROW_ASSIGN_OR_RAISE(auto program, ExpressionProgram::Make({bound}, rows.columns, arrow::default_memory_pool()));
  ARROW_ASSIGN_OR_RAISE(ProgramResult result, program->Evaluate(rows.batch));
  if (!result.columns[0]->type()->Equals(*bound->type.storage())) {
    return Status::Invalid("bound as ", bound->type.ToString(), " and got ", result.columns[0]->type()->ToString());
  }
  return result.columns[0];
}

/// Says that the expression gives these cells, for the rows and for a slice of them.
inline void ExpectCells(const ExpressionPtr& expression, const Rows& rows, const std::string& type,
                        const std::string& cells) {
  SCOPED_TRACE(expression->ToString());
  const auto got = Evaluate(expression, rows);
  ASSERT_TRUE(got.ok()) << got.status();
  const auto wanted = Cells(type, cells);
  EXPECT_TRUE((*got)->Equals(*wanted, arrow::EqualOptions::Defaults().nans_equal(true)))
      << (*got)->type()->ToString() << " " << (*got)->ToString();
  if (rows.batch->num_rows() < 2) return;
  Rows tail = rows;
  tail.batch = rows.batch->Slice(1);
  const auto sliced = Evaluate(expression, tail);
  ASSERT_TRUE(sliced.ok()) << sliced.status();
  EXPECT_TRUE((*sliced)->Equals(*wanted->Slice(1), arrow::EqualOptions::Defaults().nans_equal(true)))
      << "as a slice: " << (*sliced)->ToString();
}

}  // namespace mainstem::testing
