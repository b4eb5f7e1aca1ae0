#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <filesystem>
#include <fstream>

#include "mainstem/connectors/catalog.h"
#include "mainstem/data/logical_type.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ParquetSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-parquet-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(root_); }

  static std::shared_ptr<arrow::Array> Ints(int64_t begin, int64_t end) {
    arrow::Int64Builder builder;
    for (int64_t i = begin; i < end; ++i) EXPECT_TRUE(builder.Append(i).ok());
    return builder.Finish().ValueOrDie();
  }
  static std::shared_ptr<arrow::Array> Texts(const std::vector<std::string>& values) {
    arrow::StringBuilder builder;
    EXPECT_TRUE(builder.AppendValues(values).ok());
    return builder.Finish().ValueOrDie();
  }

  std::string Put(const std::string& name, const std::shared_ptr<arrow::Table>& table, int64_t group_rows = 1 << 20) {
    const std::string path = (root_ / name).string();
    auto file = arrow::io::FileOutputStream::Open(path).ValueOrDie();
    EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, group_rows,
                                           parquet::default_writer_properties(),
                                           parquet::ArrowWriterProperties::Builder().store_schema()->build())
                    .ok());
    EXPECT_TRUE(file->Close().ok());
    return path;
  }

  static std::shared_ptr<arrow::Table> Numbers(int64_t begin, int64_t end) {
    return arrow::Table::Make(arrow::schema({arrow::field("id", arrow::int64())}), {Ints(begin, end)});
  }

  static Result<std::shared_ptr<arrow::Table>> Read(const ConnectorOptions& options, const ScanRequest& request = {},
                                                    int64_t* splits = nullptr) {
    ARROW_ASSIGN_OR_RAISE(const auto source, MakeSource("parquet", options, {}));
    ARROW_ASSIGN_OR_RAISE(const auto enumerator, source->Enumerate(request, ""));
    std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
    for (;;) {
      ARROW_ASSIGN_OR_RAISE(const auto split, enumerator->Next());
      if (!split) break;
      if (splits) ++*splits;
      ARROW_ASSIGN_OR_RAISE(const auto reader, source->Open(*split, request));
      for (;;) {
        ARROW_ASSIGN_OR_RAISE(const auto batch, reader->Next());
        if (!batch) break;
        ARROW_RETURN_NOT_OK(batch->ValidateFull());
        batches.push_back(batch);
      }
    }
    if (batches.empty()) return arrow::Table::MakeEmpty(source->schema());
    ARROW_ASSIGN_OR_RAISE(auto table, arrow::Table::FromRecordBatches(batches));
    return table->CombineChunks();
  }

  fs::path root_;
};

TEST_F(ParquetSourceTest, AllRowsOfAllFilesInOrder) {
  Put("a.parquet", Numbers(0, 1000), 100);
  Put("b.parquet", Numbers(1000, 1500));
  Put("_metadata", Numbers(9, 10));
  const auto table = Read({{"path", root_.string()}}).ValueOrDie();
  EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Ints(0, 1500)));
  const auto source = MakeSource("parquet", {{"path", root_.string()}}, {}).ValueOrDie();
  EXPECT_EQ(source->RowCount(), 1500);
  EXPECT_THAT(source->Describe(), HasSubstr("(2 files)"));
}

TEST_F(ParquetSourceTest, ProjectionKeepsTheWantedOrderAndNoColumnsStillHaveRows) {
  const auto schema = arrow::schema({arrow::field("a", arrow::int64()), arrow::field("b", arrow::int64()),
                                     arrow::field("s", arrow::struct_({arrow::field("x", arrow::int64())}))});
  auto s = arrow::StructArray::Make({Ints(20, 23)}, std::vector<std::string>{"x"}).ValueOrDie();
  const auto path = Put("t.parquet", arrow::Table::Make(schema, {Ints(0, 3), Ints(10, 13), s}));
  ScanRequest request;
  request.all_columns = false;
  request.columns = {"s", "a"};
  const auto table = Read({{"path", path}}, request).ValueOrDie();
  EXPECT_THAT(table->schema()->field_names(), ElementsAre("s", "a"));
  EXPECT_TRUE(table->column(1)->chunk(0)->Equals(Ints(0, 3)));
  request.columns = {};
  EXPECT_EQ(Read({{"path", path}}, request).ValueOrDie()->num_rows(), 3);
  request.columns = {"aa"};
  EXPECT_THAT(Read({{"path", path}}, request).status().message(), HasSubstr("no column 'aa'"));
}

TEST_F(ParquetSourceTest, BoundsLeaveOutRowGroups) {
  const auto path = Put("t.parquet", Numbers(0, 1000), 100);
  ScanRequest request;
  request.bounds = {{"id", "greater_equal", arrow::MakeScalar(int64_t{250})},
                    {"id", "less", arrow::MakeScalar(int32_t{400})}};
  EXPECT_TRUE(Read({{"path", path}}, request).ValueOrDie()->column(0)->chunk(0)->Equals(Ints(200, 400)));
  request.bounds = {{"id", "equal", arrow::MakeScalar(int64_t{999})}};
  EXPECT_EQ(Read({{"path", path}}, request).ValueOrDie()->num_rows(), 100);
  request.bounds = {{"id", "greater", arrow::MakeScalar(int64_t{999})}};
  EXPECT_EQ(Read({{"path", path}}, request).ValueOrDie()->num_rows(), 0);
  request.bounds = {{"id", "less_equal", arrow::MakeScalar(0.0)}};
  EXPECT_EQ(Read({{"path", path}}, request).ValueOrDie()->num_rows(), 100);
  request.bounds = {{"id", "equal", arrow::MakeScalar("text")}, {"other", "equal", arrow::MakeScalar(1)}};
  EXPECT_EQ(Read({{"path", path}}, request).ValueOrDie()->num_rows(), 1000);
}

TEST_F(ParquetSourceTest, LimitStopsTheListing) {
  for (int i = 0; i < 5; ++i) Put("f" + std::to_string(i), Numbers(0, 100));
  ScanRequest request;
  request.limit = 150;
  int64_t splits = 0;
  EXPECT_EQ(Read({{"path", root_.string()}}, request, &splits).ValueOrDie()->num_rows(), 200);
  EXPECT_EQ(splits, 2);
}

TEST_F(ParquetSourceTest, BatchesOfWideRowsAreSmall) {
  arrow::LargeBinaryBuilder builder;
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(builder.Append(std::string(1 << 20, static_cast<char>(i))).ok());
  const auto path = Put("wide.parquet", arrow::Table::Make(arrow::schema({arrow::field("b", arrow::large_binary())}),
                                                           {builder.Finish().ValueOrDie()}));
  const auto source = MakeSource("parquet", {{"path", path}}, {}).ValueOrDie();
  const auto split = source->Enumerate({}, "").ValueOrDie()->Next().ValueOrDie();
  const auto batch = source->Open(*split, {}).ValueOrDie()->Next().ValueOrDie();
  EXPECT_LE(batch->num_rows(), 16);
}

TEST_F(ParquetSourceTest, OtherFilesMustHaveTheColumnsOfTheFirst) {
  Put("a.parquet", Numbers(0, 3));
  const auto other = arrow::Table::Make(arrow::schema({arrow::field("x", arrow::int64())}), {Ints(0, 3)});
  Put("b.parquet", other);
  const Status status = Read({{"path", root_.string()}}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
  EXPECT_THAT(status.message(), HasSubstr("b.parquet"));
  EXPECT_THAT(status.message(), HasSubstr("'id'"));
}

TEST_F(ParquetSourceTest, TypesThatCanBeCastAreAndOthersAreErrors) {
  Put("a.parquet", Numbers(0, 3));
  arrow::Int32Builder ints;
  ASSERT_TRUE(ints.AppendValues({3, 4}).ok());
  Put("b.parquet", arrow::Table::Make(arrow::schema({arrow::field("id", arrow::int32())}),
                                      {ints.Finish().ValueOrDie()}));
  EXPECT_TRUE(Read({{"path", root_.string()}}).ValueOrDie()->column(0)->chunk(0)->Equals(Ints(0, 5)));
  Put("c.parquet", arrow::Table::Make(arrow::schema({arrow::field("id", arrow::utf8())}), {Texts({"x"})}));
  const Status status = Read({{"path", root_.string()}}).status();
  EXPECT_THAT(status.message(), HasSubstr("c.parquet"));
  EXPECT_THAT(status.message(), HasSubstr("'id'"));
}

TEST_F(ParquetSourceTest, ForeignFormsAreNormalised) {
  auto large = Texts({"a", "b"})->View(arrow::binary()).ValueOrDie();
  const auto schema = arrow::schema({arrow::field("b", arrow::binary()), LogicalType::File().ToField("f")});
  auto files = arrow::MakeArrayOfNull(schema->field(1)->type(), 2).ValueOrDie();
  const auto path = Put("t.parquet", arrow::Table::Make(schema, {large, files}));
  const auto table = Read({{"path", path}}).ValueOrDie();
  EXPECT_EQ(table->schema()->field(0)->type()->id(), arrow::Type::LARGE_BINARY);
  EXPECT_EQ(LogicalType::FromField(*table->schema()->field(1)).ValueOrDie().kind(), TypeKind::kFile);
}

TEST_F(ParquetSourceTest, DamagedFilesAreErrorsThatNameThem) {
  const auto good = Put("good.parquet", Numbers(0, 10'000), 1000);
  std::ifstream file(good, std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), {});
  const std::string bad = (root_ / "bad.parquet").string();
  for (const size_t size : {size_t{0}, size_t{3}, size_t{12}, content.size() / 2, content.size() - 1}) {
    std::ofstream(bad, std::ios::binary) << content.substr(0, size);
    const Status status = Read({{"path", bad}}).status();
    EXPECT_EQ(ClassOf(status), ErrorClass::kJob) << size;
    EXPECT_THAT(status.message(), HasSubstr("bad.parquet")) << size;
  }
  // One bit at a time: whatever happens is a result or an error, never a crash.
  for (size_t at = 0; at < content.size(); at += 97) {
    std::string flipped = content;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    std::ofstream(bad, std::ios::binary) << flipped;
    const auto table = Read({{"path", bad}});
    if (!table.ok()) {
      EXPECT_THAT(table.status().message(), HasSubstr("bad.parquet"));
    }
  }
}

TEST_F(ParquetSourceTest, FileThatChangesWhileItIsReadIsAnError) {
  const auto path = Put("t.parquet", Numbers(0, 10));
  const auto source = MakeSource("parquet", {{"path", path}}, {}).ValueOrDie();
  const auto split = source->Enumerate({}, "").ValueOrDie()->Next().ValueOrDie();
  Put("t.parquet", Numbers(0, 1000));
  EXPECT_THAT(source->Open(*split, {}).status().message(), HasSubstr("has changed"));
}

TEST(Memory, SlicesOfATableAreItsRows) {
  arrow::Int64Builder builder;
  for (int64_t i = 0; i < 300'000; ++i) ASSERT_TRUE(builder.Append(i).ok());
  auto numbers = builder.Finish().ValueOrDie();
  arrow::DictionaryBuilder<arrow::StringType> words;
  for (int64_t i = 0; i < 300'000; ++i) ASSERT_TRUE(words.Append(i % 2 ? "odd" : "even").ok());
  auto dictionary = words.Finish().ValueOrDie();
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("id", arrow::int64()), arrow::field("word", dictionary->type())}),
      {std::make_shared<arrow::ChunkedArray>(arrow::ArrayVector{numbers->Slice(0, 100'001), numbers->Slice(100'001)}),
       std::make_shared<arrow::ChunkedArray>(dictionary)});
  const auto source = MakeSource("memory", {{"table", "t"}}, {{"t", table}}).ValueOrDie();
  EXPECT_EQ(source->schema()->field(1)->type()->id(), arrow::Type::STRING);
  EXPECT_EQ(source->RowCount(), 300'000);
  const auto enumerator = source->Enumerate({}, "").ValueOrDie();
  int64_t next = 0, splits = 0;
  while (const auto split = enumerator->Next().ValueOrDie()) {
    ++splits;
    const auto reader = source->Open(*split, {}).ValueOrDie();
    while (const auto batch = reader->Next().ValueOrDie()) {
      ASSERT_TRUE(batch->ValidateFull().ok());
      for (int64_t i = 0; i < batch->num_rows(); ++i, ++next) {
        ASSERT_EQ(static_cast<const arrow::Int64Array&>(*batch->column(0)).Value(i), next);
        ASSERT_EQ(static_cast<const arrow::StringArray&>(*batch->column(1)).GetView(i), next % 2 ? "odd" : "even");
      }
    }
  }
  EXPECT_EQ(next, 300'000);
  EXPECT_GT(splits, 1);
  EXPECT_THAT(MakeSource("memory", {{"table", "tt"}}, {{"t", table}}).status().message(), HasSubstr("'t'"));
}

TEST(Range, CountsAsPythonDoes) {
  const auto read = [](ConnectorOptions options) {
    const auto source = MakeSource("range", options, {}).ValueOrDie();
    std::vector<int64_t> ids;
    const auto enumerator = source->Enumerate({}, "").ValueOrDie();
    while (const auto split = enumerator->Next().ValueOrDie()) {
      const auto reader = source->Open(*split, {}).ValueOrDie();
      while (const auto batch = reader->Next().ValueOrDie()) {
        const auto& column = static_cast<const arrow::Int64Array&>(*batch->column(0));
        for (int64_t i = 0; i < column.length(); ++i) ids.push_back(column.Value(i));
      }
    }
    EXPECT_EQ(source->RowCount(), static_cast<int64_t>(ids.size()));
    return ids;
  };
  EXPECT_THAT(read({{"end", 3}}), ElementsAre(0, 1, 2));
  EXPECT_THAT(read({{"start", 1}, {"end", 10}, {"step", 4}}), ElementsAre(1, 5, 9));
  EXPECT_THAT(read({{"start", 3}, {"end", 0}, {"step", -2}}), ElementsAre(3, 1));
  EXPECT_THAT(read({{"start", 3}, {"end", 3}}), ElementsAre());
  EXPECT_THAT(read({{"start", 0}, {"end", 3}, {"step", -1}}), ElementsAre());
  EXPECT_THAT(read({{"start", INT64_MIN}, {"end", INT64_MAX}, {"step", INT64_MAX}}),
              ElementsAre(INT64_MIN, int64_t{-1}, INT64_MAX - 1));
  EXPECT_EQ(read({{"end", 1'500'000}}).size(), 1'500'000u);
  EXPECT_FALSE(MakeSource("range", {{"end", 3}, {"step", 0}}, {}).ok());
}

}  // namespace
}  // namespace mainstem
