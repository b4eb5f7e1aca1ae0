#include "mainstem/connectors/files/remote_lister.h"

#include <arrow/util/async_generator.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mainstem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Pages = std::vector<std::vector<std::string>>;

std::unique_ptr<FileLister> List(const Pages& pages, const ListingPosition& from = {},
                                 const std::string& pattern = "bucket/**/*.jpg") {
  std::vector<arrow::fs::FileInfoVector> infos;
  for (const auto& page : pages) {
    arrow::fs::FileInfoVector& files = infos.emplace_back();
    for (const std::string& path : page) files.emplace_back(path, arrow::fs::FileType::File);
  }
  return ListPages(arrow::MakeVectorGenerator(std::move(infos)), ParsePathPatterns(pattern).ValueOrDie(), "s3", false,
                   from);
}

std::vector<std::string> Rest(FileLister& files) {
  std::vector<std::string> uris;
  for (;;) {
    const auto file = files.Next().ValueOrDie();
    if (!file) return uris;
    uris.push_back(file->uri);
  }
}

// The listing goes on behind each of its files, and again behind each of those.
void ExpectResumable(const Pages& pages) {
  const std::vector<std::string> all = Rest(*List(pages));
  for (size_t first = 0; first <= all.size(); ++first) {
    const auto running = List(pages);
    for (size_t i = 0; i < first; ++i) (void)running->Next().ValueOrDie();
    for (size_t second = first; second <= all.size(); ++second) {
      const auto resumed = List(pages, running->Position());
      for (size_t i = first; i < second; ++i) (void)resumed->Next().ValueOrDie();
      const auto again = List(pages, resumed->Position());
      EXPECT_EQ(Rest(*again), std::vector<std::string>(all.begin() + static_cast<std::ptrdiff_t>(second), all.end()))
          << first << ", then " << second;
    }
  }
}

TEST(RemoteLister, GoesOnInAStoreThatListsInOrder) {
  ExpectResumable({{"bucket/a.jpg", "bucket/a.png", "bucket/a/1.jpg"}, {}, {"bucket/a0.jpg", "bucket/b/c/2.jpg"}});
}

TEST(RemoteLister, GoesOnByCountingInAStoreThatListsInNoOrder) {
  ExpectResumable({{"bucket/m.jpg", "bucket/n.jpg", "bucket/z.txt"}, {"bucket/c.jpg", "bucket/b.jpg"},
                   {"bucket/x.jpg"}, {"bucket/a.jpg", "bucket/y.jpg"}});
}

TEST(RemoteLister, AListingInNoOrderIsSeenAlsoWhereTheLastFileWent) {
  const auto running = List({{"bucket/m.jpg", "bucket/n.jpg"}, {"bucket/b.jpg"}});
  for (int i = 0; i < 2; ++i) (void)running->Next().ValueOrDie();
  EXPECT_THAT(Rest(*List({{"bucket/m.jpg"}, {"bucket/b.jpg"}}, running->Position())), ElementsAre("s3://bucket/b.jpg"));
}

TEST(RemoteLister, FilesThatCameOrWentDoNotDisturbTheRestOfAnOrderedListing) {
  const auto running = List({{"bucket/b.jpg", "bucket/d.jpg", "bucket/f.jpg"}});
  for (int i = 0; i < 2; ++i) (void)running->Next().ValueOrDie();
  EXPECT_THAT(Rest(*List({{"bucket/a.jpg", "bucket/c.jpg"}, {"bucket/e.jpg", "bucket/f.jpg"}}, running->Position())),
              ElementsAre("s3://bucket/e.jpg", "s3://bucket/f.jpg"));
}

TEST(RemoteLister, AStoreThatFailsEndsTheListing) {
  int calls = 0;
  const auto files = ListPages(
      [&] {
        ++calls;
        return arrow::Future<arrow::fs::FileInfoVector>::MakeFinished(Status::IOError("no route"));
      },
      ParsePathPatterns("bucket/*").ValueOrDie(), "s3", false, {});
  EXPECT_THAT(files->Next().status().message(), HasSubstr("no route"));
  EXPECT_FALSE(files->Next().ValueOrDie().has_value());
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace mainstem
