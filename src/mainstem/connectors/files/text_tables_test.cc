#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mainstem/connectors/catalog.h"
#include "mainstem/connectors/files/files_sink.h"
#include "mainstem/data/logical_type.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class Tables : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-tables-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::string Put(const std::string& name, const std::string& content) {
    std::ofstream(root_ / name, std::ios::binary) << content;
    return (root_ / name).string();
  }

  std::string Get(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(file)), {});
  }

  static Result<std::shared_ptr<arrow::Table>> Read(const std::string& connector, const ConnectorOptions& options,
                                                    const ScanRequest& request = {}, int64_t* splits = nullptr) {
    ARROW_ASSIGN_OR_RAISE(const auto source, MakeSource(connector, options, {}));
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

  static std::shared_ptr<arrow::Array> Ints(const std::vector<int64_t>& values) {
    arrow::Int64Builder builder;
    EXPECT_TRUE(builder.AppendValues(values).ok());
    return builder.Finish().ValueOrDie();
  }
  static std::shared_ptr<arrow::Array> Texts(const std::vector<std::string>& values) {
    arrow::StringBuilder builder;
    EXPECT_TRUE(builder.AppendValues(values).ok());
    return builder.Finish().ValueOrDie();
  }

  std::vector<std::string> Below(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) names.push_back(entry.path().lexically_relative(folder).string());
    }
    return names;
  }

  static void Write(Sink& sink, const std::shared_ptr<arrow::RecordBatch>& rows, const std::string& job = "a1") {
    ASSERT_TRUE(sink.Begin({.id = job}).ok());
    auto writer = sink.OpenWriter(0, job + ".1").ValueOrDie();
    const Status status = writer->Write(rows);
    ASSERT_TRUE(status.ok()) << status.message();
    const Status committed = sink.Commit(writer->Prepare().ValueOrDie());
    ASSERT_TRUE(committed.ok()) << committed.message();
    ASSERT_TRUE(sink.Finish(job).ok());
  }

  fs::path root_;
};

TEST_F(Tables, JsonLinesAreReadWithInferredTypes) {
  const auto path = Put("a.jsonl", "{\"id\": 1, \"name\": \"x\", \"tags\": [\"a\"]}\n{\"id\": 2, \"name\": null}\n");
  const auto table = Read("json", {{"path", path}}).ValueOrDie();
  EXPECT_EQ(table->schema()->ToString(), "id: int64\nname: string\ntags: list<item: string>");
  EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Ints({1, 2})));
}

TEST_F(Tables, JsonTakesAGivenSchemaAndPassesOverOtherFields) {
  const auto path = Put("a.jsonl", "{\"id\": 1, \"extra\": [1]}\n{\"id\": 2}\n");
  const auto table = Read("json", {{"path", path}, {"schema", R"({"id": "float64", "more": "string"})"}}).ValueOrDie();
  EXPECT_EQ(table->schema()->ToString(), "id: double\nmore: string");
  EXPECT_EQ(table->column(1)->null_count(), 2);
}

TEST_F(Tables, JsonProjectionKeepsTheWantedOrder) {
  const auto path = Put("a.jsonl", "{\"a\": 1, \"b\": 2, \"c\": 3}\n");
  ScanRequest request;
  request.all_columns = false;
  request.columns = {"c", "a"};
  const auto table = Read("json", {{"path", path}}, request).ValueOrDie();
  EXPECT_THAT(table->schema()->field_names(), ElementsAre("c", "a"));
  EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Ints({3})));
}

TEST_F(Tables, LongJsonFilesAreCutBetweenLines) {
  std::string content;
  std::vector<int64_t> expected;
  const std::string filler(1000, 'x');
  for (int64_t i = 0; content.size() < (size_t{140} << 20); ++i) {
    content += "{\"id\": " + std::to_string(i) + ", \"filler\": \"" + filler + "\"}\n";
    expected.push_back(i);
  }
  const auto path = Put("long.jsonl", content);
  ScanRequest request;
  request.all_columns = false;
  request.columns = {"id"};
  int64_t splits = 0;
  const auto table = Read("json", {{"path", path}}, request, &splits).ValueOrDie();
  EXPECT_EQ(splits, 2);
  EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Ints(expected)));
}

TEST_F(Tables, BrokenTextNamesTheFile) {
  const auto broken = Put("broken.jsonl", "{\"id\": 1}\n{\"id\": \n");
  EXPECT_THAT(Read("json", {{"path", broken}}).status().message(), HasSubstr("broken.jsonl"));
  const auto late = Put("late.jsonl", "{\"id\": 1}\n" + std::string(2000, ' ') + "{\"id\": 2, \"new\": 1}\n");
  const Status status = Read("json", {{"path", late}, {"block_bytes", 1024}}).status();
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
  EXPECT_THAT(status.message(), HasSubstr("late.jsonl"));
  const auto gzip = Put("bad.csv.gz", "this is not gzip");
  EXPECT_THAT(Read("csv", {{"path", gzip}}).status().message(), HasSubstr("bad.csv.gz"));
  const auto csv = Put("bad.csv", "a,b\n1,2\n3\n");
  EXPECT_THAT(Read("csv", {{"path", csv}}).status().message(), HasSubstr("bad.csv"));
  const auto empty = Put("empty.csv", "");
  EXPECT_THAT(Read("csv", {{"path", empty}}).status().message(), HasSubstr("empty"));
}

TEST_F(Tables, CsvIsReadWithHeaderQuotesAndLineBreaks) {
  const auto path = Put("a.csv", "id,text\n1,\"a,b\"\n2,\"two\nlines\"\n");
  const auto table = Read("csv", {{"path", path}}).ValueOrDie();
  EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Ints({1, 2})));
  EXPECT_TRUE(table->column(1)->chunk(0)->Equals(Texts({"a,b", "two\nlines"})));
}

TEST_F(Tables, CsvOptions) {
  const auto path = Put("a.csv", "# title\n1;x\n2;y\n");
  const ConnectorOptions options = {{"path", path}, {"delimiter", ";"}, {"header", false}, {"skip_rows", 1}};
  EXPECT_THAT(Read("csv", options).ValueOrDie()->schema()->field_names(), ElementsAre("f0", "f1"));
  auto given = options;
  given["schema"] = R"([{"name": "n", "type": "string"}, {"name": "t", "type": "string"}])";
  ScanRequest request;
  request.all_columns = false;
  request.columns = {"t", "n"};
  const auto table = Read("csv", given, request).ValueOrDie();
  EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Texts({"x", "y"})));
  EXPECT_TRUE(table->column(1)->chunk(0)->Equals(Texts({"1", "2"})));
  EXPECT_THAT(Read("csv", {{"path", path}, {"delimiter", ";;"}}).status().message(), HasSubstr("one character"));
}

TEST_F(Tables, JsonSinkWritesEveryKindOfValue) {
  const auto schema = arrow::schema(
      {arrow::field("i", arrow::int64()), arrow::field("f", arrow::float64()), arrow::field("s", arrow::utf8()),
       arrow::field("b", arrow::large_binary()), arrow::field("t", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
       arrow::field("d", arrow::date32()), arrow::field("l", arrow::list(arrow::int64()))});
  arrow::Int64Builder i;
  arrow::DoubleBuilder f;
  arrow::StringBuilder s;
  arrow::LargeBinaryBuilder b;
  arrow::TimestampBuilder t(schema->field(4)->type(), arrow::default_memory_pool());
  arrow::Date32Builder d;
  auto items = std::make_shared<arrow::Int64Builder>();
  arrow::ListBuilder l(arrow::default_memory_pool(), items);
  ASSERT_TRUE(i.AppendValues({7, -1}).ok() && f.Append(2).ok() && f.Append(std::nan("")).ok());
  ASSERT_TRUE(s.Append("q\"\\\n\x01é").ok() && s.Append("\xff").ok());
  ASSERT_TRUE(b.Append("Man").ok() && b.AppendNull().ok());
  // 2009-02-13T23:31:30 is 1,234,567,890 seconds after the epoch; the second is half a second before it.
  ASSERT_TRUE(t.Append(1'234'567'890'000'001).ok() && t.Append(-500'000).ok());
  ASSERT_TRUE(d.Append(0).ok() && d.Append(-1).ok());
  ASSERT_TRUE(l.Append().ok() && items->AppendValues({1, 2}).ok() && l.AppendNull().ok());
  const auto rows = arrow::RecordBatch::Make(
      schema, 2,
      {i.Finish().ValueOrDie(), f.Finish().ValueOrDie(), s.Finish().ValueOrDie(), b.Finish().ValueOrDie(),
       t.Finish().ValueOrDie(), d.Finish().ValueOrDie(), l.Finish().ValueOrDie()});
  Write(*MakeSink("json", {{"path", (root_ / "out").string()}}, schema).ValueOrDie(), rows);
  const auto names = Below(root_ / "out");
  ASSERT_EQ(names.size(), 1u);
  EXPECT_EQ(Get(root_ / "out" / names[0]),
            "{\"i\":7,\"f\":2.0,\"s\":\"q\\\"\\\\\\n\\u0001é\",\"b\":\"TWFu\",\"t\":\"2009-02-13T23:31:30.000001Z\","
            "\"d\":\"1970-01-01\",\"l\":[1,2]}\n"
            "{\"i\":-1,\"f\":null,\"s\":\"\xEF\xBF\xBD\",\"b\":null,\"t\":\"1969-12-31T23:59:59.500000Z\","
            "\"d\":\"1969-12-31\",\"l\":null}\n");
}

TEST_F(Tables, CompressedTextIsReadBack) {
  const auto schema = arrow::schema({arrow::field("id", arrow::int64()), arrow::field("name", arrow::utf8())});
  const auto rows = arrow::RecordBatch::Make(schema, 2, {Ints({1, 2}), Texts({"a", "b,\"c"})});
  for (const char* connector : {"json", "csv"}) {
    for (const char* compression : {"none", "gzip", "zstd"}) {
      const std::string out = (root_ / connector / compression).string();
      Write(*MakeSink(connector, {{"path", out}, {"compression", compression}}, schema).ValueOrDie(), rows);
      const auto table = Read(connector, {{"path", out}}).ValueOrDie();
      EXPECT_TRUE(table->column(0)->chunk(0)->Equals(Ints({1, 2}))) << connector << compression;
      EXPECT_TRUE(table->column(1)->chunk(0)->Equals(Texts({"a", "b,\"c"}))) << connector << compression;
    }
  }
}

TEST_F(Tables, TypesWithoutAFormInCsvAreRefusedByName) {
  const auto schema = arrow::schema({arrow::field("tags", arrow::list(arrow::utf8()))});
  EXPECT_THAT(MakeSink("csv", {{"path", root_.string()}}, schema).status().message(), HasSubstr("'tags'"));
}

class FilesSinkTest : public Tables {
 protected:
  std::shared_ptr<arrow::RecordBatch> Rows(const std::vector<std::string>& names,
                                           const std::vector<std::string>& contents) {
    arrow::LargeBinaryBuilder builder;
    for (const auto& content : contents) EXPECT_TRUE(builder.Append(content).ok());
    return arrow::RecordBatch::Make(schema_, static_cast<int64_t>(names.size()),
                                    {Texts(names), builder.Finish().ValueOrDie()});
  }
  std::shared_ptr<Sink> Make(const std::string& mode = "append") {
    return MakeSink("files", {{"path", (root_ / "out").string()}, {"mode", mode}}, schema_).ValueOrDie();
  }
  const std::shared_ptr<arrow::Schema> schema_ =
      arrow::schema({arrow::field("name", arrow::utf8()), arrow::field("content", arrow::large_binary())});
};

TEST_F(FilesSinkTest, RowsBecomeFiles) {
  Write(*Make(), Rows({"a.txt", "sub/b.txt"}, {"one", ""}));
  EXPECT_THAT(Below(root_ / "out"), UnorderedElementsAre("a.txt", "sub/b.txt"));
  EXPECT_EQ(Get(root_ / "out" / "a.txt"), "one");
  EXPECT_FALSE(fs::exists(root_ / "out" / ".mainstem-staging"));
}

TEST_F(FilesSinkTest, ManyFilesAreCommittedTogether) {
  std::vector<std::string> names, contents;
  for (int i = 0; i < 100; ++i) {
    names.push_back("f" + std::to_string(i));
    contents.push_back(std::to_string(i * i));
  }
  Write(*Make(), Rows(names, contents));
  EXPECT_EQ(Below(root_ / "out").size(), 100u);
  EXPECT_EQ(Get(root_ / "out" / "f9"), "81");
}

TEST_F(FilesSinkTest, NamesThatLeadElsewhereAreRefused) {
  for (const char* name : {"", "/etc/passwd", "../x", "a/../../x", "a//b", ".hidden", "a/.b", "a/", "x\ny", "a\\b"}) {
    EXPECT_FALSE(CheckFileName(name).ok()) << name;
  }
  EXPECT_FALSE(CheckFileName(std::string(300, 'x')).ok());
  EXPECT_FALSE(CheckFileName(std::string("a\0b", 3)).ok());
  EXPECT_TRUE(CheckFileName("a/b..c/é.jpg").ok());
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
  EXPECT_THAT(writer->Write(Rows({"../x"}, {"1"})).message(), HasSubstr("leads out"));
}

TEST_F(FilesSinkTest, TwoRowsOfOneNameAreAnError) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
  EXPECT_THAT(writer->Write(Rows({"x", "x"}, {"1", "2"})).message(), HasSubstr("two rows"));
  // The same from two subtasks, seen by the commit.
  auto first = sink->OpenWriter(1, "a1.1").ValueOrDie();
  auto second = sink->OpenWriter(2, "a1.1").ValueOrDie();
  ASSERT_TRUE(first->Write(Rows({"y"}, {"1"})).ok());
  ASSERT_TRUE(second->Write(Rows({"y"}, {"2"})).ok());
  auto all = first->Prepare().ValueOrDie();
  for (auto& one : second->Prepare().ValueOrDie()) all.push_back(one);
  EXPECT_THAT(sink->Commit(all).message(), HasSubstr("two rows"));
}

TEST_F(FilesSinkTest, ExistingNamesAreKeptUnlessOverwritten) {
  Write(*Make(), Rows({"x", "y"}, {"old", "old"}));
  auto sink = Make();
  auto writer = sink->OpenWriter(0, "a2.1").ValueOrDie();
  EXPECT_THAT(writer->Write(Rows({"x"}, {"new"})).message(), HasSubstr("already"));
  ASSERT_TRUE(sink->Abort("a2").ok());
  Write(*Make("overwrite"), Rows({"x"}, {"newer"}), "a3");
  EXPECT_THAT(Below(root_ / "out"), ElementsAre("x"));
  EXPECT_EQ(Get(root_ / "out" / "x"), "newer");
}

TEST_F(FilesSinkTest, ColumnsAreCheckedBeforehand) {
  const auto schema = arrow::schema({arrow::field("nam", arrow::utf8()), LogicalType::Image().ToField("content")});
  EXPECT_THAT(MakeSink("files", {{"path", "x"}}, schema).status().message(), HasSubstr("'nam'"));
  EXPECT_THAT(MakeSink("files", {{"path", "x"}, {"name_column", "nam"}}, schema).status().message(),
              HasSubstr("encode it"));
}

}  // namespace
}  // namespace mainstem
