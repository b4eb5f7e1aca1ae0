#include "mainstem/checkpoint/storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "mainstem/checkpoint/storage_harness.h"
#include "mainstem/platform/holder_process.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using mainstem::testing::HolderProcess;

TEST_F(StorageTest, HasNothingAtFirst) {
  Open();
  const auto latest = storage_->Latest(&damaged_);
  ASSERT_TRUE(latest.ok()) << latest.status();
  EXPECT_EQ(*latest, std::nullopt);
  EXPECT_EQ(*storage_->LargestNumber(), 0);
  EXPECT_EQ(storage_->epoch(), 1);
}

TEST_F(StorageTest, RestoresWhatTheProcessBeforePublished) {
  Open();
  Manifest manifest = ManifestOf(1, {Snapshot(1, 0, "zero"), Snapshot(1, 1, "one")});
  manifest.graph = "graph";
  ASSERT_TRUE(storage_->Publish(manifest).ok());
  Open();
  EXPECT_EQ(storage_->epoch(), 2);
  const auto latest = storage_->Latest(&damaged_);
  ASSERT_TRUE(latest.ok() && *latest) << latest.status();
  manifest.job = "job";
  manifest.epoch = 1;
  EXPECT_TRUE(**latest == manifest);
  EXPECT_EQ(Content((*latest)->subtasks[1].file), "one");
  EXPECT_EQ(manifest.subtasks[0].file.name, "checkpoint-1/1-0-0.snapshot");
}

TEST_F(StorageTest, AnUnpublishedOneIsNotThere) {
  Open();
  Publish(1);
  Snapshot(2, 0, "x");
  Open();
  EXPECT_EQ(Latest(), 1);
  EXPECT_EQ(*storage_->LargestNumber(), 2);
}

TEST_F(StorageTest, NumbersOrderByValue) {
  Open();
  Publish(9);
  Publish(10);
  EXPECT_EQ(Latest(), 10);
}

TEST_F(StorageTest, PublishesOnlyWhatIsThere) {
  Open();
  Manifest manifest = ManifestOf(1, {{"checkpoint-1/1-0-0.snapshot", 50}});
  EXPECT_THAT(storage_->Publish(manifest).message(), HasSubstr("missing"));
  manifest = ManifestOf(1, {Snapshot(1, 0, "x")});
  manifest.subtasks[0].file.bytes += 1;
  EXPECT_FALSE(storage_->Publish(manifest).ok());
  EXPECT_EQ(Latest(), -1);
}

TEST_F(StorageTest, ADamagedOneIsNamedAndThePreviousUsed) {
  Open();
  for (const std::string name : {"manifest", "1-0-0.snapshot"}) {
    for (const int64_t size : {0, 20, 40}) {
      Publish(1);
      Publish(2);
      Truncate("checkpoint-2/" + name, size);
      EXPECT_EQ(Latest(), 1) << name << size;
      EXPECT_THAT(damaged_, ElementsAre(AllOf(HasSubstr("checkpoint-2"), HasSubstr(name), HasSubstr("damaged"))));
      ASSERT_TRUE(storage_->Discard(1).ok());
      ASSERT_TRUE(storage_->Discard(2).ok());
    }
  }
}

TEST_F(StorageTest, EveryFlippedByteOfAManifestIsFound) {
  Open();
  Publish(1);
  Publish(2);
  const std::string path = Path("checkpoint-2/manifest");
  const std::string good = files_.ReadAll(path, 1 << 20).ValueOrDie();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    ASSERT_TRUE(files_.Remove(path).ok());
    ASSERT_TRUE(files_.Create(path).ValueOrDie()->Write(bad).ok());
    ASSERT_EQ(Latest(), 1) << i;
    ASSERT_THAT(damaged_, SizeIs(1));
  }
}

TEST_F(StorageTest, AMissingSnapshotIsDamage) {
  Open();
  Publish(1);
  Publish(2);
  std::filesystem::remove(Path("checkpoint-2/1-0-0.snapshot"));
  EXPECT_EQ(Latest(), 1);
  EXPECT_THAT(damaged_, ElementsAre(AllOf(HasSubstr("checkpoint-2/1-0-0.snapshot"), HasSubstr("missing"))));
}

TEST_F(StorageTest, AManifestOfAnotherCheckpointOrJobIsDamage) {
  Open();
  Publish(1);
  Publish(2);
  std::filesystem::copy_file(Path("checkpoint-1/manifest"), Path("checkpoint-2/manifest"),
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_EQ(Latest(), 1);
  EXPECT_THAT(damaged_, SizeIs(1));
  Open("other");
  Publish(1);
  std::filesystem::copy(root_ / "job" / "checkpoint-1", root_ / "other" / "checkpoint-1",
                        std::filesystem::copy_options::overwrite_existing | std::filesystem::copy_options::recursive);
  EXPECT_THAT(storage_->Latest(nullptr).status().message(), HasSubstr("belongs to the job 'job'"));
}

TEST_F(StorageTest, ASecondDamageIsAnErrorThatNamesBoth) {
  Open();
  for (const int64_t checkpoint : {1, 2, 3}) Publish(checkpoint);
  Truncate("checkpoint-3/manifest", 10);
  Truncate("checkpoint-2/1-0-0.snapshot", 10);
  const auto latest = storage_->Latest(&damaged_);
  EXPECT_EQ(ClassOf(latest.status()), ErrorClass::kJob);
  EXPECT_THAT(latest.status().message(),
              AllOf(HasSubstr("checkpoint-3"), HasSubstr("checkpoint-2"), HasSubstr("remove")));
  EXPECT_THAT(damaged_, SizeIs(2));
  EXPECT_EQ(storage_->Read("checkpoint-1")->checkpoint, 1);
}

TEST_F(StorageTest, DamageToTheOnlyOneDoesNotStartFromTheBeginning) {
  Open();
  Publish(1);
  Truncate("checkpoint-1/manifest", 10);
  EXPECT_THAT(storage_->Latest(&damaged_).status().message(), HasSubstr("the only checkpoint"));
}

TEST_F(StorageTest, RetainsTheNewestAndWhatTheyReferTo) {
  Open();
  const SnapshotFile old = Snapshot(1, 1, "old");
  ASSERT_TRUE(storage_->Publish(ManifestOf(1, {Snapshot(1, 0, "1"), old})).ok());
  for (const int64_t checkpoint : {2, 3, 4}) {
    Manifest manifest = ManifestOf(checkpoint, {Snapshot(checkpoint, 0, "new"), old});
    manifest.subtasks[1].taken_at = 1;
    ASSERT_TRUE(storage_->Publish(manifest).ok());
  }
  ASSERT_TRUE(storage_->Retain(2).ok());
  EXPECT_FALSE(Exists("checkpoint-1/manifest"));
  EXPECT_FALSE(Exists("checkpoint-1/1-0-0.snapshot"));
  EXPECT_TRUE(Exists(old.name));
  EXPECT_FALSE(Exists("checkpoint-2"));
  EXPECT_TRUE(Exists("checkpoint-3/manifest"));
  EXPECT_EQ(Latest(), 4);
  EXPECT_EQ(Content(old), "old");
  EXPECT_EQ(storage_->Read("checkpoint-3")->checkpoint, 3);

  Publish(5);
  Publish(6);
  ASSERT_TRUE(storage_->Retain(2).ok());
  EXPECT_FALSE(Exists("checkpoint-1"));  // nobody refers to it any more
  EXPECT_FALSE(storage_->Retain(0).ok());
}

TEST_F(StorageTest, RetainRemovesWhatAbortedOnesAndOtherEpochsLeft) {
  Open();
  Publish(1);
  Snapshot(2, 0, "aborted");
  Snapshot(5, 0, "of another epoch");
  Open();
  Snapshot(3, 0, "aborted");
  Publish(4);
  const SnapshotFile under_way = Snapshot(5, 0, "under way");
  ASSERT_TRUE(storage_->Retain(2).ok());
  EXPECT_EQ(Latest(), 4);
  EXPECT_FALSE(Exists("checkpoint-2"));
  EXPECT_FALSE(Exists("checkpoint-3"));
  EXPECT_FALSE(Exists("checkpoint-5/1-0-0.snapshot"));
  EXPECT_EQ(Content(under_way), "under way");
  EXPECT_EQ(storage_->Read("checkpoint-1")->checkpoint, 1);
}

TEST_F(StorageTest, ASavepointNeedsNobody) {
  Open();
  const SnapshotFile old = Snapshot(1, 1, "old");
  ASSERT_TRUE(storage_->Publish(ManifestOf(1, {Snapshot(1, 0, "1"), old})).ok());
  Manifest manifest = ManifestOf(2, {Snapshot(2, 0, "two"), old});
  manifest.kind = Manifest::Kind::kSavepoint;
  ASSERT_TRUE(storage_->Publish(manifest).ok());
  EXPECT_EQ(Latest(), 2);
  for (const int64_t checkpoint : {3, 4}) Publish(checkpoint);
  ASSERT_TRUE(storage_->Retain(1).ok());
  ASSERT_TRUE(storage_->Discard(2).ok());
  EXPECT_FALSE(Exists("checkpoint-1"));
  EXPECT_FALSE(Exists("checkpoint-2"));
  for (const std::string name : {std::string("savepoint-2"), Path("savepoint-2"), Path("savepoint-2/")}) {
    const auto savepoint = storage_->Read(name);
    ASSERT_TRUE(savepoint.ok()) << savepoint.status();
    EXPECT_EQ(savepoint->subtasks[1].file.name, "savepoint-2/1-0-1.snapshot");
    EXPECT_EQ(Content(savepoint->subtasks[0].file), "two");
    EXPECT_EQ(Content(savepoint->subtasks[1].file), "old");
  }
  EXPECT_FALSE(storage_->Publish(manifest).ok());
}

TEST_F(StorageTest, ReadNamesWhatItExpects) {
  Open();
  EXPECT_THAT(storage_->Read("savepoint-9").status().message(), HasSubstr("missing"));
  for (const std::string name : {"", "x", "../other/savepoint-1", "savepoint-1/manifest"}) {
    EXPECT_THAT(storage_->Read(name).status().message(), HasSubstr("savepoint-<number>")) << name;
  }
  EXPECT_FALSE(storage_->ReadSnapshot({"../../etc/passwd", 10}).ok());
}

TEST_F(StorageTest, DiscardLeavesWhatOthersReferTo) {
  Open();
  const SnapshotFile old = Snapshot(1, 1, "old");
  ASSERT_TRUE(storage_->Publish(ManifestOf(1, {Snapshot(1, 0, "1"), old})).ok());
  ASSERT_TRUE(storage_->Publish(ManifestOf(2, {Snapshot(2, 0, "2"), old})).ok());
  ASSERT_TRUE(storage_->Discard(1).ok());
  EXPECT_EQ(Latest(), 2);
  EXPECT_EQ(Content(old), "old");
  EXPECT_TRUE(storage_->Discard(77).ok());
}

TEST_F(StorageTest, RemoveLeavesNothingOfTheJob) {
  Open("other");
  Publish(1);
  Open();
  Publish(1);
  Publish(2, Manifest::Kind::kSavepoint);
  ASSERT_TRUE(storage_->Remove().ok());
  EXPECT_FALSE(storage_->Publish(ManifestOf(3, {})).ok());
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(root_)) names.push_back(entry.path().filename());
  EXPECT_THAT(names, ElementsAre("other"));
  Open();
  EXPECT_EQ(Latest(), -1);
}

TEST_F(StorageTest, NamesOfJobsAreNamesOfFolders) {
  for (const std::string job : {"", ".", "..", "a/b", "a b", ".hidden"}) {
    EXPECT_THAT(Storage::Open(files_, root_.string(), job, clock_).status().message(), HasSubstr("letters, digits"));
  }
}

TEST_F(StorageTest, CountsOnWhereTheEpochIsDamagedOrGone) {
  Open();
  Publish(1);
  Open();
  Publish(2);
  std::filesystem::remove(Path("epoch"));
  Open();
  EXPECT_GT(storage_->epoch(), 2);
  const int64_t before = storage_->epoch();
  Publish(3);
  Truncate("epoch", 3);
  EXPECT_FALSE(storage_->Publish(ManifestOf(4, {})).ok());
  Open();
  EXPECT_GT(storage_->epoch(), before);
  EXPECT_EQ(Latest(), 3);
}

TEST_F(StorageTest, AReadOnlyFolderIsNamed) {
  if (::geteuid() == 0) {
    // Permissions do not stop this user: a file in the way does.
    const std::string in_the_way = (root_ / "file").string();
    ASSERT_TRUE(files_.Create(in_the_way).ok());
    EXPECT_THAT(Storage::Open(files_, in_the_way, "job", clock_).status().message(), HasSubstr(in_the_way));
    return;
  }
  std::filesystem::permissions(root_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_THAT(Storage::Open(files_, root_.string(), "job", clock_).status().message(),
              AllOf(HasSubstr(root_.string()), HasSubstr("permissions")));
}

TEST_F(StorageTest, ASecondOneInTheProcessIsRefused) {
  Open();
  const auto second = Storage::Open(files_, root_.string(), "job", clock_);
  EXPECT_THAT(second.status().message(), AllOf(HasSubstr("runs the job 'job'"), HasSubstr(root_.string())));
  EXPECT_EQ(storage_->epoch(), 1);
  EXPECT_TRUE(Storage::Open(files_, root_.string(), "another", clock_).ok());
  Publish(1);
}

// Run by the next test, in a process of its own: publishes, says so and holds the folder until it is killed.
TEST(StorageHolder, DISABLED_Holds) {
  const FixedClock clock;
  const auto storage = Storage::Open(LocalFileSystem(), HolderProcess::Folder(), "job", clock);
  const auto file = storage.ok() ? (*storage)->WriteSnapshot(1, 0, 0, OneBuffer("one")) : storage.status();
  HolderProcess::HoldUntilKilled(file.ok() && (*storage)->Publish(ManifestOf(1, {*file})).ok());
}

TEST_F(StorageTest, ASecondProcessIsRefusedUntilTheFirstIsDead) {
  HolderProcess holder("StorageHolder", root_.string());
  ASSERT_TRUE(holder.holds());

  const auto refused = Storage::Open(files_, root_.string(), "job", clock_);
  EXPECT_THAT(refused.status().message(),
              AllOf(HasSubstr("another process (pid " + std::to_string(holder.pid()) + ")"), HasSubstr("job")));
  const auto jobs = ListJobs(files_, root_.string());
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  ASSERT_THAT(*jobs, SizeIs(1));
  EXPECT_TRUE((*jobs)[0].is_running);
  EXPECT_EQ((*jobs)[0].process, holder.pid());

  holder.Kill();
  Open();
  EXPECT_EQ(storage_->epoch(), 2);
  EXPECT_EQ(Latest(), 1);
}

}  // namespace
}  // namespace mainstem::checkpoint
