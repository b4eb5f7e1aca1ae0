// Checkpoints in a store: what storage promises on a disk it keeps on objects, whatever is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "mainstem/checkpoint/storage.h"
#include "mainstem/checkpoint/storage_harness.h"
#include "mainstem/connectors/files/memory_object_store.h"
#include "mainstem/connectors/files/remote_file_system.h"
#include "mainstem/connectors/files/remote_lock.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kFolder = "s3://bucket/state";

// One process's way to the bucket, and its storage.
struct Attempt {
  explicit Attempt(const std::shared_ptr<MemoryBucket>& bucket)
      : store(std::make_shared<MemoryObjectStore>(bucket)), files(store, "s3://") {}

  Status Open() {
    ARROW_ASSIGN_OR_RAISE(storage, Storage::Open(files, kFolder, "job", clock));
    return Status::OK();
  }

  // One subtask whose state is the checkpoint's number.
  Status Publish(int64_t checkpoint, Manifest::Kind kind = Manifest::Kind::kCheckpoint) {
    ARROW_ASSIGN_OR_RAISE(const SnapshotFile file,
                          storage->WriteSnapshot(checkpoint, 0, 0, OneBuffer(std::to_string(checkpoint))));
    Manifest manifest = ManifestOf(checkpoint, {file});
    manifest.kind = kind;
    return storage->Publish(manifest);
  }

  // -1: an error, which is `problem`; 0: none.
  int64_t Latest(std::string* problem) {
    std::vector<std::string> damaged;
    const auto latest = storage->Latest(&damaged);
    for (const std::string& each : damaged) *problem += each;
    if (!latest.ok()) *problem += latest.status().message();
    if (!latest.ok()) return -1;
    if (!*latest) return 0;
    const auto content = storage->ReadSnapshot((*latest)->subtasks.at(0).file);
    if (!content.ok() || (*content)->ToString() != std::to_string((*latest)->checkpoint)) *problem += "wrong content";
    return (*latest)->checkpoint;
  }

  FixedClock clock;
  std::shared_ptr<MemoryObjectStore> store;
  RemoteFileSystem files;
  std::unique_ptr<Storage> storage;
};

class RemoteCheckpoints : public ::testing::Test {
 protected:
  // Nobody hears of the process that held the lease.
  void LeaseEnds() { bucket_->now += std::chrono::nanoseconds(kLeaseNs) + std::chrono::seconds(1); }

  int64_t CountBelow(const std::string& prefix) {
    const std::lock_guard lock(bucket_->mutex);
    return std::count_if(bucket_->objects.begin(), bucket_->objects.end(),
                         [&](const auto& each) { return each.first.starts_with(prefix); });
  }

  std::shared_ptr<MemoryBucket> bucket_ = std::make_shared<MemoryBucket>();
  std::string problem_;
};

TEST_F(RemoteCheckpoints, RestoreWhatTheProcessBeforePublished) {
  Attempt first(bucket_);
  ASSERT_TRUE(first.Open().ok());
  EXPECT_EQ(first.Latest(&problem_), 0);
  ASSERT_TRUE(first.Publish(1).ok());
  ASSERT_TRUE(first.Publish(2, Manifest::Kind::kSavepoint).ok());
  ASSERT_TRUE(first.Publish(3).ok());
  first.storage.reset();
  Attempt second(bucket_);
  ASSERT_TRUE(second.Open().ok());
  EXPECT_EQ(second.storage->epoch(), 2);
  EXPECT_EQ(second.Latest(&problem_), 3);
  EXPECT_TRUE(second.storage->Read(kFolder + "/job/savepoint-2").ok());
  EXPECT_EQ(problem_, "");
}

TEST_F(RemoteCheckpoints, WhatIsTooManyIsGone) {
  Attempt attempt(bucket_);
  ASSERT_TRUE(attempt.Open().ok());
  for (int64_t i = 1; i <= 5; ++i) ASSERT_TRUE(attempt.Publish(i).ok());
  ASSERT_TRUE(attempt.storage->Retain(2).ok());
  EXPECT_EQ(CountBelow("bucket/state/job/checkpoint-"), 2 * 2);  // a snapshot and a manifest each
  EXPECT_EQ(attempt.Latest(&problem_), 5);
  ASSERT_TRUE(attempt.storage->Remove().ok());
  attempt.storage.reset();
  EXPECT_EQ(CountBelow(""), 0);
}

TEST_F(RemoteCheckpoints, DamageIsNamedAndTheOneBeforeUsed) {
  Attempt attempt(bucket_);
  ASSERT_TRUE(attempt.Open().ok());
  ASSERT_TRUE(attempt.Publish(1).ok());
  ASSERT_TRUE(attempt.Publish(2).ok());
  bucket_->objects["bucket/state/job/checkpoint-2/1-0-0.snapshot"].content = arrow::Buffer::FromString("short");
  EXPECT_EQ(attempt.Latest(&problem_), 1);
  EXPECT_THAT(problem_, HasSubstr("s3://bucket/state/job/checkpoint-2/1-0-0.snapshot"));
}

TEST_F(RemoteCheckpoints, ASecondProcessIsRefusedAndAnOldOneFenced) {
  // Whether a holder is alive is told by this machine's clock where nothing may be written.
  bucket_->now = std::chrono::time_point_cast<arrow::fs::TimePoint::duration>(std::chrono::system_clock::now());
  Attempt old(bucket_);
  ASSERT_TRUE(old.Open().ok());
  Attempt young(bucket_);
  EXPECT_THAT(young.Open().message(), AllOf(HasSubstr("another process"), HasSubstr(kFolder)));
  LeaseEnds();
  ASSERT_TRUE(young.Open().ok());
  EXPECT_THAT(old.Publish(1).message(), HasSubstr("fenced"));
  EXPECT_THAT(old.storage->Retain(1).message(), HasSubstr("fenced"));
  EXPECT_TRUE(young.Publish(1).ok());
}

// A copy in a store takes time: the new attempt looks for the latest before the old one's manifest has its name.
TEST_F(RemoteCheckpoints, ATakeoverDuringTheLastStepFencesTheOldOne) {
  Attempt old(bucket_);
  ASSERT_TRUE(old.Open().ok());
  Attempt young(bucket_);
  old.store->during_copy = [&] {
    LeaseEnds();
    ASSERT_TRUE(young.Open().ok());
    EXPECT_EQ(young.Latest(&problem_), 0);
  };
  EXPECT_THAT(old.Publish(1).message(), HasSubstr("fenced"));
}

// Two lives of a job, of which the first ends at each of its changes in turn.
TEST_F(RemoteCheckpoints, AKillAtAnyChangeLosesNothingThatWasPublished) {
  int64_t kills = 0;
  for (int64_t at = 1; at < 500; ++at) {
    bucket_ = std::make_shared<MemoryBucket>();
    Attempt first(bucket_);
    first.store->KillAt(at);
    int64_t published = 0;
    bool opened = first.Open().ok();
    for (int64_t i = 1; opened && i <= 4; ++i) {
      const auto kind = i == 3 ? Manifest::Kind::kSavepoint : Manifest::Kind::kCheckpoint;
      if (!first.Publish(i, kind).ok()) break;
      published = i;
      if (!first.storage->Retain(2).ok()) break;
    }
    const bool killed = !first.store->is_alive();
    first.storage.reset();
    LeaseEnds();
    Attempt second(bucket_);
    ASSERT_TRUE(second.Open().ok()) << at;
    const int64_t latest = second.Latest(&problem_);
    EXPECT_TRUE(latest == published || latest == published + 1) << at << ": " << latest << " after " << published;
    EXPECT_EQ(problem_, "") << at;
    const int64_t next = *second.storage->LargestNumber() + 1;
    ASSERT_TRUE(second.Publish(next).ok()) << at;
    ASSERT_TRUE(second.storage->Retain(1).ok()) << at;
    EXPECT_EQ(second.Latest(&problem_), next) << at;
    EXPECT_EQ(CountBelow("bucket/state/job/checkpoint-"), 2) << at;
    if (!killed) break;
    ++kills;
  }
  EXPECT_GE(kills, 20);  // 4 checkpoints of at least 4 changes, the lock, the epoch, what goes
}

}  // namespace
}  // namespace mainstem::checkpoint
