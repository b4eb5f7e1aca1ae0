#include "mainstem/operators/project.h"

#include "mainstem/operators/limit.h"
#include "mainstem/operators/operator_harness.h"
#include "mainstem/operators/slice_size.h"

namespace mainstem {
namespace {

using namespace mainstem::testing;

TEST(SliceSize, StartsWithOneDecodedRowAndDoublesTowardsTheTarget) {
  SliceSize slice(CostClass::kDecode, true, 1000);
  EXPECT_EQ(slice.rows(), 1);
  slice.Measured(1, 10);
  EXPECT_EQ(slice.rows(), 2);
  slice.Measured(2, 20);
  EXPECT_EQ(slice.rows(), 4);
  slice.Measured(4, 4000);
  EXPECT_EQ(slice.rows(), 1);
  slice.Measured(1, 1'000'000);
  EXPECT_EQ(slice.rows(), 1);
}

// "blow": a text of so many bytes; refuses negative numbers.
class ProjectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    registry_ = *BuiltinRegistry();
    FunctionDefinition blow;
    blow.name = "blow";
    blow.cost = CostClass::kHeavy;
    blow.has_on_error = true;
    blow.arguments = {{"size", TypePattern::kInteger, ""}};
    blow.result_type = Always(LogicalType::String());
    blow.make_row_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<RowKernel>> {
      return MakeRowKernel([](std::span<const Value> arguments) -> Result<Value> {
        if (arguments[0].As<int64_t>() < 0) return RowError("negative");
        return Value(std::string(static_cast<size_t>(arguments[0].As<int64_t>()), 'x'));
      });
    };
    ASSERT_TRUE(registry_.Add(blow).ok());
  }
  ExpressionPtr Blow(const char* on_error = "raise") {
    return Expression::Call("blow", {Col("n")}, {{"on_error", on_error}});
  }
  std::unique_ptr<Operator> Project(const std::vector<std::pair<std::string, ExpressionPtr>>& named, const Rows& rows) {
    std::vector<BoundExpressionPtr> bound;
    Columns output;
    for (const auto& [name, expression] : named) {
      bound.push_back(*Bind(expression, rows.columns, registry_));
      output.push_back({name, bound.back()->type});
    }
    return *MakeProject(bound, rows.columns, ToArrow(output));
  }
  Registry registry_;
};

TEST_F(ProjectTest, BoundsTheBytesOfABatch) {
  std::string sizes = "[1000";
  for (int i = 1; i < 100; ++i) sizes += ", 1000";
  const Rows rows({{"n", "int64", sizes + "]"}});
  OperatorHarness harness(Project({{"text", Blow()}}, rows));
  harness.target_bytes = 4000;
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_EQ(*harness.Feed(rows), Progress::kDone);
  EXPECT_EQ(harness.Table()->num_rows(), 100);
  for (const Batch& batch : harness.emitted) EXPECT_LE(batch.rows->num_rows(), 4);
  EXPECT_GE(harness.steps, 25);
}

TEST_F(ProjectTest, MarksOnlyTheLastBatchOfAnOrder) {
  const Rows rows({{"n", "int64", "[1, 2, 3]"}});
  OperatorHarness harness(Project({{"text", Blow()}}, rows));
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows, 7, false).ok());
  for (const Batch& batch : harness.emitted) EXPECT_FALSE(batch.last_of_order);
  ASSERT_TRUE(harness.Feed(rows, 7, true).ok());
  int marks = 0;
  for (const Batch& batch : harness.emitted) {
    EXPECT_EQ(batch.order, 7);
    marks += batch.last_of_order ? 1 : 0;
  }
  EXPECT_EQ(marks, 1);
  EXPECT_TRUE(harness.emitted.back().last_of_order);
}

TEST_F(ProjectTest, SetsRowsAsideAndStillPassesTheMarkOn) {
  const Rows rows({{"n", "int64", "[-1, -2]"}, {"who", "string", R"(["ann", "bob"])"}});
  OperatorHarness harness(Project({{"text", Blow("dead_letter")}}, rows));
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  ASSERT_EQ(harness.letters.size(), 2u);
  EXPECT_EQ(harness.letters[1].input, "bob");
  EXPECT_EQ(harness.letters[1].reason, "negative");
  EXPECT_EQ(harness.letters[1].function, "blow");
  EXPECT_NE(harness.letters[1].row.find("n: -2"), std::string::npos);
  ASSERT_FALSE(harness.emitted.empty());
  EXPECT_TRUE(harness.emitted.back().last_of_order);
  EXPECT_EQ(harness.Table()->num_rows(), 0);
}

TEST_F(ProjectTest, FilterDropsFalseUnknownAndFaultyRows) {
  const Rows rows({{"n", "int64", "[1, -1, 5, null, 3, -2, 7]"}});
  const auto predicate = Expression::Call(
      "greater", {Expression::Call("text.length", {Blow("dead_letter")}), Lit(int32_t{2})});
  OperatorHarness harness(*MakeFilter(*Bind(predicate, rows.columns, registry_), rows.columns));
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  harness.ExpectColumn("n", "int64", "[5, 3, 7]");
  EXPECT_EQ(harness.letters.size(), 2u);
}

TEST_F(ProjectTest, FilterTakesConditionsOnly) {
  const Columns columns = {{"n", LogicalType::Int64()}};
  EXPECT_FALSE(MakeFilter(*Bind(Col("n"), columns, registry_), columns).ok());
}

TEST(Limit, SkipsTakesAndIsSatisfied) {
  const Rows rows({{"n", "int64", "[1, 2, 3]"}});
  OperatorHarness harness(MakeLimit(3, 2));
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_EQ(*harness.Feed(rows, 0), Progress::kDone);
  EXPECT_EQ(*harness.Feed(rows, 1), Progress::kSatisfied);
  harness.ExpectColumn("n", "int64", "[3, 1, 2]");
}

TEST(Limit, WithoutACountOnlySkips) {
  const Rows rows({{"n", "int64", "[1, 2, 3]"}});
  OperatorHarness harness(MakeLimit({}, 4));
  EXPECT_EQ(*harness.Feed(rows, 0), Progress::kDone);
  EXPECT_EQ(*harness.Feed(rows, 1), Progress::kDone);
  harness.ExpectColumn("n", "int64", "[2, 3]");
}

}  // namespace
}  // namespace mainstem
