#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include <nlohmann/json.hpp>

#include "mainstem/connectors/catalog.h"
#include "mainstem/connectors/source_harness.h"

namespace mainstem {
namespace {

using testing::ExpectHostilePositionsRefused;
using testing::ExpectResumable;
using testing::ExpectSkippable;
using testing::Rest;
using testing::RowsOf;
using testing::SteeredClock;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int64_t kSecond = 1'000'000'000;

std::shared_ptr<Source> Open(const std::string& fields, ConnectorOptions options = {}) {
  options["fields"] = fields;
  return MakeSource("datagen", options, {}).ValueOrDie();
}

std::string Refused(const std::string& fields, ConnectorOptions options = {}) {
  options["fields"] = fields;
  return MakeSource("datagen", options, {}).status().message();
}

std::shared_ptr<arrow::Table> All(const Source& source, const ScanRequest& request = {}) {
  auto splits = source.Enumerate(request, "").ValueOrDie();
  std::vector<std::shared_ptr<arrow::Table>> tables;
  auto schema = source.schema();
  for (;;) {
    const auto split = splits->Next().ValueOrDie();
    if (!split) break;
    const auto reader = source.Open(*split, request).ValueOrDie();
    auto first = reader->Next().ValueOrDie();
    if (!first) continue;
    tables.push_back(arrow::Table::FromRecordBatches({first}).ValueOrDie());
    if (tables.back()->num_columns() > 0) schema = tables.back()->schema();
    tables.push_back(RowsOf(*reader, schema).ValueOrDie());
  }
  return arrow::ConcatenateTables(tables).ValueOrDie()->CombineChunks().ValueOrDie();
}

template <typename Array>
const Array& ColumnOf(const arrow::Table& table, const std::string& name) {
  return static_cast<const Array&>(*table.GetColumnByName(name)->chunk(0));
}

// Expected values were worked out in Python from the definition at Generate.
TEST(Datagen, ValuesAreThoseOfTheDefinition) {
  const auto source = Open(R"([{"name": "a", "type": "int64", "min": -1000, "max": 1000},
                               {"name": "b", "type": "int64"},
                               {"name": "c", "type": "float64", "min": -1, "max": 2},
                               {"name": "d", "type": "bool"},
                               {"name": "e", "type": "string", "length": 20},
                               {"name": "f", "type": "binary", "length": 9},
                               {"name": "g", "type": "int8", "null_rate": 0.5}])",
                           {{"seed", 7}, {"number_of_rows", 10}});
  const auto rows = All(*source);
  ASSERT_TRUE(rows->ValidateFull().ok());
  ASSERT_EQ(rows->num_rows(), 10);
  const int64_t a[] = {-587, 891, -306, 379, 495};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ColumnOf<arrow::Int64Array>(*rows, "a").Value(i), a[i]);
  const int64_t b[] = {-2503595210180371768, -7471983535328263318, 7512168275300876003};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ColumnOf<arrow::Int64Array>(*rows, "b").Value(i), b[i]);
  const double c[] = {-0.6303149264171983, 1.8475534438017265, 1.8269395134110127, 1.0236738291916243};
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ColumnOf<arrow::DoubleArray>(*rows, "c").Value(i), c[i]);
  const bool d[] = {true, true, true, true, true, true, true, false};
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ColumnOf<arrow::BooleanArray>(*rows, "d").Value(i), d[i]);
  EXPECT_EQ(ColumnOf<arrow::StringArray>(*rows, "e").GetView(2), "dc163c935d57b0f1d5bf");
  EXPECT_EQ(ColumnOf<arrow::LargeBinaryArray>(*rows, "f").GetView(1), "\xe8\x45\x58\x6d\xd6\x04\x96\xb7\x4b");
  const bool g[] = {true, false, true, false, false, false, false, false, true, false};
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ColumnOf<arrow::Int8Array>(*rows, "g").IsNull(i), g[i]) << i;
}

TEST(Datagen, ValuesDependOnNeitherSplitNorProjectionNorBatch) {
  const std::string fields = R"([{"name": "n", "type": "int32", "kind": "sequence", "start": -5},
                                 {"name": "x", "type": "float32"}, {"name": "t", "type": "string", "length": 3}])";
  const auto fast = All(*Open(fields, {{"number_of_rows", 5'000}}));
  SteeredClock clock;
  // A rate makes smaller splits, of 30 rows here.
  const auto slow = Open(fields, {{"number_of_rows", 5'000}, {"rows_per_second", 300}});
  auto splits = slow->Enumerate({.clock = &clock}, "").ValueOrDie();
  std::vector<std::shared_ptr<arrow::Table>> parts;
  for (int64_t i = 0; parts.size() < 167; ++i) {
    ASSERT_LT(i, 1000);
    const auto split = splits->Next().ValueOrDie();
    clock.now_ns += split ? 0 : splits->retry_after_ns();
    if (!split) continue;
    parts.push_back(RowsOf(*slow->Open(*split, {.batch_rows = 7}).ValueOrDie(), slow->schema()).ValueOrDie());
  }
  EXPECT_TRUE(arrow::ConcatenateTables(parts).ValueOrDie()->Equals(*fast));
  const auto texts = All(*Open(fields, {{"number_of_rows", 5'000}}), {.columns = {"t"}, .all_columns = false});
  EXPECT_TRUE(texts->column(0)->Equals(fast->column(2)));
  EXPECT_FALSE(All(*Open(fields, {{"number_of_rows", 5'000}, {"seed", 1}}))->column(1)->Equals(fast->column(1)));
}

TEST(Datagen, RandomValuesSpreadEvenly) {
  const auto rows = All(*Open(R"([{"name": "die", "type": "uint8", "min": 1, "max": 6},
                                  {"name": "x", "type": "float64", "null_rate": 0.25}])",
                              {{"number_of_rows", 60'000}}));
  int64_t faces[7] = {};
  for (int64_t i = 0; i < 60'000; ++i) ++faces[ColumnOf<arrow::UInt8Array>(*rows, "die").Value(i) % 7];
  // A standard deviation is 91 rows.
  for (int face = 1; face <= 6; ++face) EXPECT_NEAR(static_cast<double>(faces[face]), 10'000, 5 * 91.3);
  EXPECT_EQ(faces[0], 0);
  const auto& x = ColumnOf<arrow::DoubleArray>(*rows, "x");
  EXPECT_NEAR(static_cast<double>(x.null_count()), 15'000, 5 * 106.1);
  double sum = 0;
  for (int64_t i = 0; i < x.length(); ++i) sum += x.IsNull(i) ? 0 : x.Value(i);
  EXPECT_NEAR(sum / static_cast<double>(x.length() - x.null_count()), 0.5, 5 * 0.2887 / std::sqrt(45'000));
}

TEST(Datagen, SequencesEndTheRows) {
  const auto source = Open(R"([{"name": "n", "type": "int64", "kind": "sequence", "start": 10, "end": 19},
                               {"name": "m", "type": "int16", "kind": "sequence", "start": -3, "end": 100}])");
  EXPECT_FALSE(source->unbounded());
  EXPECT_EQ(source->RowCount(), 10);
  const auto rows = All(*source);
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(ColumnOf<arrow::Int64Array>(*rows, "n").Value(i), 10 + i);
    EXPECT_EQ(ColumnOf<arrow::Int16Array>(*rows, "m").Value(i), -3 + i);
  }
  // A small type ends by itself; one of 64 bits is as good as endless.
  EXPECT_EQ(Open(R"([{"name": "n", "type": "uint8", "kind": "sequence"}])")->RowCount(), 256);
  EXPECT_TRUE(Open(R"([{"name": "n", "type": "int64", "kind": "sequence", "start": 2}])")->unbounded());
  EXPECT_TRUE(Open(R"([{"name": "x", "type": "float64"}])")->unbounded());
}

TEST(Datagen, GoesOnAtEachSplitAndRow) {
  const std::string fields = R"([{"name": "n", "type": "int64", "kind": "sequence"},
                                 {"name": "t", "type": "string", "length": 1000, "null_rate": 0.1}])";
  const auto source = Open(fields, {{"number_of_rows", 20'000}});
  const auto splits = ExpectResumable(*source, {});
  ASSERT_GT(splits.size(), 2u);
  ExpectSkippable(*source, splits[1], {.batch_rows = 1'000}, 997);
  ExpectResumable(*source, {.limit = 12'345});
  auto running = source->Enumerate({}, "").ValueOrDie();
  (void)running->Next().ValueOrDie();
  ExpectHostilePositionsRefused(*source, {}, running->Position());
  EXPECT_FALSE(source->Enumerate({}, R"({"next":20001,"ordinal":3})").ok());
  for (const char* content : {"", "[]", "{}", R"({"first":-1,"rows":1})", R"({"first":1,"rows":20000})",
                              R"({"first":1,"rows":9223372036854775807})"}) {
    EXPECT_FALSE(source->Open({.content = content}, {}).ok()) << content;
  }
}

TEST(Datagen, SplitsComeAtTheRateAlsoAfterARestart) {
  SteeredClock clock;
  const auto source = Open(R"([{"name": "n", "type": "int64", "kind": "sequence"}])", {{"rows_per_second", 1000}});
  const ScanRequest request{.clock = &clock};
  auto splits = source->Enumerate(request, "").ValueOrDie();
  // A split is a tenth of a second: 100 rows.
  EXPECT_THAT(Rest(*splits), SizeIs(1));
  EXPECT_EQ(splits->retry_after_ns(), kSecond / 10);
  for (int64_t tick = 0; tick < 1000; ++tick) {  // ten seconds, looked at each 10 ms
    clock.now_ns += kSecond / 100;
    EXPECT_THAT(Rest(*splits), SizeIs((tick + 1) % 10 == 0 ? 1 : 0)) << tick;
  }
  // After an hour's pause a tenth of a second is caught up on, no more.
  clock.now_ns += 3600 * kSecond;
  EXPECT_THAT(Rest(*splits), SizeIs(2));
  EXPECT_EQ(splits->retry_after_ns(), kSecond / 10);
  // And a restart catches up on nothing.
  const std::string position = splits->Position();
  clock.now_ns += 3600 * kSecond;
  splits = source->Enumerate(request, position).ValueOrDie();
  const auto first = splits->Next().ValueOrDie();
  EXPECT_EQ(first->ordinal, 103);
  EXPECT_THAT(first->content, HasSubstr("10300"));
  EXPECT_THAT(Rest(*splits), SizeIs(0));
  EXPECT_EQ(splits->retry_after_ns(), kSecond / 10);
}

TEST(Datagen, SlowAndFastRatesAreKept) {
  SteeredClock clock;
  for (const double rate : {0.5, 3.0, 7'000.0, 2e6}) {
    const auto source = Open(R"([{"name": "n", "type": "int64"}])", {{"rows_per_second", rate}});
    auto splits = source->Enumerate({.clock = &clock}, "").ValueOrDie();
    const int64_t begin = clock.now_ns;
    int64_t rows = 0;
    while (clock.now_ns - begin < 60 * kSecond) {
      const auto split = splits->Next().ValueOrDie();
      if (split) rows += nlohmann::json::parse(split->content)["rows"].get<int64_t>();
      if (!split) clock.now_ns += splits->retry_after_ns();
    }
    EXPECT_NEAR(static_cast<double>(rows), rate * 60, rate / 10 + 1) << rate;
  }
}

TEST(Datagen, EndsWhereNoMoreRowsAreNeeded) {
  SteeredClock clock;
  const auto source = Open(R"([{"name": "n", "type": "int64"}])", {{"rows_per_second", 10}});
  auto splits = source->Enumerate({.limit = 1, .clock = &clock}, "").ValueOrDie();
  EXPECT_THAT(Rest(*splits), SizeIs(1));
  EXPECT_EQ(splits->retry_after_ns(), 0);
}

TEST(Datagen, SettingsAreChecked) {
  EXPECT_THAT(Refused("x"), HasSubstr("must be JSON"));
  EXPECT_THAT(Refused("[]"), HasSubstr("must be JSON"));
  EXPECT_THAT(Refused("[7]"), HasSubstr("not a JSON object"));
  EXPECT_THAT(Refused(R"([{"name": "a"}])"), HasSubstr("no 'type'"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int65"}])"), HasSubstr("int65"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "uint64"}])"), HasSubstr("cannot be generated"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "image"}])"), HasSubstr("cannot be generated"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int8"}, {"name": "a", "type": "int8"}])"), HasSubstr("another has"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int8", "max": 128}])"), HasSubstr("from -128 to 127"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int8", "min": 5, "max": 4}])"), HasSubstr("from 5 to 127"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "float64", "min": "x"}])"), HasSubstr("not a number"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "float64", "null_rate": 1.5}])"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "float64", "kind": "sequence"}])"), HasSubstr("whole numbers"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int8", "kind": "walk"}])"), HasSubstr("neither random nor"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "string", "lenght": 3}])"), HasSubstr("length"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "string", "length": 99999999}])"), HasSubstr("from 0 to 1048576"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int8"}])", {{"rows_per_second", 0}}), HasSubstr("rows_per_second"));
  EXPECT_THAT(Refused(R"([{"name": "a", "type": "int8"}])", {{"number_of_rows", -1}}), HasSubstr("number_of_rows"));
}

}  // namespace
}  // namespace mainstem
