#include "mainstem/checkpoint/job_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "mainstem/checkpoint/storage_harness.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class JobFolderTest : public StorageTest {};

TEST_F(JobFolderTest, ListsJobsWithTheirCheckpoints) {
  Open("b");
  Publish(1);
  Publish(2);
  Publish(3, Manifest::Kind::kSavepoint);
  Truncate("checkpoint-2/manifest", 50);
  Open("a");
  std::filesystem::create_directory(root_ / "no job");
  std::filesystem::create_directory(root_ / "empty");
  const auto jobs = ListJobs(files_, root_.string());
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_THAT(*jobs, SizeIs(2));
  EXPECT_EQ((*jobs)[0].name, "a");
  EXPECT_TRUE((*jobs)[0].is_running);
  EXPECT_EQ((*jobs)[0].process, ::getpid());
  EXPECT_THAT((*jobs)[0].checkpoints, IsEmpty());
  const StoredJob& job = (*jobs)[1];
  EXPECT_FALSE(job.is_running);
  EXPECT_EQ(job.epoch->number, 1);
  EXPECT_EQ(job.epoch->started_wall_ns, 1'700'000'000'000'000'000);
  ASSERT_THAT(job.checkpoints, SizeIs(3));
  EXPECT_EQ(job.checkpoints[0].path, (root_ / "b" / "savepoint-3").string());
  EXPECT_TRUE(job.checkpoints[0].name.is_savepoint);
  EXPECT_THAT(job.checkpoints[1].damage, HasSubstr("truncated"));
  EXPECT_EQ(job.checkpoints[1].manifest, std::nullopt);
  EXPECT_EQ(job.checkpoints[2].manifest->checkpoint, 1);
  int64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_ / "b")) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  EXPECT_EQ(job.bytes, bytes);
  EXPECT_FALSE(ListJobs(files_, (root_ / "missing").string()).ok());
}

TEST_F(JobFolderTest, ListingVerifiesContentWhenAsked) {
  Open();
  Publish(1);
  const std::string path = Path("checkpoint-1/1-0-0.snapshot");
  std::string bytes = files_.ReadAll(path, 1000).ValueOrDie();
  bytes.back() = '?';
  ASSERT_TRUE(files_.Remove(path).ok());
  ASSERT_TRUE(files_.Create(path).ValueOrDie()->Write(bytes).ok());
  EXPECT_EQ(ListJobs(files_, root_.string())->at(0).checkpoints.at(0).damage, "");
  EXPECT_THAT(ListJobs(files_, root_.string(), true)->at(0).checkpoints.at(0).damage, HasSubstr("checksum"));
}

}  // namespace
}  // namespace mainstem::checkpoint
