#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "mainstem/connectors/catalog.h"
#include "mainstem/data/logical_type.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class ParquetSink : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-sink-XXXXXX";
    root_ = ::mkdtemp(name);
    out_ = root_ / "out";
  }
  void TearDown() override { fs::remove_all(root_); }

  std::shared_ptr<Sink> Make(ConnectorOptions options = {}, std::shared_ptr<arrow::Schema> schema = nullptr) {
    options.emplace("path", out_.string());
    return MakeSink("parquet", options, schema ? schema : Numbers(0, 0)->schema()).ValueOrDie();
  }

  static std::shared_ptr<arrow::RecordBatch> Numbers(int64_t begin, int64_t end) {
    arrow::Int64Builder builder;
    for (int64_t i = begin; i < end; ++i) EXPECT_TRUE(builder.Append(i).ok());
    return arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::int64())}), end - begin,
                                    {builder.Finish().ValueOrDie()});
  }

  std::vector<std::string> Visible() const {
    std::vector<std::string> names;
    if (!fs::exists(out_)) return names;
    for (const auto& entry : fs::directory_iterator(out_)) {
      if (entry.path().filename().string()[0] != '.') names.push_back(entry.path().filename());
    }
    return names;
  }

  // All ids in the folder, read by Arrow's own reader.
  std::multiset<int64_t> Ids() const {
    std::multiset<int64_t> ids;
    for (const std::string& name : Visible()) {
      auto file = arrow::io::ReadableFile::Open((out_ / name).string()).ValueOrDie();
      auto reader = parquet::arrow::OpenFile(file, arrow::default_memory_pool()).ValueOrDie();
      auto table = reader->ReadTable().ValueOrDie();
      for (const auto& chunk : table->column(0)->chunks()) {
        for (int64_t i = 0; i < chunk->length(); ++i) {
          ids.insert(static_cast<const arrow::Int64Array&>(*chunk).Value(i));
        }
      }
    }
    return ids;
  }

  static std::multiset<int64_t> Range(int64_t begin, int64_t end) {
    std::multiset<int64_t> ids;
    for (int64_t i = begin; i < end; ++i) ids.insert(i);
    return ids;
  }

  std::vector<Committable> Stage(Sink& sink, int subtask, int64_t begin, int64_t end, const std::string& attempt) {
    auto writer = sink.OpenWriter(subtask, attempt).ValueOrDie();
    EXPECT_TRUE(writer->Write(Numbers(begin, end)).ok());
    return writer->Prepare().ValueOrDie();
  }

  fs::path root_;
  fs::path out_;
};

TEST_F(ParquetSink, NothingIsVisibleBeforeTheCommitAndNothingIsLeftBehindAfterIt) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto first = Stage(*sink, 0, 0, 10, "a1.1");
  auto second = Stage(*sink, 1, 10, 20, "a1.1");
  EXPECT_TRUE(Visible().empty());
  first.insert(first.end(), second.begin(), second.end());
  ASSERT_TRUE(sink->Commit(first).ok());
  EXPECT_EQ(Ids(), Range(0, 20));
  ASSERT_TRUE(sink->Finish("a1").ok());
  EXPECT_EQ(Ids(), Range(0, 20));
  EXPECT_FALSE(fs::exists(out_ / ".mainstem-staging"));
}

TEST_F(ParquetSink, CommitMayBeRepeated) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  const auto staged = Stage(*sink, 0, 0, 10, "a1.1");
  ASSERT_TRUE(sink->Commit(staged).ok());
  ASSERT_TRUE(Make()->Commit(staged).ok());
  EXPECT_EQ(Ids(), Range(0, 10));
}

TEST_F(ParquetSink, WritingGoesOnAfterPrepare) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
  ASSERT_TRUE(writer->Write(Numbers(0, 5)).ok());
  auto first = writer->Prepare().ValueOrDie();
  ASSERT_TRUE(writer->Write(Numbers(5, 9)).ok());
  auto second = writer->Prepare().ValueOrDie();
  EXPECT_TRUE(writer->Prepare().ValueOrDie().empty());
  ASSERT_TRUE(sink->Commit(first).ok());
  EXPECT_EQ(Ids(), Range(0, 5));
  ASSERT_TRUE(sink->Commit(second).ok());
  EXPECT_EQ(Ids(), Range(0, 9));
  EXPECT_GT(writer->bytes_written(), 0);
}

TEST_F(ParquetSink, AbortLeavesNothing) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  (void)Stage(*sink, 0, 0, 10, "a1.1");
  ASSERT_TRUE(sink->Abort("a1").ok());
  ASSERT_TRUE(sink->Abort("a1").ok());
  EXPECT_TRUE(fs::is_empty(out_));
}

TEST_F(ParquetSink, CommitOfALostFileShowsNothing) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto first = Stage(*sink, 0, 0, 10, "a1.1");
  auto second = Stage(*sink, 1, 10, 20, "a1.1");
  first.insert(first.end(), second.begin(), second.end());
  for (const auto& entry : fs::directory_iterator(out_ / ".mainstem-staging" / "a1" / "1")) {
    if (entry.path().string().find("-1-") != std::string::npos) fs::remove(entry.path());
  }
  const Status status = sink->Commit(first);
  EXPECT_THAT(status.message(), HasSubstr("gone"));
  EXPECT_TRUE(Visible().empty());
}

TEST_F(ParquetSink, ModeErrorRefusesAFolderThatIsNotEmpty) {
  auto sink = Make({{"mode", "error"}});
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  ASSERT_TRUE(sink->Commit(Stage(*sink, 0, 0, 3, "a1.1")).ok());
  const Status status = Make({{"mode", "error"}})->Begin({.id = "a1"});
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
  EXPECT_THAT(status.message(), HasSubstr("not empty"));
}

TEST_F(ParquetSink, OverwriteReplacesInTheCommitAndNotBefore) {
  ASSERT_TRUE(Make()->Commit(Stage(*Make(), 0, 0, 3, "old.1")).ok());
  ASSERT_TRUE(Make()->Finish("old").ok());
  auto sink = Make({{"mode", "overwrite"}});
  ASSERT_TRUE(sink->Begin({.id = "new"}).ok());
  auto writer = sink->OpenWriter(0, "new.1").ValueOrDie();
  ASSERT_TRUE(writer->Write(Numbers(100, 104)).ok());
  const auto first = writer->Prepare().ValueOrDie();
  EXPECT_EQ(Ids(), Range(0, 3));
  ASSERT_TRUE(sink->Commit(first).ok());
  EXPECT_EQ(Ids(), Range(100, 104));
  // A later commit of the same job adds.
  ASSERT_TRUE(writer->Write(Numbers(104, 108)).ok());
  ASSERT_TRUE(sink->Commit(writer->Prepare().ValueOrDie()).ok());
  ASSERT_TRUE(sink->Commit(first).ok());
  EXPECT_EQ(Ids(), Range(100, 108));
  ASSERT_TRUE(sink->Finish("new").ok());
  EXPECT_EQ(Ids(), Range(100, 108));
  EXPECT_FALSE(fs::exists(out_ / ".mainstem-staging"));
}

TEST_F(ParquetSink, OverwriteThatFailsKeepsTheOld) {
  ASSERT_TRUE(Make()->Commit(Stage(*Make(), 0, 0, 3, "old.1")).ok());
  ASSERT_TRUE(Make()->Finish("old").ok());
  auto sink = Make({{"mode", "overwrite"}});
  ASSERT_TRUE(sink->Begin({.id = "new"}).ok());
  (void)Stage(*sink, 0, 100, 104, "new.1");
  ASSERT_TRUE(sink->Abort("new").ok());
  EXPECT_EQ(Ids(), Range(0, 3));
  EXPECT_FALSE(fs::exists(out_ / ".mainstem-staging"));
}

TEST_F(ParquetSink, CrashInTheMiddleOfACommitIsFinishedByTheNextBegin) {
  ASSERT_TRUE(Make()->Commit(Stage(*Make(), 0, 0, 3, "old.1")).ok());
  ASSERT_TRUE(Make()->Finish("old").ok());
  auto sink = Make({{"mode", "overwrite"}});
  ASSERT_TRUE(sink->Begin({.id = "new"}).ok());
  auto staged = Stage(*sink, 0, 10, 20, "new.1");
  const auto second = Stage(*sink, 1, 20, 30, "new.1");
  staged.insert(staged.end(), second.begin(), second.end());
  // A copy of the folder taken at the moment when the decision has just been written, made by hand.
  const fs::path staging = out_ / ".mainstem-staging";
  std::ifstream replaced(staging / "new" / "replaced.json");
  const std::string removes((std::istreambuf_iterator<char>(replaced)), {});
  const std::string files = staged[0].content.substr(0, staged[0].content.size() - 1) + "," +
                            staged[1].content.substr(1);
  std::ofstream(staging / "new" / "commit.json") << "{\"files\":" << files << ",\"removes\":" << removes << "}";
  // One rename has happened.
  for (const auto& entry : fs::directory_iterator(staging / "new" / "1")) {
    if (entry.path().string().find("-0-0.parquet") != std::string::npos) {
      fs::rename(entry.path(), out_ / entry.path().filename());
      break;
    }
  }
  ASSERT_TRUE(Make()->Begin({.id = "a1"}).ok());
  EXPECT_EQ(Ids(), Range(10, 30));
  EXPECT_FALSE(fs::exists(staging));
}

TEST_F(ParquetSink, StagingOlderThanADayIsSwept) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  (void)Stage(*sink, 0, 0, 10, "dead.1");
  (void)Stage(*sink, 0, 0, 10, "alive.1");
  for (const auto& entry : fs::recursive_directory_iterator(out_ / ".mainstem-staging" / "dead")) {
    fs::last_write_time(entry.path(), fs::file_time_type::clock::now() - std::chrono::hours(30));
  }
  ASSERT_TRUE(Make()->Begin({.id = "a1"}).ok());
  EXPECT_FALSE(fs::exists(out_ / ".mainstem-staging" / "dead"));
  EXPECT_TRUE(fs::exists(out_ / ".mainstem-staging" / "alive"));
}

TEST_F(ParquetSink, EmptyResultIsAFileWithASchema) {
  auto sink = Make();
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
  ASSERT_TRUE(sink->Commit(writer->Prepare().ValueOrDie()).ok());
  EXPECT_TRUE(Visible().empty());
  ASSERT_TRUE(sink->Finish("a1").ok());
  ASSERT_TRUE(sink->Finish("a1").ok());
  EXPECT_EQ(Visible().size(), 1u);
  EXPECT_TRUE(Ids().empty());
}

TEST_F(ParquetSink, FilesAndRowGroupsAreBoundedInBytes) {
  const auto schema = arrow::schema({arrow::field("bytes", arrow::large_binary())});
  auto sink = Make({{"row_group_bytes", 1 << 20}, {"target_file_bytes", 4 << 20}, {"compression", "none"}}, schema);
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
  for (int i = 0; i < 10; ++i) {
    arrow::LargeBinaryBuilder builder;
    for (int k = 0; k < 10; ++k) ASSERT_TRUE(builder.Append(std::string(100'000, static_cast<char>(i + k))).ok());
    ASSERT_TRUE(writer->Write(arrow::RecordBatch::Make(schema, 10, {builder.Finish().ValueOrDie()})).ok());
  }
  ASSERT_TRUE(sink->Commit(writer->Prepare().ValueOrDie()).ok());
  // 10 batches of 1.0 MB: the fifth takes a file past 4 MiB. Groups are of about 1 MiB.
  EXPECT_EQ(Visible().size(), 2u);
  for (const std::string& name : Visible()) {
    auto reader = parquet::ParquetFileReader::OpenFile((out_ / name).string());
    for (int g = 0; g < reader->metadata()->num_row_groups(); ++g) {
      EXPECT_LE(reader->metadata()->RowGroup(g)->total_byte_size(), 1'200'000);
    }
  }
}

TEST_F(ParquetSink, MultimodalTypesStandInTheMetadata) {
  const auto schema = arrow::schema({LogicalType::Image().ToField("image")});
  auto sink = Make({}, schema);
  ASSERT_TRUE(sink->Begin({.id = "a1"}).ok());
  auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
  auto image = arrow::MakeArrayOfNull(schema->field(0)->type(), 2).ValueOrDie();
  ASSERT_TRUE(writer->Write(arrow::RecordBatch::Make(schema, 2, {image})).ok());
  ASSERT_TRUE(sink->Commit(writer->Prepare().ValueOrDie()).ok());
  auto file = arrow::io::ReadableFile::Open((out_ / Visible()[0]).string()).ValueOrDie();
  auto reader = parquet::arrow::OpenFile(file, arrow::default_memory_pool()).ValueOrDie();
  std::shared_ptr<arrow::Schema> read;
  ASSERT_TRUE(reader->GetSchema(&read).ok());
  EXPECT_EQ(LogicalType::FromField(*read->field(0)).ValueOrDie().kind(), TypeKind::kImage);
}

TEST_F(ParquetSink, FullDiskIsAnErrorThatNamesTheFile) {
  // A limit on the size of files stands in for a full disk: write() fails in the same place.
  const auto attempt = [&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit limit = {10'000, 10'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto sink = Make({{"compression", "none"}});
    if (!sink->Begin({.id = "a1"}).ok()) std::_Exit(2);
    auto writer = sink->OpenWriter(0, "a1.1").ValueOrDie();
    Status status = writer->Write(Numbers(0, 100'000));
    if (status.ok()) status = writer->Prepare().status();
    writer.reset();
    const bool clear = !status.ok() && ClassOf(status) == ErrorClass::kJob &&
                       status.message().find("out/.mainstem-staging/a1/1/part-") != std::string::npos &&
                       status.message().find("File too large") != std::string::npos;
    fprintf(stderr, "%s\n", status.message().c_str());
    if (!sink->Abort("a1").ok()) std::_Exit(3);
    std::_Exit(clear ? 0 : 1);
  };
  EXPECT_EXIT(attempt(), ::testing::ExitedWithCode(0), "");
  EXPECT_TRUE(!fs::exists(out_) || fs::is_empty(out_));
}

TEST_F(ParquetSink, PathThatIsAFileIsRefused) {
  std::ofstream(out_) << "x";
  auto sink = MakeSink("parquet", {{"path", out_.string()}}, Numbers(0, 0)->schema());
  EXPECT_THAT(sink.status().message(), HasSubstr("is a file"));
}

TEST_F(ParquetSink, CommittablesFromElsewhereAreRefused) {
  auto sink = Make();
  for (const char* text : {"", "{}", "[1]", R"([{"staged":"/etc/passwd","target":"x","size":1,"rows":1}])",
                           R"([{"staged":".mainstem-staging/../../x","target":"x","size":1,"rows":1}])"}) {
    EXPECT_FALSE(sink->Commit({{text}}).ok()) << text;
  }
}

}  // namespace
}  // namespace mainstem
