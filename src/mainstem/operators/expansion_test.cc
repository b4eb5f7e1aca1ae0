#include "mainstem/operators/explode.h"
#include "mainstem/operators/operator_harness.h"
#include "mainstem/operators/table_function.h"

namespace mainstem {
namespace {

using namespace mainstem::testing;

const char* kListType = R"({"type":"list","item":"int64"})";

OperatorHarness Exploding(const Rows& rows, ExplodeOptions options) {
  Columns output = rows.columns;
  const Column item{options.replace ? output[static_cast<size_t>(options.column)].name : "item", LogicalType::Int64()};
  if (options.replace) {
    output[static_cast<size_t>(options.column)] = item;
  } else {
    output.push_back(item);
  }
  return OperatorHarness(MakeExplode(options, ToArrow(output)));
}

const std::vector<Rows::Spec> kLists = {{"l", kListType, "[[1, 2], [], null, [3]]"}, {"n", "int64", "[10, 20, 30, 40]"}};

TEST(Explode, GivesOneRowAnItemAndNullForNone) {
  const Rows rows(kLists);
  OperatorHarness harness = Exploding(rows, {.column = 0});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  harness.ExpectColumn("l", "int64", "[1, 2, null, null, 3]");
  harness.ExpectColumn("n", "int64", "[10, 10, 20, 30, 40]");
}

TEST(Explode, MayLeaveEmptyAndNullOut) {
  const Rows rows(kLists);
  OperatorHarness harness = Exploding(rows, {.column = 0, .ignore_empty_and_null = true});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  harness.ExpectColumn("n", "int64", "[10, 10, 40]");
}

TEST(Explode, AppendsTheItemBesideTheList) {
  const Rows rows(kLists);
  OperatorHarness harness = Exploding(rows, {.column = 0, .replace = false});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  harness.ExpectColumn("item", "int64", "[1, 2, null, null, 3]");
  harness.ExpectColumn("l", kListType, "[[1, 2], [1, 2], [], null, [3]]");
}

TEST(Explode, ReadsASliceAtItsOffset) {
  const Rows rows(kLists);
  OperatorHarness harness = Exploding(rows, {.column = 0});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(Batch{.rows = rows.batch->Slice(3)}).ok());
  harness.ExpectColumn("l", "int64", "[3]");
}

TEST(Explode, ContinuesALongListInTheNextStep) {
  std::string cells = "[[0";
  for (int i = 1; i < 20'000; ++i) cells += "," + std::to_string(i);
  const Rows rows({{"l", kListType, cells + "], [7]]"}, {"n", "int64", "[1, 2]"}});
  OperatorHarness harness = Exploding(rows, {.column = 0});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  EXPECT_EQ(harness.steps, 3);
  const auto column = harness.Column("l");
  ASSERT_EQ(column->length(), 20'001);
  for (int i = 0; i < 20'000; ++i) ASSERT_EQ(static_cast<const arrow::Int64Array&>(*column).Value(i), i);
  EXPECT_FALSE(harness.emitted[0].last_of_order);
  EXPECT_TRUE(harness.emitted[2].last_of_order);
}

TEST(Explode, BoundsTheBytesThatAreRepeated) {
  std::string cells = "[[0";
  for (int i = 1; i < 1000; ++i) cells += ",0";
  const Rows rows({{"l", kListType, cells + "]]"}, {"big", "binary", "[\"" + std::string(100'000, 'x') + "\"]"}});
  OperatorHarness harness = Exploding(rows, {.column = 0});
  harness.target_bytes = 1'000'000;
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  for (const Batch& batch : harness.emitted) EXPECT_LE(BytesOf(*batch.rows), 1'100'000);
  EXPECT_EQ(harness.Table()->num_rows(), 1000);
}

// "count_up": the numbers below n, a text of 100 bytes beside each; fails at 5 and cannot start at 13.
class CountUp : public TableKernel {
 public:
  Status Start(std::span<const Value> arguments) override {
    next_ = 0;
    end_ = arguments[0].As<int64_t>();
    return end_ == 13 ? RowError("unlucky") : Status::OK();
  }
  Result<std::optional<std::vector<Value>>> Next() override {
    if (next_ == 5 && end_ == 6) return RowError("broken in the middle");
    if (next_ == end_) return std::optional<std::vector<Value>>();
    std::vector<Value> row = {Value(next_++), Value(std::string(100, 'x'))};
    return std::optional(std::move(row));
  }

 private:
  int64_t next_ = 0;
  int64_t end_ = 0;
};

class TableFunctionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    function_.name = "count_up";
    function_.kind = FunctionKind::kTable;
    function_.make_table_kernel = [](const BoundSignature&) -> Result<std::unique_ptr<TableKernel>> {
      return std::make_unique<CountUp>();
    };
  }
  OperatorHarness Make(const Rows& rows, const std::string& policy, bool ignore_empty = true) {
    TableFunctionOptions options{.function = &function_,
                                 .arguments = {*Bind(Col("n"), rows.columns, Functions())},
                                 .outputs = {{"i", LogicalType::Int64()}, {"text", LogicalType::String()}},
                                 .kept = {1},
                                 .ignore_empty = ignore_empty};
    options.signature.arguments = {LogicalType::Int64()};
    options.signature.options.Set("on_error", OptionValue(policy));
    const Columns output = {rows.columns[1], {"i", LogicalType::Int64()}, {"text", LogicalType::String()}};
    return OperatorHarness(*MakeTableFunction(options, rows.columns, ToArrow(output)));
  }
  FunctionDefinition function_;
};

TEST_F(TableFunctionTest, JoinsRowsWithWhatComesOfThem) {
  const Rows rows({{"n", "int64", "[2, 0, null, 1]"}, {"who", "string", R"(["a", "b", "c", "d"])"}});
  OperatorHarness harness = Make(rows, "raise");
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_EQ(*harness.Feed(rows), Progress::kDone);
  harness.ExpectColumn("who", "string", R"(["a", "a", "d"])");
  harness.ExpectColumn("i", "int64", "[0, 1, 0]");
}

TEST_F(TableFunctionTest, MayKeepRowsOfWhichNothingComes) {
  const Rows rows({{"n", "int64", "[0, null, 1]"}, {"who", "string", R"(["a", "b", "c"])"}});
  OperatorHarness harness = Make(rows, "raise", false);
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  harness.ExpectColumn("who", "string", R"(["a", "b", "c"])");
  harness.ExpectColumn("i", "int64", "[null, null, 0]");
}

TEST_F(TableFunctionTest, RaiseNamesTheInput) {
  const Rows rows({{"n", "int64", "[13]"}, {"who", "string", R"(["bob"])"}});
  OperatorHarness harness = Make(rows, "raise");
  ASSERT_TRUE(harness.Open().ok());
  const auto result = harness.Feed(rows);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().message(), "bob: count_up: unlucky");
}

TEST_F(TableFunctionTest, PoliciesKeepWhatCameBeforeTheDamage) {
  const Rows rows({{"n", "int64", "[13, 6, 1]"}, {"who", "string", R"(["a", "b", "c"])"}});
  for (const char* policy : {"skip", "dead_letter"}) {
    OperatorHarness harness = Make(rows, policy);
    ASSERT_TRUE(harness.Open().ok());
    ASSERT_TRUE(harness.Feed(rows).ok());
    harness.ExpectColumn("who", "string", R"(["b", "b", "b", "b", "b", "c"])");
    ASSERT_EQ(harness.letters.size(), policy == std::string("skip") ? 0u : 2u);
    if (harness.letters.empty()) continue;
    EXPECT_EQ(harness.letters[0].input, "a");
    EXPECT_EQ(harness.letters[1].reason, "broken in the middle");
  }
}

TEST_F(TableFunctionTest, BoundsTheBytesOfABatchKeptColumnsIncluded) {
  const Rows rows({{"n", "int64", "[200, 1]"}, {"big", "string", "[\"" + std::string(10'000, 'x') + "\", \"y\"]"}});
  OperatorHarness harness = Make(rows, "raise");
  harness.target_bytes = 50'000;
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  EXPECT_EQ(harness.Table()->num_rows(), 201);
  for (const Batch& batch : harness.emitted) EXPECT_LE(BytesOf(*batch.rows), 70'000);
  EXPECT_TRUE(harness.emitted.back().last_of_order);
}

}  // namespace
}  // namespace mainstem
