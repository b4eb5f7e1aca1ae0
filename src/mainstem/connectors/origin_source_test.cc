// Origins of rows: the same in every run, however the rows are cut, and no two alike.
#include "mainstem/connectors/origin_source.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "mainstem/connectors/catalog.h"
#include "mainstem/data/row_origin.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class OriginSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-origin-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Make(const std::string& path, const std::string& content) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }

  void MakeParquet(const std::string& path, int64_t rows, int64_t group_rows) {
    arrow::Int64Builder builder;
    for (int64_t i = 0; i < rows; ++i) ASSERT_TRUE(builder.Append(i).ok());
    const auto table = arrow::Table::Make(arrow::schema({arrow::field("x", arrow::int64())}),
                                          {builder.Finish().ValueOrDie()});
    auto file = arrow::io::FileOutputStream::Open((root_ / path).string()).ValueOrDie();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, group_rows).ok());
    ASSERT_TRUE(file->Close().ok());
  }

  std::shared_ptr<Source> Open(const std::string& connector, ConnectorOptions options, int reading = 0,
                               const MemoryTables& tables = {}) {
    auto source = MakeSource(connector, options, tables);
    EXPECT_TRUE(source.ok()) << source.status();
    return MakeOriginSource(*source, reading).ValueOrDie();
  }
  std::shared_ptr<Source> OpenFolder(const std::string& connector, const std::string& path, int reading = 0) {
    return Open(connector, {{"path", OptionValue::List{(root_ / path).string()}}}, reading);
  }

  // Rows of the first other column as text, by origin; every origin once.
  static std::map<std::string, std::string> Rows(const Source& source, ScanRequest request = {}, int64_t passed = 0) {
    std::map<std::string, std::string> rows;
    auto splits = source.Enumerate(request, "").ValueOrDie();
    while (auto split = splits->Next().ValueOrDie()) {
      auto reader = Skipping(source.Open(*split, request).ValueOrDie(), passed);
      EXPECT_TRUE(reader.ok()) << reader.status();
      while (auto batch = (*reader)->Next().ValueOrDie()) {
        EXPECT_TRUE(batch->ValidateFull().ok());
        const auto origins = batch->GetColumnByName(kOriginColumn);
        EXPECT_NE(origins, nullptr);
        for (int64_t i = 0; i < batch->num_rows(); ++i) {
          const std::string origin = static_cast<const arrow::LargeBinaryArray&>(*origins).GetString(i);
          const bool added = rows.emplace(origin, batch->column(0)->GetScalar(i).ValueOrDie()->ToString()).second;
          EXPECT_TRUE(added) << "an origin came twice";
        }
      }
    }
    return rows;
  }

  fs::path root_;
};

TEST_F(OriginSourceTest, AFileIsItsOwnOriginWhateverTheSplits) {
  for (int i = 0; i < 40; ++i) Make("in/" + std::to_string(100 + i) + ".bin", "x");
  const auto ramped = Rows(*OpenFolder("files", "in"));
  const auto whole = Rows(*Open("files", {{"path", OptionValue::List{(root_ / "in").string()}},
                                          {"files_per_split", OptionValue(int64_t{1000})}}));
  EXPECT_EQ(ramped.size(), 40u);
  EXPECT_EQ(ramped, whole);
  Make("in/000.bin", "x");  // all others move by one
  auto more = Rows(*OpenFolder("files", "in"));
  EXPECT_EQ(more.size(), 41u);
  for (const auto& [origin, row] : ramped) EXPECT_EQ(more.at(origin), row);
}

TEST_F(OriginSourceTest, ParquetRowsKeepTheirsWhenOtherGroupsAreRuledOut) {
  MakeParquet("a.parquet", 1000, 100);
  const auto source = OpenFolder("parquet", "a.parquet");
  const auto all = Rows(*source);
  EXPECT_EQ(all.size(), 1000u);
  ScanRequest request;
  request.bounds.push_back({"x", "greater_equal", arrow::MakeScalar(int64_t{650})});
  request.batch_rows = 7;
  const auto some = Rows(*source, request);
  EXPECT_EQ(some.size(), 400u);
  for (const auto& [origin, row] : some) EXPECT_EQ(all.at(origin), row);
  const auto rest = Rows(*source, {}, 123);  // as a restored subtask reads it
  EXPECT_EQ(rest.size(), 877u);
  for (const auto& [origin, row] : rest) EXPECT_EQ(all.at(origin), row);
}

TEST_F(OriginSourceTest, TextTablesCountTheRowsOfAFile) {
  Make("t/b.csv", "x\n1\n1\n1\n");
  const auto before = Rows(*OpenFolder("csv", "t"));
  EXPECT_EQ(before.size(), 3u);
  Make("t/a.csv", "x\n1\n");
  const auto after = Rows(*OpenFolder("csv", "t"));
  EXPECT_EQ(after.size(), 4u);
  for (const auto& [origin, row] : before) EXPECT_EQ(after.count(origin), 1u);
}

TEST_F(OriginSourceTest, NumberedSourcesCountThroughTheirSplits) {
  const auto range = Open("range", {{"end", OptionValue(int64_t{10})}});
  EXPECT_EQ(Rows(*range).size(), 10u);
  EXPECT_EQ(Rows(*range, {}, 4).size(), 6u);
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("s", arrow::utf8())}),
      {std::make_shared<arrow::ChunkedArray>(
          arrow::MakeArrayFromScalar(arrow::StringScalar(std::string(1000, 'x')), 100'000).ValueOrDie())});
  const auto memory = Open("memory", {{"table", OptionValue("t")}}, 0, {{"t", table}});
  ScanRequest request;
  request.batch_rows = 999;
  EXPECT_EQ(Rows(*memory, request).size(), 100'000u) << "several splits";
}

TEST_F(OriginSourceTest, ReadingsOfOneSourceAreToldApart) {
  Make("in/a.bin", "x");
  const auto first = Rows(*OpenFolder("files", "in", 0));
  const auto second = Rows(*OpenFolder("files", "in", 1));
  EXPECT_NE(first.begin()->first, second.begin()->first);
  EXPECT_EQ(first.begin()->second, second.begin()->second);
}

TEST_F(OriginSourceTest, ScansThatDoNotWantItDoNotGetIt) {
  const auto range = Open("range", {{"end", OptionValue(int64_t{3})}});
  ScanRequest request;
  request.all_columns = false;
  request.columns = {"id"};
  auto splits = range->Enumerate(request, "").ValueOrDie();
  const auto batch = range->Open(*splits->Next().ValueOrDie(), request).ValueOrDie()->Next().ValueOrDie();
  EXPECT_EQ(batch->schema()->field_names(), std::vector<std::string>{"id"});
  request.columns = {kOriginColumn, "id"};
  const auto both = range->Open(Split{0, R"({"first":0,"rows":3})"}, request).ValueOrDie()->Next().ValueOrDie();
  EXPECT_EQ(both->schema()->field_names(), (std::vector<std::string>{kOriginColumn, "id"}));
}

TEST_F(OriginSourceTest, RefusesTheNameInTheData) {
  const auto table = arrow::Table::MakeEmpty(arrow::schema({arrow::field(kOriginColumn, arrow::int64())})).ValueOrDie();
  const auto memory = MakeSource("memory", {{"table", OptionValue("t")}}, {{"t", table}}).ValueOrDie();
  EXPECT_THAT(MakeOriginSource(memory, 0).status().message(), HasSubstr(kOriginColumn));
}

}  // namespace
}  // namespace mainstem
