#include "mainstem/functions/expression_program.h"

#include <gmock/gmock.h>

#include "mainstem/functions/expression_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using namespace mainstem::testing;

// "half": halves even integers and refuses odd ones; counts how often it runs.
class ExpressionProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    registry_ = *BuiltinRegistry();
    FunctionDefinition half;
    half.name = "half";
    half.has_on_error = true;
    half.arguments = {{"number", TypePattern::kInteger, ""}};
    half.result_type = Always(LogicalType::Int64());
    half.make_row_kernel = [this](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
      return MakeRowKernel([this](std::span<const Value> arguments) -> Result<Value> {
        ++runs_;
        const int64_t number = arguments[0].As<int64_t>();
        if (number == 666) return JobError("the store is gone");
        if (number % 2 != 0) return RowError("odd");
        return Value(number / 2);
      });
    };
    ASSERT_TRUE(registry_.Add(half).ok());
    FunctionDefinition predicate = half;
    predicate.name = "is_small_half";
    predicate.has_on_error = false;
    predicate.null_is_false = true;
    predicate.options.clear();
    predicate.result_type = Always(LogicalType::Bool());
    predicate.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
      return MakeRowKernel([](std::span<const Value> arguments) -> Result<Value> {
        if (arguments[0].As<int64_t>() % 2 != 0) return RowError("odd");
        return Value(true);
      });
    };
    ASSERT_TRUE(registry_.Add(predicate).ok());
  }

  ExpressionPtr Half(ExpressionPtr argument, const char* on_error = "raise") {
    return Expression::Call("half", {std::move(argument)}, {{"on_error", on_error}});
  }
  ExpressionPtr Add(ExpressionPtr a, ExpressionPtr b) { return Expression::Call("add", {std::move(a), std::move(b)}); }

  Result<ProgramResult> Run(const std::vector<ExpressionPtr>& expressions, const Rows& rows) {
    std::vector<BoundExpressionPtr> bound;
    for (const auto& expression : expressions) {
      ARROW_ASSIGN_OR_RAISE(BoundExpressionPtr one, Bind(expression, rows.columns, registry_));
      bound.push_back(std::move(one));
    }
    ARROW_ASSIGN_OR_RAISE(auto program, ExpressionProgram::Make(bound, rows.columns, arrow::default_memory_pool()));
    return program->Evaluate(rows.batch);
  }
  static void ExpectColumn(const ProgramResult& result, size_t index, const std::string& cells) {
    EXPECT_TRUE(result.columns[index]->Equals(*Cells("int64", cells))) << result.columns[index]->ToString();
  }

  Registry registry_;
  int runs_ = 0;
};

TEST_F(ExpressionProgramTest, ComputesEqualPartsOnce) {
  const Rows rows({{"n", "int64", "[2, 4, 6]"}});
  const auto result = *Run({Add(Half(Col("n")), Lit(int64_t{1})), Half(Col("n")), Half(Half(Add(Col("n"), Col("n"))))}, rows);
  ExpectColumn(result, 0, "[2, 3, 4]");
  ExpectColumn(result, 1, "[1, 2, 3]");
  ExpectColumn(result, 2, "[1, 2, 3]");
  EXPECT_EQ(runs_, 3 + 2 * 3);
}

TEST_F(ExpressionProgramTest, DoesNotRunOnNull) {
  const auto result = *Run({Half(Col("n"))}, Rows({{"n", "int64", "[2, null, 6]"}}));
  ExpectColumn(result, 0, "[1, null, 3]");
  EXPECT_EQ(runs_, 2);
}

TEST_F(ExpressionProgramTest, PredicatesAnswerFalseForNullAndBrokenInput) {
  const auto result = *Run({Expression::Call("is_small_half", {Col("n")})}, Rows({{"n", "int64", "[2, null, 3]"}}));
  EXPECT_TRUE(result.columns[0]->Equals(*Cells("bool", "[true, false, false]")));
}

TEST_F(ExpressionProgramTest, RaiseNamesTheFunctionAndTheInput) {
  const auto result = Run({Half(Col("n"))}, Rows({{"n", "int64", "[2, 3]"}, {"who", "string", R"(["ann", "bob"])"}}));
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().message(), "bob: half: odd");
}

TEST_F(ExpressionProgramTest, NullReplacesAFailedValue) {
  const auto result = *Run({Half(Col("n"), "null")}, Rows({{"n", "int64", "[2, 3, 4]"}}));
  ExpectColumn(result, 0, "[1, null, 2]");
}

TEST_F(ExpressionProgramTest, PoliciesDoNotHideErrorsOfTheJob) {
  for (const char* policy : {"null", "dead_letter"}) {
    const auto result = Run({Half(Col("n"), policy)}, Rows({{"n", "int64", "[666]"}}));
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(ClassOf(result.status()), ErrorClass::kJob);
  }
}

TEST_F(ExpressionProgramTest, DeadLettersLeaveAllColumns) {
  const Rows rows({{"n", "int64", "[2, 3, 4, 5, 6]"}, {"who", "string", R"(["a", "b", "c", "d", "e"])"}});
  const auto result = *Run({Col("n"), Half(Col("n"), "dead_letter"), Add(Col("n"), Lit(int64_t{10})), Lit(int64_t{7})}, rows);
  ExpectColumn(result, 0, "[2, 4, 6]");
  ExpectColumn(result, 1, "[1, 2, 3]");
  ExpectColumn(result, 2, "[12, 14, 16]");
  ExpectColumn(result, 3, "[7, 7, 7]");
  ASSERT_EQ(result.faults.size(), 2u);
  EXPECT_EQ(result.faults[0].row, 1);
  EXPECT_EQ(result.faults[0].input, "b");
  EXPECT_EQ(result.faults[0].function, "half");
  EXPECT_EQ(result.faults[0].reason, "odd");
  EXPECT_EQ(result.faults[1].row, 3);
}

TEST_F(ExpressionProgramTest, LaterStagesSeeOnlyTheRowsThatAreLeft) {
  // row → vector → row → vector: 12 → 6 → 6 → 3 → 4; 10 → 5 fails in the second row stage; 3 in the first.
  const Rows rows({{"n", "int64", "[12, 3, 10, 20]"}, {"who", "string", R"(["a", "b", "c", "d"])"}});
  const auto first = Half(Col("n"), "dead_letter");
  const auto second = Half(Add(first, Lit(int64_t{0})), "dead_letter");
  const auto result = *Run({Add(second, Lit(int64_t{1})), Col("n"), first}, rows);
  ExpectColumn(result, 0, "[4, 6]");
  ExpectColumn(result, 1, "[12, 20]");
  ExpectColumn(result, 2, "[6, 10]");
  ASSERT_EQ(result.faults.size(), 2u);
  EXPECT_EQ(result.faults[0].row, 1);
  EXPECT_EQ(result.faults[0].input, "b");
  EXPECT_EQ(result.faults[1].row, 2);
  EXPECT_EQ(result.faults[1].input, "c");
}

TEST_F(ExpressionProgramTest, AllRowsMayFailInAnEarlyStage) {
  const auto second = Half(Add(Half(Col("n"), "dead_letter"), Lit(int64_t{0})));
  const auto result = *Run({Add(second, Lit(int64_t{1})), Col("n")}, Rows({{"n", "int64", "[1, 3]"}}));
  EXPECT_EQ(result.columns[0]->length(), 0);
  EXPECT_EQ(result.columns[1]->length(), 0);
  EXPECT_EQ(result.faults.size(), 2u);
}

TEST_F(ExpressionProgramTest, EmptyBatchesGiveEmptyColumns) {
  const auto result = *Run({Half(Col("n")), Add(Half(Col("n")), Col("n"))}, Rows({{"n", "int64", "[]"}}));
  EXPECT_EQ(result.columns[0]->length(), 0);
  EXPECT_EQ(result.columns[1]->length(), 0);
}

TEST_F(ExpressionProgramTest, DoesNotKeepTheLastBatchAlive) {
  Rows rows({{"n", "string", R"(["a text", "another"])"}});
  const auto bound = *Bind(Expression::Call("hash", {Col("n")}), rows.columns, registry_);
  auto program = *ExpressionProgram::Make({bound}, rows.columns, arrow::default_memory_pool());
  const std::weak_ptr<arrow::Array> column = rows.batch->column(0);
  ASSERT_TRUE(program->Evaluate(rows.batch).ok());
  rows.batch.reset();
  EXPECT_TRUE(column.expired());
}

TEST_F(ExpressionProgramTest, RefusesTableFunctionsAndAggregates) {
  const auto result = Run({Expression::Call("agg.sum", {Col("n")})}, Rows({{"n", "int64", "[1]"}}));
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), HasSubstr("agg.sum"));
}

}  // namespace
}  // namespace mainstem
