#include "mainstem/connectors/files/remote_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mainstem/connectors/files/memory_object_store.h"
#include "mainstem/connectors/files/remote_lock.h"
#include "mainstem/platform/process_identity.h"

namespace mainstem {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RemoteFileSystemTest : public ::testing::Test {
 protected:
  std::vector<std::string> Keys() {
    const std::lock_guard lock(bucket_->mutex);
    std::vector<std::string> keys;
    for (const auto& [key, object] : bucket_->objects) keys.push_back(key);
    return keys;
  }

  void Put(const std::string& path, std::string_view content) {
    const Status status = files_.WriteDurably(path, content);
    ASSERT_TRUE(status.ok()) << status;
  }

  void ClaimOf(const std::string& content, arrow::fs::TimePoint written) {
    const std::lock_guard lock(bucket_->mutex);
    bucket_->objects["b/lock/other"] = {arrow::Buffer::FromString(content), written};
  }

  std::shared_ptr<MemoryBucket> bucket_ = std::make_shared<MemoryBucket>();
  std::shared_ptr<MemoryObjectStore> store_ = std::make_shared<MemoryObjectStore>(bucket_);
  RemoteFileSystem files_{store_, "s3://"};
};

TEST_F(RemoteFileSystemTest, AFileIsThereWholeOnceItIsSynced) {
  auto file = *files_.Create("s3://b/a/x");
  ASSERT_TRUE(file->Write("one").ok());
  ASSERT_TRUE(file->Write("two").ok());
  EXPECT_EQ(files_.Stat("s3://b/a/x")->kind, FileKind::kMissing);
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_EQ(files_.Stat("s3://b/a/x")->size, 6);
  EXPECT_EQ(*files_.ReadAll("s3://b/a/x", 100), "onetwo");
  EXPECT_THAT(file->Write("more").message(), HasSubstr("s3://b/a/x"));
  EXPECT_TRUE(file->Close().ok());
}

TEST_F(RemoteFileSystemTest, HalfAFileIsNeverThere) {
  auto file = *files_.Create("s3://b/x");
  ASSERT_TRUE(file->Write("half").ok());
  file.reset();
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(RemoteFileSystemTest, AFailedWriteStaysFailed) {
  auto file = *files_.Create("s3://b/x");
  store_->FailWith(Status::IOError("AWS Error ACCESS_DENIED"));
  EXPECT_FALSE(file->Write("half").ok());
  store_->FailWith(Status::OK());
  EXPECT_FALSE(file->Close().ok());
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_F(RemoteFileSystemTest, CreateLeavesWhatIsThere) {
  Put("s3://b/x", "old");
  EXPECT_THAT(files_.Create("s3://b/x").status().message(), HasSubstr("s3://b/x"));
  EXPECT_EQ(*files_.ReadAll("s3://b/x", 100), "old");
  EXPECT_FALSE(files_.Append("s3://b/x").ok());
}

TEST_F(RemoteFileSystemTest, ReadsAnyRangeOfSmallAndLargeFiles) {
  std::string large(3'000'000, 'x');
  large[2'500'000] = 'y';
  for (const std::string& content : {std::string("small"), large}) {
    Put("s3://b/x", content);
    auto file = *files_.Open("s3://b/x");
    const auto size = static_cast<int64_t>(content.size());
    EXPECT_EQ(file->Stat()->size, size);
    std::string out(content.size(), '\0');
    EXPECT_EQ(*file->ReadAt(0, size, out.data()), size);
    EXPECT_EQ(out, content);
    EXPECT_EQ(*file->ReadAt(size - 2, 100, out.data()), 2);
    EXPECT_EQ(out.substr(0, 2), content.substr(content.size() - 2));
    EXPECT_EQ(*file->ReadAt(size, 1, out.data()), 0);
    EXPECT_EQ(*file->ReadAt(size + 10, 1, out.data()), 0);
    EXPECT_FALSE(file->ReadAt(-1, 1, out.data()).ok());
  }
  EXPECT_THAT(files_.Open("s3://b/none").status().message(), HasSubstr("s3://b/none"));
}

TEST_F(RemoteFileSystemTest, ListsNamesOfOneFolder) {
  Put("s3://b/f/x", "1");
  Put("s3://b/f/g/y", "2");
  Put("s3://b/fx", "3");
  auto entries = *files_.List("s3://b/f");
  ASSERT_EQ(entries.size(), 2u);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  EXPECT_EQ(entries[0].name, "g");
  EXPECT_EQ(entries[0].kind, FileKind::kFolder);
  EXPECT_EQ(entries[1].name, "x");
  EXPECT_EQ(entries[1].kind, FileKind::kFile);
  EXPECT_TRUE(files_.List("s3://b/none")->empty());
}

TEST_F(RemoteFileSystemTest, RenamesAFileOrFails) {
  Put("s3://b/x", "new");
  Put("s3://b/y", "old");
  ASSERT_TRUE(files_.Rename("s3://b/x", "s3://b/y").ok());
  EXPECT_THAT(Keys(), ElementsAre("b/y"));
  EXPECT_EQ(*files_.ReadAll("s3://b/y", 100), "new");
  EXPECT_THAT(files_.Rename("s3://b/x", "s3://b/y").message(), HasSubstr("s3://b/x"));
}

TEST_F(RemoteFileSystemTest, AFolderMovesItsOwnFilesFirst) {
  Put("s3://b/job/checkpoint-1/manifest", "m");
  Put("s3://b/job/epoch", "e");
  store_->KillAt(3);  // the copy and the removal of one file are made
  EXPECT_FALSE(files_.Rename("s3://b/job", "s3://b/gone").ok());
  EXPECT_THAT(Keys(), ElementsAre("b/gone/epoch", "b/job/checkpoint-1/manifest"));
  RemoteFileSystem again(std::make_shared<MemoryObjectStore>(bucket_), "s3://");
  ASSERT_TRUE(again.Rename("s3://b/job", "s3://b/gone").ok());
  EXPECT_THAT(Keys(), ElementsAre("b/gone/checkpoint-1/manifest", "b/gone/epoch"));
}

TEST_F(RemoteFileSystemTest, RemovesWhatIsThereAndNothingElse) {
  Put("s3://b/f/x", "1");
  Put("s3://b/f/y", "2");
  Put("s3://b/fx", "3");
  EXPECT_TRUE(files_.Remove("s3://b/none").ok());
  EXPECT_TRUE(files_.RemoveTree("s3://b/none").ok());
  EXPECT_THAT(files_.Remove("s3://b/f").message(), HasSubstr("not empty"));
  ASSERT_TRUE(files_.Remove("s3://b/f/x").ok());
  EXPECT_THAT(Keys(), ElementsAre("b/f/y", "b/fx"));
  ASSERT_TRUE(files_.RemoveTree("s3://b/f").ok());
  EXPECT_THAT(Keys(), ElementsAre("b/fx"));
}

TEST_F(RemoteFileSystemTest, ErrorsNameTheUriAndMayPass) {
  store_->FailWith(Status::IOError("AWS Error SLOW_DOWN during PutObject operation"));
  const Status busy = files_.WriteDurably("s3://b/x", "1");
  EXPECT_EQ(ClassOf(busy), ErrorClass::kRetry);
  EXPECT_THAT(busy.message(), AllOf(HasSubstr("s3://b/x"), HasSubstr("SLOW_DOWN")));
  store_->FailWith(Status::IOError("AWS Error ACCESS_DENIED during PutObject operation"));
  EXPECT_EQ(ClassOf(files_.WriteDurably("s3://b/x", "1")), ErrorClass::kJob);
  EXPECT_FALSE(files_.WriteDurably("/tmp/x", "1").ok());
  EXPECT_FALSE(files_.WriteDurably("s3://", "1").ok());
}

TEST_F(RemoteFileSystemTest, OneHolderAtATime) {
  EXPECT_EQ(*files_.LockHolder("s3://b/lock"), std::nullopt);
  // The holder's age is told by this machine's clock.
  bucket_->now = std::chrono::time_point_cast<arrow::fs::TimePoint::duration>(std::chrono::system_clock::now());
  auto lock = files_.Lock("s3://b/lock");
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(*files_.LockHolder("s3://b/lock"), std::optional<int64_t>(::getpid()));
  EXPECT_THAT(files_.Lock("s3://b/lock").status().message(),
              AllOf(HasSubstr("s3://b/lock"), HasSubstr(std::to_string(::getpid()))));
  EXPECT_EQ(Keys().size(), 1u);
  lock->reset();
  EXPECT_EQ(*files_.LockHolder("s3://b/lock"), std::nullopt);
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_TRUE(files_.Lock("s3://b/lock").ok());
}

TEST_F(RemoteFileSystemTest, ADeadProcessOfThisMachineHoldsNothing) {
  ProcessIdentity dead = ThisProcess();
  dead.started -= 1;
  ClaimOf(ToString(dead), bucket_->now);
  const auto lock = files_.Lock("s3://b/lock");
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(Keys().size(), 1u);  // its claim is gone
}

TEST_F(RemoteFileSystemTest, AnotherMachinesLeaseEnds) {
  for (const std::string holder : {"other/pid:[1] 5 6", "not what we write"}) {
    ClaimOf(holder, bucket_->now - std::chrono::nanoseconds(kLeaseNs));
    EXPECT_THAT(files_.Lock("s3://b/lock").status().message(), HasSubstr("another machine"));
    ClaimOf(holder, bucket_->now - std::chrono::nanoseconds(kLeaseNs + 1));
    EXPECT_TRUE(files_.Lock("s3://b/lock").ok());
  }
}

TEST_F(RemoteFileSystemTest, ADisksPathsStayOnTheDisk) {
  std::string path;
  EXPECT_EQ(OpenFileSystem("/a/b", LocalFileSystem(), &path)->get(), &LocalFileSystem());
  EXPECT_EQ(path, "/a/b");
  EXPECT_EQ(OpenFileSystem("file:///a/b", LocalFileSystem(), &path)->get(), &LocalFileSystem());
  EXPECT_EQ(path, "/a/b");
  EXPECT_THAT(OpenFileSystem("gs://b/x", LocalFileSystem(), &path).status().message(), HasSubstr("gs://"));
  EXPECT_FALSE(OpenFileSystem("https://host/x", LocalFileSystem(), &path).ok());
}

}  // namespace
}  // namespace mainstem
