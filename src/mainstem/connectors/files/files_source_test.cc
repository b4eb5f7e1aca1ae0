#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "mainstem/connectors/catalog.h"
#include "mainstem/connectors/files/file_lister.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-files-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(root_); }

  void Make(const std::string& path, const std::string& content = "x") {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << content;
  }

  // Paths below the root, or the error.
  std::vector<std::string> List(const std::string& pattern) {
    auto lister = ListFiles({(root_ / pattern).string()});
    std::vector<std::string> found;
    for (;;) {
      auto file = lister->Next();
      if (!file.ok()) return {file.status().message()};
      if (!*file) return found;
      found.push_back(fs::path((*file)->uri).lexically_relative(root_).string());
    }
  }

  fs::path root_;
};

TEST_F(Folder, FolderMeansEverythingBelowInOrder) {
  Make("b.jpg");
  Make("a/2.jpg");
  Make("a/1.jpg");
  Make("a/c/deep.png");
  EXPECT_THAT(List(""), ElementsAre("a/1.jpg", "a/2.jpg", "a/c/deep.png", "b.jpg"));
}

TEST_F(Folder, HiddenFilesAreListedOnlyWhereNamed) {
  Make(".hidden.jpg");
  Make(".dot/x.jpg");
  Make("seen.jpg");
  EXPECT_THAT(List("**/*.jpg"), ElementsAre("seen.jpg"));
  EXPECT_THAT(List(".*.jpg"), ElementsAre(".hidden.jpg"));
  EXPECT_THAT(List(".dot/*"), ElementsAre(".dot/x.jpg"));
}

TEST_F(Folder, PatternsMeanWhatBashMeans) {
  Make("a.jpg");
  Make("b.PNG");
  Make("ab/c.png");
  Make("ab/d/e.jpg");
  Make("ab/d/f.txt");
  EXPECT_THAT(List("*"), ElementsAre("a.jpg", "b.PNG"));
  EXPECT_THAT(List("*/*"), ElementsAre("ab/c.png"));
  EXPECT_THAT(List("**"), ElementsAre("a.jpg", "ab/c.png", "ab/d/e.jpg", "ab/d/f.txt", "b.PNG"));
  EXPECT_THAT(List("**/*.{jpg,png}"), ElementsAre("a.jpg", "ab/c.png", "ab/d/e.jpg"));
  EXPECT_THAT(List("**/d/*.jpg"), ElementsAre("ab/d/e.jpg"));
  EXPECT_THAT(List("ab/**/*.txt"), ElementsAre("ab/d/f.txt"));
  EXPECT_THAT(List("[ab].*"), ElementsAre("a.jpg", "b.PNG"));
  EXPECT_THAT(List("[!a].*"), ElementsAre("b.PNG"));
  EXPECT_THAT(List("?.jpg"), ElementsAre("a.jpg"));
  EXPECT_THAT(List("**/**/e.jpg"), ElementsAre("ab/d/e.jpg"));
  EXPECT_THAT(List("{a.jpg,ab}"), UnorderedElementsAre("a.jpg", "ab/c.png", "ab/d/e.jpg", "ab/d/f.txt"));
}

TEST_F(Folder, NameThatLooksLikeAPatternIsTakenAsItIsWhereItExists) {
  Make("photo[1].jpg");
  EXPECT_THAT(List("photo[1].jpg"), ElementsAre("photo[1].jpg"));
}

TEST_F(Folder, ManyStarsTakeLittleTime) {
  Make(std::string(200, 'a'));
  EXPECT_THAT(List("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b"), ElementsAre(HasSubstr("no file matches")));
}

TEST_F(Folder, NothingFoundIsAnErrorThatNamesThePath) {
  Make("a.jpg");
  EXPECT_THAT(List("*.gif"), ElementsAre(HasSubstr("*.gif")));
  EXPECT_THAT(List("missing/x"), ElementsAre(HasSubstr("missing/x")));
  fs::create_directories(root_ / "empty");
  EXPECT_THAT(List("empty"), ElementsAre(HasSubstr("empty")));
}

TEST_F(Folder, UnreadableFolderIsAnErrorThatNamesIt) {
  Make("locked/a.jpg");
  ::chmod(root_.c_str(), 0755);
  ::chmod((root_ / "locked").c_str(), 0);
  const auto as_nobody = [&] {
    // Root reads everything.
    if (::geteuid() == 0 && ::setuid(65534) != 0) std::_Exit(2);
    const auto found = List("**");
    const bool named = found.size() == 1 && found[0].find("locked': Permission denied") != std::string::npos;
    std::_Exit(named ? 0 : 1);
  };
  EXPECT_EXIT(as_nobody(), ::testing::ExitedWithCode(0), "");
  ::chmod((root_ / "locked").c_str(), 0700);
}

TEST_F(Folder, LinksThatLoopEnd) {
  Make("a/x.jpg");
  fs::create_directory_symlink(root_, root_ / "a" / "loop");
  fs::create_directory_symlink(root_ / "a", root_ / "link");
  fs::create_symlink(root_ / "self", root_ / "self");
  EXPECT_THAT(List("**/*.jpg"), ElementsAre("a/x.jpg"));
  EXPECT_THAT(List("link/*.jpg"), ElementsAre("link/x.jpg"));
  EXPECT_THAT(List("*/*/*/x.jpg"), ElementsAre("a/loop/a/x.jpg", "a/loop/link/x.jpg", "link/loop/a/x.jpg",
                                              "link/loop/link/x.jpg"));
}

TEST_F(Folder, SourceHasOneRowAFileWithSizeTimeAndReference) {
  Make("one.bin", "12345");
  Make("two.bin", "");
  struct timespec times[2] = {{0, 0}, {1'600'000'000, 123'456'789}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root_ / "one.bin").c_str(), times, 0), 0);
  auto source = MakeSource("files", {{"path", (root_ / "*.bin").string()}, {"files_per_split", int64_t{2}}}, {})
                    .ValueOrDie();
  auto enumerator = source->Enumerate({}, "").ValueOrDie();
  auto split = enumerator->Next().ValueOrDie();
  ASSERT_TRUE(split);
  EXPECT_FALSE(enumerator->Next().ValueOrDie());
  auto reader = source->Open(*split, {}).ValueOrDie();
  auto batch = reader->Next().ValueOrDie();
  ASSERT_TRUE(batch->ValidateFull().ok());
  ASSERT_EQ(batch->num_rows(), 2);
  ASSERT_TRUE(batch->schema()->Equals(source->schema(), true));
  const auto& file = static_cast<const arrow::StructArray&>(*batch->column(0));
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*file.field(0)).GetString(0), (root_ / "one.bin").string());
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*file.field(2)).Value(0), 5);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*file.field(3)).GetString(0), "5-1600000000123456789");
  EXPECT_EQ(static_cast<const arrow::Int64Array&>(*batch->column(1)).Value(1), 0);
  EXPECT_EQ(static_cast<const arrow::TimestampArray&>(*batch->column(2)).Value(0), 1'600'000'000'123'456);
  EXPECT_EQ(reader->Next().ValueOrDie(), nullptr);
}

TEST_F(Folder, LimitStopsTheListing) {
  for (int i = 0; i < 50; ++i) Make("f" + std::to_string(i));
  auto source = MakeSource("files", {{"path", root_.string()}}, {}).ValueOrDie();
  ScanRequest request;
  request.limit = 20;
  auto enumerator = source->Enumerate(request, "").ValueOrDie();
  int64_t rows = 0;
  while (auto split = enumerator->Next().ValueOrDie()) {
    auto reader = source->Open(*split, request).ValueOrDie();
    while (auto batch = reader->Next().ValueOrDie()) rows += batch->num_rows();
  }
  EXPECT_EQ(rows, 20);
}

TEST_F(Folder, ProjectionAndBatchSizeAreKept) {
  for (int i = 0; i < 5; ++i) Make("f" + std::to_string(i), std::string(i, 'x'));
  auto source = MakeSource("files", {{"path", root_.string()}, {"files_per_split", int64_t{5}}}, {}).ValueOrDie();
  ScanRequest request;
  request.all_columns = false;
  request.columns = {"size"};
  request.batch_rows = 2;
  auto split = source->Enumerate(request, "").ValueOrDie()->Next().ValueOrDie();
  auto reader = source->Open(*split, request).ValueOrDie();
  auto batch = reader->Next().ValueOrDie();
  EXPECT_EQ(batch->num_columns(), 1);
  EXPECT_EQ(batch->num_rows(), 2);
}

TEST(Catalog, UnknownNamesSuggestTheNearest) {
  EXPECT_THAT(MakeSource("filse", {}, {}).status().message(), HasSubstr("'files'"));
  EXPECT_THAT(MakeSource("files", {{"pth", "x"}}, {}).status().message(), HasSubstr("'path'"));
  EXPECT_THAT(MakeSource("files", {{"path", "/nonexistent/x"}}, {}).status().message(),
              HasSubstr("there is no '/nonexistent/x'"));
}

}  // namespace
}  // namespace mainstem
