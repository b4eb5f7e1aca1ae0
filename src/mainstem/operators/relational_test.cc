#include "mainstem/operators/relational.h"

#include <algorithm>
#include <random>
#include <thread>

#include "mainstem/operators/operator_harness.h"

namespace mainstem {
namespace {

using namespace mainstem::testing;
using TablePtr = std::shared_ptr<arrow::Table>;

TablePtr ToTable(const Rows& rows) { return *arrow::Table::FromRecordBatches({rows.batch}); }
TablePtr Nothing(const Rows& rows) { return *arrow::Table::FromRecordBatches(rows.batch->schema(), {}); }

void ExpectColumn(const TablePtr& table, const std::string& name, const std::string& type, const std::string& cells) {
  const auto column = table->GetColumnByName(name);
  ASSERT_TRUE(column) << name;
  EXPECT_TRUE(column->Equals(arrow::ChunkedArray(Cells(type, cells)))) << name << ": " << column->ToString();
}

TEST(Sort, IsStableAndPlacesNulls) {
  const Rows rows({{"k", "int64", "[2, null, 1, 2, null, 1]"}, {"n", "int64", "[0, 1, 2, 3, 4, 5]"}});
  ExpectColumn(*MakeSort({{"k"}})->Run({ToTable(rows)}), "n", "int64", "[2, 5, 0, 3, 1, 4]");
  ExpectColumn(*MakeSort({{"k", false, true}})->Run({ToTable(rows)}), "n", "int64", "[1, 4, 2, 5, 0, 3]");
  ExpectColumn(*MakeSort({{"k", true}})->Run({ToTable(rows)}), "n", "int64", "[0, 3, 2, 5, 1, 4]");
}

TEST(Sort, TakesSeveralKeysAndCarriesMedia) {
  const Rows rows({{"a", "string", R"(["y", "x", "y", "x"])"},
                   {"b", "int64", "[1, 2, 3, null]"},
                   {"image", "\"image\"", R"([{"data": "0", "height": 1, "width": 1, "mode": 0}, null,
                     {"data": "2", "height": 1, "width": 1, "mode": 0}, {"data": "3", "height": 1, "width": 1, "mode": 0}])"}});
  const auto sorted = *MakeSort({{"a"}, {"b", true, true}})->Run({ToTable(rows)});
  ExpectColumn(sorted, "image", "\"image\"", R"([{"data": "3", "height": 1, "width": 1, "mode": 0}, null,
    {"data": "2", "height": 1, "width": 1, "mode": 0}, {"data": "0", "height": 1, "width": 1, "mode": 0}])");
  EXPECT_EQ((*MakeSort({{"a"}})->Run({Nothing(rows)}))->num_rows(), 0);
}

struct Wanted {
  const char* function;  // of the registry: agg.…
  const char* type;
  const char* all;
  const char* of_nothing;
};
const Wanted kAggregates[] = {
    {"sum", "int64", "[10]", "[null]"},          {"mean", "float64", "[2.5]", "[null]"},
    {"count", "int64", "[4]", "[0]"},            {"count_distinct", "int64", "[2]", "[0]"},
    {"min", "int64", "[1]", "[null]"},           {"max", "int64", "[4]", "[null]"},
    {"stddev_pop", "float64", "[1.5]", "[null]"}, {"var_pop", "float64", "[2.25]", "[null]"},
    {"var_samp", "float64", "[3]", "[null]"},    {"first", "int64", "[4]", "[null]"},
    {"last", "int64", "[1]", "[null]"},          {"list", R"({"type":"list","item":"int64"})", "[[4, 4, null, 1, 1]]", "[[]]"}};

AggregateCall Call(const std::string& function, const std::string& column) {
  const FunctionDefinition* definition = *Functions().Find("agg." + function);
  return {.name = "out", .function = definition->aggregate, .column = column, .sample = function.ends_with("_samp")};
}

TEST(Aggregate, OfAllRowsAndOfNone) {
  // 4, 4, 1, 1: mean 2.5, deviations ±1.5, so the variance is 9 / 4 or, of a sample, 9 / 3.
  const Rows rows({{"v", "int64", "[4, 4, null, 1, 1]"}});
  for (const Wanted& wanted : kAggregates) {
    SCOPED_TRACE(wanted.function);
    const auto output = ToArrow({{"out", *ParseType(wanted.type)}});
    const auto step = MakeAggregate({}, {Call(wanted.function, "v")}, output);
    const auto all = step->Run({ToTable(rows)});
    ASSERT_TRUE(all.ok()) << all.status();
    ExpectColumn(*all, "out", wanted.type, wanted.all);
    const auto none = step->Run({Nothing(rows)});
    ASSERT_TRUE(none.ok()) << none.status();
    ExpectColumn(*none, "out", wanted.type, wanted.of_nothing);
  }
}

TEST(Aggregate, CountsRowsAndMixesOrderedFunctionsOverNothing) {
  const Rows rows({{"v", "int64", "[1, null]"}});
  const auto output = ToArrow({{"n", LogicalType::Int64()}, {"f", LogicalType::Int64()}});
  AggregateCall count{.name = "n", .function = "count_all"};
  AggregateCall first = Call("first", "v");
  first.name = "f";
  const auto step = MakeAggregate({}, {count, first}, output);
  ExpectColumn(*step->Run({ToTable(rows)}), "n", "int64", "[2]");
  ExpectColumn(*step->Run({Nothing(rows)}), "n", "int64", "[0]");
  ExpectColumn(*step->Run({Nothing(rows)}), "f", "int64", "[null]");
}

TEST(Aggregate, GroupsByKeysNullAmongThem) {
  const Rows rows({{"k", "string", R"(["a", null, "a", null, "b"])"}, {"v", "int64", "[1, 2, 3, 4, null]"}});
  for (const Wanted& wanted : kAggregates) {
    SCOPED_TRACE(wanted.function);
    const auto output = ToArrow({{"k", LogicalType::String()}, {"out", *ParseType(wanted.type)}});
    const auto step = MakeAggregate({"k"}, {Call(wanted.function, "v")}, output);
    const auto groups = step->Run({ToTable(rows)});
    ASSERT_TRUE(groups.ok()) << groups.status();
    EXPECT_EQ((*groups)->num_rows(), 3);
    EXPECT_EQ((*step->Run({Nothing(rows)}))->num_rows(), 0);
  }
  const auto output = ToArrow({{"k", LogicalType::String()}, {"out", LogicalType::Int64()}});
  const auto sums = *MakeSort({{"k"}})->Run({*MakeAggregate({"k"}, {Call("sum", "v")}, output)->Run({ToTable(rows)})});
  ExpectColumn(sums, "k", "string", R"(["a", "b", null])");
  ExpectColumn(sums, "out", "int64", "[4, null, 6]");
}

TEST(Aggregate, GroupsComeInTheOrderOfTheirFirstRow) {
  // 7 groups over 300,000 rows, more than Acero gives to one thread.
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < 300'000; ++i) ASSERT_TRUE(builder.Append((i * i + 3 * i) % 7 + (i > 150'000 ? 10 : 0)).ok());
  const auto keys = *builder.Finish();
  std::vector<int64_t> expected;
  for (int64_t i = 0; i < keys->length(); ++i) {
    const int64_t key = static_cast<const arrow::Int64Array&>(*keys).Value(i);
    if (std::find(expected.begin(), expected.end(), key) == expected.end()) expected.push_back(key);
  }
  const auto schema = arrow::schema({arrow::field("k", arrow::int64())});
  const auto output = ToArrow({{"k", LogicalType::Int64()}, {"n", LogicalType::Int64()}});
  const auto step = MakeAggregate({"k"}, {{.name = "n", .function = "count_all"}}, output);
  for (int round = 0; round < 5; ++round) {
    const auto groups = *(*step->Run({arrow::Table::Make(schema, {keys})}))->CombineChunks();
    const auto& found = static_cast<const arrow::Int64Array&>(*groups->column(0)->chunk(0));
    ASSERT_EQ(std::vector<int64_t>(found.raw_values(), found.raw_values() + found.length()), expected);
  }
}

TEST(Aggregate, ASumBeyondInt64IsAnErrorAndItsMeanIsNot) {
  const std::string half = "4611686018427387904";  // 2^62
  const Rows rows({{"k", "int64", "[0, 0, 1, 1, 1]"}, {"v", "int64", "[" + half + "," + half + "," + half + ", -" + half + ", 5]"}});
  const auto sum_of = [&](std::vector<std::string> keys, const Rows& of) {
    Columns output = {{"out", LogicalType::Int64()}};
    if (!keys.empty()) output.insert(output.begin(), {"k", LogicalType::Int64()});
    return MakeAggregate(keys, {Call("sum", "v")}, ToArrow(output))->Run({ToTable(of)});
  };
  for (const std::vector<std::string>& keys : {std::vector<std::string>{}, std::vector<std::string>{"k"}}) {
    const auto wrapped = sum_of(keys, rows);
    ASSERT_FALSE(wrapped.ok()) << (*wrapped)->ToString();  // 2^63 of the first group, 2^63 + 5 of all
    EXPECT_EQ(ClassOf(wrapped.status()), ErrorClass::kJob);
    EXPECT_NE(wrapped.status().message().find("int64"), std::string::npos) << wrapped.status();
  }
  const Rows fits({{"v", "int64", "[" + half + "," + half + ", -1, -" + half + "]"}});  // leaves int64 on the way only
  ExpectColumn(*sum_of({}, fits), "out", "int64", "[4611686018427387903]");
  const Rows large({{"v", "uint64", "[9223372036854775807]"}});
  ExpectColumn(*sum_of({}, large), "out", "int64", "[9223372036854775807]");
  EXPECT_FALSE(sum_of({}, Rows({{"v", "uint64", "[9223372036854775808]"}})).ok());
  const auto mean = MakeAggregate({}, {Call("mean", "v")}, ToArrow({{"out", LogicalType::Float64()}}));
  ExpectColumn(*mean->Run({ToTable(Rows({{"v", "int64", "[" + half + "," + half + "]"}}))}), "out", "float64",
               "[4611686018427387904]");
}

TEST(Distinct, KeepsFirstOrLastAndNullEqualsNull) {
  const Rows rows({{"k", "int64", "[1, null, 1, null, 2]"}, {"n", "int64", "[0, 1, 2, 3, 4]"}});
  ExpectColumn(*MakeDistinct({"k"}, true)->Run({ToTable(rows)}), "n", "int64", "[0, 1, 4]");
  ExpectColumn(*MakeDistinct({"k"}, false)->Run({ToTable(rows)}), "n", "int64", "[2, 3, 4]");
  EXPECT_EQ((*MakeDistinct({"k", "n"}, true)->Run({ToTable(rows)}))->num_rows(), 5);
  EXPECT_EQ((*MakeDistinct({"k"}, true)->Run({Nothing(rows)}))->num_rows(), 0);
}

// Random keys and what a nested loop makes of them, in its order.
class JoinTest : public ::testing::TestWithParam<JoinKind> {
 protected:
  using Keys = std::vector<std::optional<int>>;

  static Keys Draw(std::mt19937* random, int count) {
    Keys keys;
    for (int i = 0; i < count; ++i) {
      const int draw = static_cast<int>((*random)() % 6);
      keys.push_back(draw == 5 ? std::optional<int>() : draw);
    }
    return keys;
  }
  static std::string Show(std::optional<int> number) { return number ? std::to_string(*number) : "null"; }
  static Rows Side(const Keys& keys, const char* payload) {
    std::string key_cells = "[";
    std::string cells = "[";
    for (size_t i = 0; i < keys.size(); ++i) {
      key_cells += (i ? "," : "") + Show(keys[i]);
      cells += (i ? "," : "") + std::string(R"({"uri": ")") + std::to_string(i) +
               R"(", "start_time_ms": null, "end_time_ms": null})";
    }
    return Rows({{"k", "int64", key_cells + "]"}, {payload, "\"audio_clip\"", cells + "]"}});
  }
  static std::vector<std::string> Brute(JoinKind kind, const Keys& left, const Keys& right) {
    std::vector<std::string> out;
    std::vector<bool> right_matched(right.size());
    const bool left_only = kind == JoinKind::kSemi || kind == JoinKind::kAnti;
    for (size_t l = 0; l < left.size(); ++l) {
      bool matched = false;
      for (size_t r = 0; r < right.size(); ++r) {
        if (!left[l] || !right[r] || *left[l] != *right[r]) continue;
        matched = right_matched[r] = true;
        if (!left_only) out.push_back(Show(left[l]) + "|" + std::to_string(l) + "|" + std::to_string(r));
      }
      const std::string alone = Show(left[l]) + "|" + std::to_string(l) + "|null";
      if (kind == JoinKind::kSemi && matched) out.push_back(alone);
      if (kind == JoinKind::kAnti && !matched) out.push_back(alone);
      if ((kind == JoinKind::kLeft || kind == JoinKind::kOuter) && !matched) out.push_back(alone);
    }
    if (kind == JoinKind::kRight || kind == JoinKind::kOuter) {
      for (size_t r = 0; r < right.size(); ++r) {
        if (!right_matched[r]) out.push_back(Show(right[r]) + "|null|" + std::to_string(r));
      }
    }
    return out;
  }
  static std::string Uri(const TablePtr& table, const char* column, int64_t row) {
    const auto clips = table->GetColumnByName(column);
    if (!clips) return "null";
    const auto array = std::static_pointer_cast<arrow::StructArray>(
        clips->num_chunks() ? *arrow::Concatenate(clips->chunks()) : *arrow::MakeEmptyArray(clips->type()));
    return array->IsNull(row) ? "null" : static_cast<const arrow::StringArray&>(*array->field(0)).GetString(row);
  }
};

TEST_P(JoinTest, GivesWhatANestedLoopGives) {
  const JoinKind kind = GetParam();
  std::mt19937 random(42);
  for (int round = 0; round < 30; ++round) {
    const Keys left = Draw(&random, static_cast<int>(random() % 8));
    const Keys right = Draw(&random, static_cast<int>(random() % 8));
    const Rows left_rows = Side(left, "left");
    const Rows right_rows = Side(right, "right");
    Columns output = left_rows.columns;
    if (kind != JoinKind::kSemi && kind != JoinKind::kAnti) output.push_back(right_rows.columns[1]);
    const auto joined = MakeJoin(kind, {"k"}, {"k"}, ToArrow(output))
                            ->Run({left.empty() ? Nothing(left_rows) : ToTable(left_rows),
                                   right.empty() ? Nothing(right_rows) : ToTable(right_rows)});
    ASSERT_TRUE(joined.ok()) << joined.status();
    std::vector<std::string> got;
    for (int64_t row = 0; row < (*joined)->num_rows(); ++row) {
      got.push_back((*(*joined)->GetColumnByName("k")->GetScalar(row))->ToString() + "|" + Uri(*joined, "left", row) + "|" +
                 Uri(*joined, "right", row));
    }
    EXPECT_EQ(got, Brute(kind, left, right)) << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryKind, JoinTest,
                         ::testing::Values(JoinKind::kInner, JoinKind::kLeft, JoinKind::kRight, JoinKind::kOuter,
                                           JoinKind::kSemi, JoinKind::kAnti));

TEST(Join, CrossGivesEveryPair) {
  const Rows left({{"a", "int64", "[1, 2]"}});
  const Rows right({{"b", "int64", "[5, 6, 7]"}});
  const auto step = MakeJoin(JoinKind::kCross, {}, {}, ToArrow({left.columns[0], right.columns[0]}));
  const auto joined = *step->Run({ToTable(left), ToTable(right)});
  ExpectColumn(joined, "a", "int64", "[1, 1, 1, 2, 2, 2]");
  ExpectColumn(joined, "b", "int64", "[5, 6, 7, 5, 6, 7]");
  EXPECT_EQ((*step->Run({ToTable(left), Nothing(right)}))->num_rows(), 0);
}

// Keys that are all the same: every row of one side meets every row of the other.
TablePtr SameKeys(int64_t rows, const std::string& payload) {
  const auto keys = *arrow::MakeArrayFromScalar(arrow::Int64Scalar(1), rows);
  const auto values = *arrow::MakeArrayFromScalar(arrow::Int64Scalar(2), rows);
  return arrow::Table::Make(arrow::schema({arrow::field("k", arrow::int64()), arrow::field(payload, arrow::int64())}),
                            {keys, values});
}

TEST(Join, AResultBeyondTheBoundsIsAnErrorAndNotMade) {
  const auto output = ToArrow({{"k", LogicalType::Int64()}, {"a", LogicalType::Int64()}, {"b", LogicalType::Int64()}});
  const StepBounds bounds{.result_bytes_max = 100 << 20};
  for (const JoinKind kind : {JoinKind::kInner, JoinKind::kOuter}) {
    // 10^10 pairs would take 160 GB as row numbers alone.
    const auto joined = MakeJoin(kind, {"k"}, {"k"}, output)->Run({SameKeys(100'000, "a"), SameKeys(100'000, "b")}, bounds);
    ASSERT_FALSE(joined.ok());
    EXPECT_EQ(ClassOf(joined.status()), ErrorClass::kJob);
    EXPECT_NE(joined.status().message().find("memory_budget"), std::string::npos) << joined.status();
  }
  const auto pairs = ToArrow({{"k", LogicalType::Int64()}, {"a", LogicalType::Int64()}, {"k2", LogicalType::Int64()},
                              {"b", LogicalType::Int64()}});
  const auto crossed = MakeJoin(JoinKind::kCross, {}, {}, pairs)->Run({SameKeys(40'000, "a"), SameKeys(40'000, "b")}, bounds);
  EXPECT_EQ(ClassOf(crossed.status()), ErrorClass::kJob) << crossed.status();
}

TEST(Join, StopsWhenTold) {
  const auto output = ToArrow({{"k", LogicalType::Int64()}, {"a", LogicalType::Int64()}, {"b", LogicalType::Int64()}});
  const auto stop = std::make_shared<std::atomic<bool>>(false);
  const auto step = MakeJoin(JoinKind::kInner, {"k"}, {"k"}, output);
  Status status;
  // 10^10 pairs would take minutes.
  std::thread running([&] { status = step->Run({SameKeys(100'000, "a"), SameKeys(100'000, "b")}, {.stop = stop}).status(); });
  stop->store(true);
  running.join();
  EXPECT_EQ(ClassOf(status), ErrorClass::kCancelled) << status;
}

TEST(Relational, AStepThatRunsIsToldToStopWhenItsOperatorGoes) {
  struct Endless : RelationalStep {
    std::string name() const override { return "endless"; }
    Result<TablePtr> Run(const std::vector<TablePtr>&, const StepBounds& bounds) const override {
      *taken = bounds.stop;
      return CancelledError("");
    }
    std::shared_ptr<const std::atomic<bool>>* taken;
  };
  std::shared_ptr<const std::atomic<bool>> stop;
  auto step = std::make_shared<Endless>();
  step->taken = &stop;
  const Rows rows({{"n", "int64", "[1]"}});
  {
    OperatorHarness harness(MakeRelational(step, {rows.batch->schema()}, rows.batch->schema()));
    ASSERT_TRUE(harness.Open().ok());
    ASSERT_TRUE(harness.tested().EndInput().ok());
    EXPECT_FALSE(stop->load());
  }
  EXPECT_TRUE(stop->load());
}

TEST(Relational, CollectsComputesAndEmitsInOrder) {
  const Rows rows({{"n", "int64", "[3, 1, 2]"}});
  OperatorHarness harness(MakeRelational(MakeSort({{"n"}}), {rows.batch->schema()}, rows.batch->schema()));
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows, 0).ok());
  ASSERT_TRUE(harness.Feed(rows, 1).ok());
  ASSERT_TRUE(harness.tested().EndInput().ok());
  EXPECT_EQ(*harness.Advance(), Progress::kBlocked);
  ASSERT_TRUE(harness.tested().OnComputed(*harness.computed).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
  harness.ExpectColumn("n", "int64", "[1, 1, 2, 2, 3, 3]");
}

TEST(Relational, FailsClearlyBeyondTheHoldingLimit) {
  const Rows rows({{"n", "int64", "[1, 2, 3, 4]"}});
  OperatorHarness harness(MakeRelational(MakeSort({{"n"}}), {rows.batch->schema()}, rows.batch->schema()));
  harness.holding_limit = 100;
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_TRUE(harness.Feed(rows).ok());
  const auto result = harness.Feed(rows);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.status().message().find("memory_budget"), std::string::npos);
}

}  // namespace
}  // namespace mainstem
