// Operators behind an exchange by keys, and the partition in front of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mainstem/operators/key_partition.h"
#include "mainstem/operators/keyed_distinct.h"
#include "mainstem/operators/operator_harness.h"
#include "mainstem/operators/over.h"

namespace mainstem {
namespace {

using testing::Rows;
using ::testing::HasSubstr;

const Rows kSales({{"shop", "string", R"(["a", "b", "a", null, "b", "a", null])"},
                   {"amount", "int64", "[5, 7, null, 1, -2, 3, 4]"},
                   {"price", "float64", "[0.5, null, 2.5, 1.0, 1.5, -1.0, 3.0]"}});

std::shared_ptr<arrow::Schema> With(const Rows& rows, const std::vector<std::pair<std::string, std::string>>& results) {
  arrow::FieldVector fields = rows.batch->schema()->fields();
  for (const auto& [name, type] : results) fields.push_back(arrow::field(name, ParseType(type)->storage()));
  return arrow::schema(std::move(fields));
}

TEST(Over, GivesTheRunningValueOfEachKey) {
  testing::OperatorHarness harness(MakeOver(
      {0},
      {{.function = "row_number"}, {"count", 1}, {"sum", 1}, {"min", 1}, {"max", 1}, {"mean", 1}, {"sum", 2}, {"max", 2}},
      With(kSales, {{"n", "int64"}, {"count", "int64"}, {"sum", "int64"}, {"min", "int64"}, {"max", "int64"},
                    {"mean", "float64"}, {"prices", "float64"}, {"dearest", "float64"}})));
  ASSERT_TRUE(harness.Open().ok());
  // In two batches: what came before counts.
  ASSERT_TRUE(harness.Feed({.rows = kSales.batch->Slice(0, 3)}).ok());
  ASSERT_TRUE(harness.Feed({.rows = kSales.batch->Slice(3), .order = 1}).ok());
  harness.ExpectColumn("n", "int64", "[1, 1, 2, 1, 2, 3, 2]");
  harness.ExpectColumn("count", "int64", "[1, 1, 1, 1, 2, 2, 2]");
  harness.ExpectColumn("sum", "int64", "[5, 7, 5, 1, 5, 8, 5]");
  harness.ExpectColumn("min", "int64", "[5, 7, 5, 1, -2, 3, 1]");
  harness.ExpectColumn("max", "int64", "[5, 7, 5, 1, 7, 5, 4]");
  harness.ExpectColumn("mean", "float64", "[5, 7, 5, 1, 2.5, 4, 2.5]");
  harness.ExpectColumn("prices", "float64", "[0.5, null, 3.0, 1.0, 1.5, 2.0, 4.0]");
  harness.ExpectColumn("dearest", "float64", "[0.5, null, 2.5, 1.0, 1.5, 2.5, 3.0]");
}

TEST(Over, KeepsTheTypeOfTimesAndSmallNumbers) {
  const Rows rows({{"k", "int64", "[1, 1]"}, {"day", "date", "[20000, 19000]"}, {"small", "int8", "[100, 120]"}});
  testing::OperatorHarness harness(MakeOver({0}, {{"min", 1}, {"max", 2}, {"sum", 2}},
                                            With(rows, {{"first", "date"}, {"largest", "int8"}, {"sum", "int64"}})));
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  harness.ExpectColumn("first", "date", "[20000, 19000]");
  harness.ExpectColumn("largest", "int8", "[100, 120]");
  harness.ExpectColumn("sum", "int64", "[100, 220]");
}

TEST(Over, FailsWhereASumLeavesInt64) {
  const Rows rows({{"k", "int64", "[1, 1]"}, {"n", "int64", "[9223372036854775807, 1]"}});
  testing::OperatorHarness harness(MakeOver({0}, {{"sum", 1}}, With(rows, {{"sum", "int64"}})));
  ASSERT_TRUE(harness.Open().ok());
  const auto fed = harness.Feed(rows);
  EXPECT_EQ(ClassOf(fed.status()), ErrorClass::kJob);
  EXPECT_THAT(fed.status().message(), HasSubstr("float64"));
}

TEST(Over, SaysWhichFunctionsAndTypesThereAre) {
  EXPECT_THAT(TypeOfOver("summ", *arrow::int64()).status().message(), HasSubstr("Did you mean 'sum'?"));
  EXPECT_THAT(TypeOfOver("sum", *arrow::utf8()).status().message(), HasSubstr("numbers"));
  EXPECT_TRUE((*TypeOfOver("max", *arrow::timestamp(arrow::TimeUnit::MICRO)))->Equals(arrow::timestamp(arrow::TimeUnit::MICRO)));
  EXPECT_TRUE((*TypeOfOver("sum", *arrow::float32()))->Equals(arrow::float64()));
}

TEST(Over, FailsBeyondItsMemory) {
  std::string cells = "[0";
  for (int i = 1; i < 2000; ++i) cells += "," + std::to_string(i);
  const Rows rows({{"k", "int64", cells + "]"}});
  testing::OperatorHarness harness(MakeOver({0}, {{.function = "row_number"}}, With(rows, {{"n", "int64"}})));
  harness.holding_limit = 100'000;
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_EQ(ClassOf(harness.Feed(rows).status()), ErrorClass::kJob);
}

TEST(KeyedDistinct, PassesTheFirstRowOfEachKey) {
  testing::OperatorHarness harness(MakeKeyedDistinct({0}));
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed({.rows = kSales.batch->Slice(0, 4)}).ok());
  ASSERT_TRUE(harness.Feed({.rows = kSales.batch->Slice(4), .order = 1}).ok());
  harness.ExpectColumn("shop", "string", R"(["a", "b", null])");
  harness.ExpectColumn("amount", "int64", "[5, 7, 1]");
}

TEST(KeyPartition, KeepsKeysTogetherAndRowsInOrder) {
  for (const int lanes : {1, 2, 3, 128}) {
    const RowParts parts = *PartitionByKey(kSales.batch, {0}, lanes);
    ASSERT_EQ(parts.size(), static_cast<size_t>(lanes));
    std::map<std::string, int> lane_of;
    std::map<std::string, std::vector<int64_t>> amounts;
    int64_t rows = 0;
    for (int lane = 0; lane < lanes; ++lane) {
      const auto& part = *parts[static_cast<size_t>(lane)];
      rows += part.num_rows();
      const auto& shops = static_cast<const arrow::StringArray&>(*part.column(0));
      const auto& numbers = static_cast<const arrow::Int64Array&>(*part.column(1));
      for (int64_t i = 0; i < part.num_rows(); ++i) {
        const std::string shop = shops.IsNull(i) ? "null" : shops.GetString(i);
        EXPECT_EQ(lane_of.emplace(shop, lane).first->second, lane);
        amounts[shop].push_back(numbers.IsNull(i) ? 0 : numbers.Value(i));
      }
    }
    EXPECT_EQ(rows, 7);
    EXPECT_EQ(amounts["a"], (std::vector<int64_t>{5, 0, 3}));
    EXPECT_EQ(amounts["b"], (std::vector<int64_t>{7, -2}));
    EXPECT_EQ(amounts["null"], (std::vector<int64_t>{1, 4}));
  }
}

}  // namespace
}  // namespace mainstem
