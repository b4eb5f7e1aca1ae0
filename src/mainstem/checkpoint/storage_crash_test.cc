// Storage on a simulated disk: killed and robbed of its power at every change it makes, with and without planted
// defects.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "mainstem/checkpoint/storage.h"
#include "mainstem/checkpoint/storage_harness.h"
#include "mainstem/platform/simulated_file_system.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int kRetained = 2;
constexpr int kCheckpointsALife = 4;

// A job that is killed and started again, and what it may expect of its storage.
class Job {
 public:
  Job(SimulatedFileSystem* disk, StoragePlants plants) : disk_(disk), plants_(plants) {}

  // Runs one life until it has tried its checkpoints or its process is killed. A checkpoint that fails does not end it.
  void Live(FileSystem& process) {
    auto opened = Storage::Open(process, "/state", "job", clock_, plants_);
    if (!opened.ok()) return;
    Storage& storage = **opened;
    std::vector<std::string> damaged;
    auto latest = storage.Latest(&damaged);
    if (!latest.ok()) return;
    std::optional<SnapshotFile> fallen_back;
    if (*latest) fallen_back = (*latest)->subtasks.at(1).file;
    auto number = storage.LargestNumber();
    if (!number.ok()) return;
    for (int i = 0; i < kCheckpointsALife; ++i) {
      const int64_t checkpoint = *number + 1 + i;
      auto first = Snapshot(storage, checkpoint, 0);
      // Lane 1 falls back, but for the first time.
      auto second = fallen_back ? Result<SnapshotFile>(*fallen_back) : Snapshot(storage, checkpoint, 1);
      if (!first.ok() || !second.ok()) continue;
      Manifest manifest = ManifestOf(checkpoint, {*first, *second});
      if (i == 2) manifest.kind = Manifest::Kind::kSavepoint;
      begun_.insert(checkpoint);
      if (!storage.Publish(manifest).ok()) continue;
      fallen_back = *second;
      published_ = checkpoint;
      begun_.clear();
      (void)storage.Retain(kRetained);
    }
  }

  // What is wrong with what the next process finds.
  std::vector<std::string> Check() {
    std::vector<std::string> problems;
    auto opened = Storage::Open(*disk_, "/state", "job", clock_);
    if (!opened.ok()) return {opened.status().message()};
    std::vector<std::string> damaged;
    const auto latest = (*opened)->Latest(&damaged);
    if (!latest.ok()) return {latest.status().message()};
    // Nobody has damaged anything: a crash alone must not look like damage.
    for (const std::string& each : damaged) problems.push_back("called damaged: " + each);
    const auto jobs = ListJobs(*disk_, "/state");
    if (!jobs.ok()) return {jobs.status().message()};
    for (const StoredCheckpoint& stored : jobs->at(0).checkpoints) {
      if (!stored.damage.empty()) problems.push_back("listed as damaged: " + stored.damage);
    }
    const int64_t number = *latest ? (*latest)->checkpoint : 0;
    if (number != published_ && !begun_.contains(number)) {
      problems.push_back(fmt::format("{} is the latest, {} is published", number, published_));
    }
    published_ = number;
    begun_.clear();
    if (!*latest) return problems;
    for (const SubtaskSnapshot& subtask : (*latest)->subtasks) {
      const auto content = (*opened)->ReadSnapshot(subtask.file);
      const std::string base = subtask.file.name.substr(subtask.file.name.find('/') + 1);
      if (!content.ok() || !contents_[base].contains((*content)->ToString())) {
        problems.push_back(subtask.file.name + " is not what was written");
      }
    }
    return problems;
  }

 private:
  Result<SnapshotFile> Snapshot(const Storage& storage, int64_t checkpoint, int lane) {
    // Longer than a few of the disk's blocks, and never twice the same.
    std::string content;
    while (content.size() < 1300) content += fmt::format("{} {} {};", ++written_, checkpoint, lane);
    ARROW_ASSIGN_OR_RAISE(SnapshotFile file, storage.WriteSnapshot(checkpoint, 0, lane, OneBuffer(content)));
    contents_[file.name.substr(file.name.find('/') + 1)].insert(content);
    return file;
  }

  SimulatedFileSystem* disk_;
  StoragePlants plants_;
  FixedClock clock_;
  int64_t published_ = 0;
  std::set<int64_t> begun_;  // after the one that is published: complete or not
  int64_t written_ = 0;
  std::map<std::string, std::set<std::string>> contents_;  // by the file's name without its folder
};

enum class End { kKill, kPowerLoss };

// Three lives of a job, of which the second ends at its every change in turn; how often it did goes to `ends`.
std::vector<std::string> Sweep(StoragePlants plants, End end, int seeds, int64_t* ends) {
  std::vector<std::string> problems;
  *ends = 0;
  for (int64_t at = 1;; ++at) {
    bool killed = true;
    for (int seed = 0; seed < seeds; ++seed) {
      SimulatedFileSystem disk;
      SeededRandom random(static_cast<uint64_t>(at * 1000 + seed));
      Job job(&disk, plants);
      job.Live(*disk.StartProcess());
      const auto process = disk.StartProcess();
      process->KillAt(at);
      job.Live(*process);
      killed = !process->is_alive();
      process->Kill();
      if (end == End::kPowerLoss) disk.Crash(random);
      for (const bool again : {true, false}) {
        for (const std::string& problem : job.Check()) {
          problems.push_back(fmt::format("change {}, seed {}: {}", at, seed, problem));
        }
        if (again) job.Live(*disk.StartProcess());
      }
    }
    if (!killed) return problems;
    *ends += 1;
    if (*ends > 2000) return {"the job never finishes"};
  }
}

TEST(StorageCrash, PowerLossAtAnyChangeLeavesThePublishedOrTheOneUnderWay) {
  int64_t ends = 0;
  EXPECT_THAT(Sweep({}, End::kPowerLoss, 6, &ends), IsEmpty());
  EXPECT_GT(ends, 50);
}

TEST(StorageCrash, AKillAtAnyChangeLeavesThePublishedOrTheOneUnderWay) {
  int64_t ends = 0;
  EXPECT_THAT(Sweep({}, End::kKill, 1, &ends), IsEmpty());
  EXPECT_GT(ends, 50);
}

// Many short lives on one disk, whose calls fail and whose room runs out, ended by kills and power losses.
TEST(StorageCrash, AnyRowOfMishapsLeavesThePublishedOrOneThatWasBegun) {
  int killed = 0;
  for (uint64_t seed = 0; seed < 150; ++seed) {
    SimulatedFileSystem disk;
    SeededRandom random(seed);
    Job job(&disk, {});
    for (int life = 0; life < 8; ++life) {
      const auto process = disk.StartProcess();
      process->KillAt(1 + static_cast<int64_t>(random.Next() % 150));
      if (random.Next() % 2 == 0) disk.SetCapacity(disk.used_bytes() + static_cast<int64_t>(random.Next() % 9000));
      for (uint64_t faults = random.Next() % 4; faults > 0; --faults) {
        const auto operation = static_cast<FileOperation>(random.Next() % 14);
        // Some calls later, by chance.
        const std::string wanted = std::to_string(random.Next() % 10);
        disk.FailNext(operation, 1, [wanted](const std::string& path) { return path.find(wanted) != path.npos; });
      }
      job.Live(*process);
      killed += !process->is_alive();
      process->Kill();
      disk.StopFailing();
      disk.SetCapacity(std::nullopt);
      if (random.Next() % 2 == 0) disk.Crash(random);
      ASSERT_THAT(job.Check(), IsEmpty()) << "seed " << seed << ", life " << life;
    }
  }
  EXPECT_GT(killed, 100);
}

TEST(StorageCrash, FindsAManifestThatIsPublishedInPlace) {
  int64_t ends = 0;
  EXPECT_THAT(Sweep({.publish_in_place = true}, End::kPowerLoss, 3, &ends), Not(IsEmpty()));
}

TEST(StorageCrash, FindsSnapshotsThatAreNotSynced) {
  int64_t ends = 0;
  EXPECT_THAT(Sweep({.skip_snapshot_sync = true}, End::kPowerLoss, 3, &ends), Not(IsEmpty()));
}

TEST(StorageCrash, FindsReferencedFilesThatAreDeleted) {
  int64_t ends = 0;
  EXPECT_THAT(Sweep({.delete_referenced = true}, End::kKill, 1, &ends), Not(IsEmpty()));
}

// A process that stops before one of its renames while something else happens.
class PausedAtRename : public FileSystem {
 public:
  PausedAtRename(FileSystem& files, std::function<bool(const std::string&)> matches, std::function<void()> meanwhile)
      : files_(files), matches_(std::move(matches)), meanwhile_(std::move(meanwhile)) {}

  Status Rename(const std::string& from, const std::string& to) override {
    if (matches_(to)) meanwhile_();
    return files_.Rename(from, to);
  }
  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override { return files_.Create(path); }
  Result<std::unique_ptr<WritableFile>> Append(const std::string& path) override { return files_.Append(path); }
  Result<std::unique_ptr<ReadableFile>> Open(const std::string& path) override { return files_.Open(path); }
  Result<FileStatus> Stat(const std::string& path) override { return files_.Stat(path); }
  Result<std::vector<FolderEntry>> List(const std::string& folder) override { return files_.List(folder); }
  Status MakeFolders(const std::string& folder) override { return files_.MakeFolders(folder); }
  Status Remove(const std::string& path) override { return files_.Remove(path); }
  Status RemoveTree(const std::string& folder) override { return files_.RemoveTree(folder); }
  Status SyncFolder(const std::string& folder) override { return files_.SyncFolder(folder); }
  Status SyncDevice(const std::string& folder) override { return files_.SyncDevice(folder); }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return files_.Lock(path); }
  Result<std::optional<int64_t>> LockHolder(const std::string& path) override { return files_.LockHolder(path); }

 private:
  FileSystem& files_;
  std::function<bool(const std::string&)> matches_;
  std::function<void()> meanwhile_;
};

class Fencing : public ::testing::Test {
 protected:
  std::unique_ptr<Storage> Start(FileSystem& files, StoragePlants plants = {}) {
    auto opened = Storage::Open(files, "/state", "job", clock_, plants);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return *std::move(opened);
  }

  static Status Publish(Storage& storage, int64_t checkpoint) {
    ARROW_ASSIGN_OR_RAISE(const auto file, storage.WriteSnapshot(checkpoint, 0, 0, OneBuffer("state")));
    return storage.Publish(ManifestOf(checkpoint, {file}));
  }

  // An old process loses its lock unawares, a new one takes over and publishes, the old one goes on. Says whether the
  // old one has changed what is the latest.
  bool OldOneInterferes(StoragePlants plants, std::string* message) {
    const auto old_process = disk_.StartProcess();
    const auto new_process = disk_.StartProcess();
    const auto old_one = Start(*old_process, plants);
    EXPECT_TRUE(Publish(*old_one, 1).ok());
    disk_.BreakLocks();
    const auto new_one = Start(*new_process);
    EXPECT_TRUE(Publish(*new_one, 2).ok());
    EXPECT_TRUE(Publish(*new_one, 3).ok());
    *message = Publish(*old_one, 3).message() + Publish(*old_one, 4).message();
    *message += old_one->Retain(1).message() + old_one->Discard(3).message();
    const auto latest = new_one->Latest(nullptr);
    return !latest.ok() || !*latest || (*latest)->checkpoint != 3 || (*latest)->epoch != new_one->epoch();
  }

  SimulatedFileSystem disk_;
  FixedClock clock_;
};

TEST_F(Fencing, AnOldProcessThatWakesUpPublishesNothing) {
  std::string message;
  EXPECT_FALSE(OldOneInterferes({}, &message));
  EXPECT_THAT(message, AllOf(HasSubstr("fenced"), HasSubstr("another process has taken over the job 'job'")));
}

TEST_F(Fencing, IsFoundToBeMissing) {
  std::string message;
  EXPECT_TRUE(OldOneInterferes({.skip_fence = true}, &message));
}

TEST_F(Fencing, HoldsBetweenTheCheckAndTheRename) {
  const auto old_process = disk_.StartProcess();
  std::unique_ptr<Storage> new_one;
  PausedAtRename paused(
      *old_process, [](const std::string& to) { return to.ends_with("checkpoint-2/manifest"); },
      [&] {
        disk_.BreakLocks();
        new_one = Start(disk_);
        EXPECT_EQ((*new_one->Latest(nullptr))->checkpoint, 1);
      });
  const auto old_one = Start(paused);
  ASSERT_TRUE(Publish(*old_one, 1).ok());
  EXPECT_FALSE(Publish(*old_one, 2).ok());
  ASSERT_NE(new_one, nullptr);
  EXPECT_EQ((*new_one->Latest(nullptr))->checkpoint, 1);
}

class StorageFaults : public Fencing {};

TEST_F(StorageFaults, AFullDiskFailsOneCheckpointAndNotTheNext) {
  const auto storage = Start(disk_);
  ASSERT_TRUE(Publish(*storage, 1).ok());
  // As many bytes as are needed, less some: every place where the disk may fill up.
  int64_t room = 0;
  int failed = 0;
  for (int64_t checkpoint = 2;; ++checkpoint, room += 7) {
    disk_.SetCapacity(disk_.used_bytes() + room);
    const Status status = Publish(*storage, checkpoint);
    disk_.SetCapacity(std::nullopt);
    const auto latest = storage->Latest(nullptr);
    ASSERT_TRUE(latest.ok()) << latest.status();
    if (status.ok()) break;
    ++failed;
    EXPECT_THAT(status.message(), AllOf(HasSubstr("/state/job/"), HasSubstr("No space left")));
    EXPECT_EQ((*latest)->checkpoint, 1);
    ASSERT_TRUE(storage->Discard(checkpoint).ok());
  }
  EXPECT_GT(failed, 20);
  EXPECT_TRUE(Publish(*storage, 1000).ok());
  EXPECT_EQ((*storage->Latest(nullptr))->checkpoint, 1000);
}

TEST_F(StorageFaults, AFullDiskFailsASavepointAndLeavesNothingOfIt) {
  const auto storage = Start(disk_);
  const auto file = storage->WriteSnapshot(1, 0, 0, OneBuffer(std::string(3000, 'x'))).ValueOrDie();
  Manifest manifest = ManifestOf(1, {file});
  manifest.kind = Manifest::Kind::kSavepoint;
  disk_.SetCapacity(disk_.used_bytes() + 1000);
  EXPECT_THAT(storage->Publish(manifest).message(), HasSubstr("No space left"));
  EXPECT_EQ(disk_.Stat("/state/job/savepoint-1")->kind, FileKind::kMissing);
  disk_.SetCapacity(std::nullopt);
  ASSERT_TRUE(storage->Publish(manifest).ok());
  EXPECT_EQ((*storage->Latest(nullptr))->kind, Manifest::Kind::kSavepoint);
}

TEST_F(StorageFaults, AnyCallThatFailsOnceFailsAtMostOneCheckpoint) {
  for (const FileOperation operation :
       {FileOperation::kCreate, FileOperation::kWrite, FileOperation::kSync, FileOperation::kMakeFolder,
        FileOperation::kRename, FileOperation::kSyncFolder, FileOperation::kStat, FileOperation::kOpen,
        FileOperation::kRead}) {
    SimulatedFileSystem disk;
    auto storage = Start(disk);
    ASSERT_TRUE(Publish(*storage, 1).ok());
    disk.FailNext(operation, 1);
    const Status status = Publish(*storage, 2);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("/state/job"), HasSubstr("Input/output error")));
    ASSERT_TRUE(Publish(*storage, 3).ok());
    ASSERT_TRUE(storage->Retain(1).ok());
    SeededRandom random(5);
    disk.Crash(random);
    storage.reset();
    storage = Start(disk);
    EXPECT_EQ((*storage->Latest(nullptr))->checkpoint, 3);
  }
}

TEST_F(StorageFaults, AReadOnlyDiskIsNamedAndCanBeListed) {
  ASSERT_TRUE(Publish(*Start(disk_), 1).ok());
  auto storage = Start(disk_);
  disk_.SetReadOnly(true);
  EXPECT_THAT(Publish(*storage, 2).message(), AllOf(HasSubstr("/state/job"), HasSubstr("Read-only")));
  EXPECT_EQ((*storage->Latest(nullptr))->checkpoint, 1);
  storage.reset();
  EXPECT_THAT(Storage::Open(disk_, "/state", "job", clock_).status().message(), HasSubstr("Read-only"));
  const auto jobs = ListJobs(disk_, "/state");
  ASSERT_TRUE(jobs.ok()) << jobs.status();
  EXPECT_EQ(jobs->at(0).checkpoints.at(0).manifest->checkpoint, 1);
  disk_.SetReadOnly(false);
  EXPECT_TRUE(Publish(*Start(disk_), 2).ok());
}

TEST_F(StorageFaults, ARemovedJobIsThereOrNotAfterACrash) {
  for (int64_t at = 1;; ++at) {
    bool finished = false;
    for (int seed = 0; seed < 8; ++seed) {
      SimulatedFileSystem disk;
      const auto process = disk.StartProcess();
      const auto storage = Start(*process);
      ASSERT_TRUE(Publish(*storage, 1).ok());
      ASSERT_TRUE(Publish(*storage, 2).ok());
      process->KillAt(at);
      finished = storage->Remove().ok();
      SeededRandom random(static_cast<uint64_t>(seed));
      disk.Crash(random);
      const auto next = Start(disk);
      const auto latest = next->Latest(nullptr);
      ASSERT_TRUE(latest.ok()) << latest.status();
      EXPECT_TRUE(!*latest || (!finished && (*latest)->checkpoint == 2));
      EXPECT_EQ(disk.Stat("/state/.removed-job")->kind, FileKind::kMissing);
    }
    if (finished) break;
    ASSERT_LT(at, 50);
  }
}

}  // namespace
}  // namespace mainstem::checkpoint
