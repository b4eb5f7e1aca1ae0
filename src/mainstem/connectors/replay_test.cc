// Every source, cut off at each split and at each row, goes on where it was.
#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include <filesystem>
#include <fstream>

#include "mainstem/connectors/catalog.h"
#include "mainstem/connectors/source_harness.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using testing::ExpectHostilePositionsRefused;
using testing::ExpectResumable;
using testing::ExpectSkippable;
using testing::Rest;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Replay : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-replay-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Make(const std::string& path, const std::string& content = "x") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }

  std::shared_ptr<Source> Open(const std::string& connector, ConnectorOptions options = {},
                               std::optional<std::string> path = "") {
    if (path) options["path"] = OptionValue::List{(root_ / *path).string()};
    return MakeSource(connector, options, {}).ValueOrDie();
  }

  static std::string MiddleOf(const Source& source) {
    auto splits = source.Enumerate({}, "").ValueOrDie();
    (void)splits->Next().ValueOrDie();
    return splits->Position();
  }

  fs::path root_;
};

std::shared_ptr<arrow::Array> Ints(int64_t begin, int64_t end) {
  arrow::Int64Builder builder;
  for (int64_t i = begin; i < end; ++i) EXPECT_TRUE(builder.Append(i).ok());
  return builder.Finish().ValueOrDie();
}

// The first column has the whole numbers from `begin`.
void ExpectNumbers(const arrow::Table& table, int64_t begin, int64_t end) {
  ASSERT_EQ(table.num_rows(), end - begin);
  const auto flat = table.CombineChunks().ValueOrDie();
  if (begin == end) return;
  EXPECT_TRUE(flat->column(0)->chunk(0)->Equals(*Ints(begin, end)));
}

TEST_F(Replay, RangeGoesOnAtEachSplitAndRow) {
  const auto source = Open("range", {{"start", 5}, {"end", 5 + 3'000'000}}, std::nullopt);
  const auto splits = ExpectResumable(*source, {});
  ASSERT_THAT(splits, SizeIs(3));
  const auto last = ExpectSkippable(*source, splits[2], {.batch_rows = 200'000}, 99'991);
  ExpectNumbers(*last, 5 + 2 * 1048576, 5 + 3'000'000);
  EXPECT_THAT(ExpectResumable(*source, {.limit = 1'500'000}), SizeIs(2));
  ExpectHostilePositionsRefused(*source, {}, MiddleOf(*source));
  EXPECT_FALSE(source->Enumerate({}, "{\"next\":17}").ok());
}

TEST_F(Replay, MemoryGoesOnAtEachSplitAndRow) {
  const auto schema = arrow::schema({arrow::field("n", arrow::int64())});
  // Chunks that no border of a split or batch agrees with.
  arrow::ArrayVector chunks;
  for (int64_t begin = 0; begin < 300'000; begin += 70'001) {
    chunks.push_back(Ints(begin, std::min<int64_t>(begin + 70'001, 300'000)));
  }
  const auto table = arrow::Table::Make(schema, {std::make_shared<arrow::ChunkedArray>(chunks)});
  const auto source = MakeSource("memory", {{"table", "t"}}, {{"t", table}}).ValueOrDie();
  const auto splits = ExpectResumable(*source, {});
  ASSERT_THAT(splits, SizeIs(3));  // of 128 Ki rows
  int64_t begin = 0;
  for (const Split& split : splits) {
    const auto rows = ExpectSkippable(*source, split, {.batch_rows = 10'000}, 7'919);
    ExpectNumbers(*rows, begin, begin + rows->num_rows());
    begin += rows->num_rows();
  }
  EXPECT_EQ(begin, 300'000);
  const std::string middle = MiddleOf(*source);
  ExpectHostilePositionsRefused(*source, {}, middle);

  const auto shorter = MakeSource("memory", {{"table", "t"}}, {{"t", table->Slice(1)}}).ValueOrDie();
  EXPECT_THAT(shorter->Enumerate({}, middle).status().message(), HasSubstr("not the one of the first run"));
}

TEST_F(Replay, FilesGoOnInEachFolder) {
  // In the order of the walk "a.b" stands behind all of "a", unlike in the order of the whole texts.
  for (const char* path : {"a/1", "a/2", "a/b/c/deep", "a/z", "a.b", "b", "b0/x", "c d/%41", "ä/ö", "z/1", "z/2"}) {
    Make(path);
  }
  Make(std::string("z/\xff\xfe"));
  for (const int64_t files : {1, 2, 5, 100}) {
    const auto source = Open("files", {{"files_per_split", files}});
    ExpectResumable(*source, {});
    ExpectResumable(*source, {.limit = 7});
    ExpectResumable(*source, {.limit = 0});
  }
  const auto source = Open("files", {{"files_per_split", 5}});
  const auto splits = ExpectResumable(*source, {});
  ASSERT_THAT(splits, SizeIs(3));
  ExpectSkippable(*source, splits[0], {.batch_rows = 2});
  ExpectHostilePositionsRefused(*source, {}, MiddleOf(*source));
}

TEST_F(Replay, FilesGoOnInEachPathAndPattern) {
  for (const char* path : {"a/1.jpg", "a/2.png", "b/1.jpg", "b/c/2.jpg", "d/3.jpg"}) Make(path);
  const std::string root = root_.string();
  const auto source = MakeSource("files",
                                 {{"path", OptionValue::List{root + "/a/2.png", root + "/**/*.jpg",
                                                             root + "/{b,d}/[0-9].*", "http://host/x", root + "/a"}},
                                  {"files_per_split", 1}},
                                 {})
                          .ValueOrDie();
  EXPECT_THAT(ExpectResumable(*source, {}), SizeIs(1 + 4 + 2 + 1 + 2));
}

TEST_F(Replay, FilesThatCameOrWentSinceDoNotDisturbTheRest) {
  for (const char* path : {"a/1", "b/1", "b/2", "c"}) Make(path);
  const auto source = Open("files", {{"files_per_split", 1}});
  auto splits = source->Enumerate({}, "").ValueOrDie();
  EXPECT_THAT(Rest(*splits, 2), SizeIs(2));  // up to b/1
  const std::string position = splits->Position();
  fs::remove_all(root_ / "a");
  fs::remove(root_ / "b/1");
  Make("a2/new-before");
  Make("b/11");
  const auto rest = Rest(*source->Enumerate({}, position).ValueOrDie());
  ASSERT_THAT(rest, SizeIs(3));
  EXPECT_THAT(rest[0], HasSubstr("/b/11\""));
  EXPECT_THAT(rest[1], HasSubstr("/b/2\""));
  EXPECT_THAT(rest[2], HasSubstr("/c\""));
  // The folder of the last file is gone, or a file has its name.
  fs::remove_all(root_ / "b");
  EXPECT_THAT(Rest(*source->Enumerate({}, position).ValueOrDie()), SizeIs(1));
  Make("b");
  EXPECT_THAT(Rest(*source->Enumerate({}, position).ValueOrDie()), SizeIs(1));
}

TEST_F(Replay, PositionOfOtherPathsIsRefused) {
  for (const char* path : {"a/1", "a/2", "b/1"}) Make(path);
  const std::string position = MiddleOf(*Open("files", {{"files_per_split", 1}}, "a"));
  const auto other = Open("files", {}, "b")->Enumerate({}, position).ValueOrDie();
  EXPECT_THAT(other->Next().status().message(), HasSubstr("is not below"));
}

TEST_F(Replay, ParquetGoesOnAtEachRowGroupAndRow) {
  const auto schema = arrow::schema({arrow::field("n", arrow::int64()), arrow::field("pad", arrow::utf8())});
  // Row groups of about 3 MiB in a file, so that one or two make a split; and a file of small ones.
  const auto put = [&](const std::string& name, int64_t begin, int64_t end, int64_t group_rows, size_t pad) {
    arrow::StringBuilder texts;
    for (int64_t i = begin; i < end; ++i) {
      EXPECT_TRUE(texts.Append(std::to_string(i) + std::string(pad, static_cast<char>('a' + i % 7))).ok());
    }
    const auto table = arrow::Table::Make(schema, {Ints(begin, end), texts.Finish().ValueOrDie()});
    auto file = arrow::io::FileOutputStream::Open((root_ / name).string()).ValueOrDie();
    auto properties = parquet::WriterProperties::Builder().disable_dictionary()->build();
    ASSERT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), file, group_rows, properties).ok());
    ASSERT_TRUE(file->Close().ok());
  };
  put("1.parquet", 0, 2'100, 300, 10'000);
  put("2.parquet", 2'100, 2'100, 300, 10);
  put("3.parquet", 2'100, 2'400, 50, 10);
  put("4.parquet", 2'400, 3'300, 300, 10'000);
  const auto source = Open("parquet");
  const auto splits = ExpectResumable(*source, {});
  ASSERT_GT(splits.size(), 5u);
  int64_t begin = 0;
  for (const Split& split : splits) {
    const auto rows = ExpectSkippable(*source, split, {.batch_rows = 64}, begin < 2'100 ? 97 : 7);
    ExpectNumbers(*rows, begin, begin + rows->num_rows());
    begin += rows->num_rows();
  }
  EXPECT_EQ(begin, 3'300);
  ExpectResumable(*source, {.limit = 700});
  ExpectResumable(*source, {.columns = {"n"}, .all_columns = false});
  ExpectResumable(*source, {.bounds = {{"n", "greater", arrow::MakeScalar(int64_t{650})},
                                       {"n", "less", arrow::MakeScalar(int64_t{2'800})}}});
  const std::string middle = MiddleOf(*source);
  EXPECT_THAT(middle, HasSubstr("row_group"));
  ExpectHostilePositionsRefused(*source, {}, middle);
  // The file of the position is another one by now.
  put("1.parquet", 0, 2'200, 300, 10'000);
  EXPECT_THAT(source->Enumerate({}, middle).status().message(), HasSubstr("1.parquet"));
}

std::string JsonLines(int64_t begin, int64_t end, size_t pad) {
  std::string text;
  for (int64_t i = begin; i < end; ++i) {
    text += "{\"n\": " + std::to_string(i) + ", \"pad\": \"" + std::string(pad, 'x') + "\"}\n";
  }
  return text;
}

TEST_F(Replay, JsonGoesOnAtEachPartOfAFileAndRow) {
  Make("1.json", JsonLines(0, 100, 3));
  Make("2.json", JsonLines(100, 200, 1 << 20));  // 100 MiB: two splits
  Make("3.json", JsonLines(200, 300, 3));
  const auto source = Open("json");
  const auto splits = ExpectResumable(*source, {});
  ASSERT_THAT(splits, SizeIs(4));
  ExpectNumbers(*ExpectSkippable(*source, splits[0], {.batch_rows = 7}), 0, 100);
  const auto first = ExpectSkippable(*source, splits[1], {}, 1000);
  ExpectNumbers(*first, 100, 100 + first->num_rows());
  ExpectNumbers(*ExpectSkippable(*source, splits[2], {}, 1000), 100 + first->num_rows(), 200);
  auto running = source->Enumerate({}, "").ValueOrDie();
  EXPECT_THAT(Rest(*running, 2), SizeIs(2));
  ExpectHostilePositionsRefused(*source, {}, running->Position());
}

TEST_F(Replay, CsvGoesOnAtEachFileAndRow) {
  for (int64_t file = 0; file < 3; ++file) {
    std::string text = "n,t\n";
    for (int64_t i = 0; i < 50; ++i) text += std::to_string(file * 50 + i) + ",\"a\nb\"\n";
    Make(std::to_string(file) + ".csv", text);
  }
  const auto source = Open("csv");
  const auto splits = ExpectResumable(*source, {});
  ASSERT_THAT(splits, SizeIs(3));
  for (int64_t i = 0; i < 3; ++i) {
    ExpectNumbers(*ExpectSkippable(*source, splits[static_cast<size_t>(i)], {.batch_rows = 9}), i * 50, i * 50 + 50);
  }
  ExpectHostilePositionsRefused(*source, {}, MiddleOf(*source));
}

TEST_F(Replay, HostileSplitsAreJobErrors) {
  Make("1.json", JsonLines(0, 10, 3));
  Make("1.csv", "n\n1\n");
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("n", arrow::int64())}), {Ints(0, 10)});
  const std::vector<std::shared_ptr<Source>> sources = {
      Open("range", {{"end", 10}}, std::nullopt), MakeSource("memory", {{"table", "t"}}, {{"t", table}}).ValueOrDie(),
      Open("json", {}, "1.json"), Open("csv", {}, "1.csv"), Open("files")};
  for (const auto& source : sources) {
    for (const char* content :
         {"", "{", "[7]", "[{}]", "{}", "{\"first\":\"a\",\"rows\":{}}", "{\"first\":9,\"rows\":9223372036854775807}",
          "{\"offset\":9223372036854775807,\"rows\":9223372036854775807}", "{\"uri\":7,\"begin\":0,\"end\":0}",
          "{\"uri\":\"/nowhere\",\"begin\":1e99,\"end\":-7}", "[{\"uri\":\"/x\",\"size\":\"y\"}]"}) {
      EXPECT_FALSE(source->Open({.content = content}, {}).ok()) << source->Describe() << " " << content;
    }
  }
}

}  // namespace
}  // namespace mainstem
