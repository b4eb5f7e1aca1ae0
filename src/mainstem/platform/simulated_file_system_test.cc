#include "mainstem/platform/simulated_file_system.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>

namespace mainstem {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

constexpr int kSeeds = 300;

void Put(FileSystem& files, const std::string& path, std::string_view content, bool sync) {
  const auto file = files.Create(path).ValueOrDie();
  ASSERT_TRUE(file->Write(content).ok());
  if (sync) ASSERT_TRUE(file->Sync().ok());
}

// What stands on the disk: path → content, of a flat root.
std::map<std::string, std::string> Contents(FileSystem& files) {
  std::map<std::string, std::string> contents;
  for (const FolderEntry& entry : files.List("/").ValueOrDie()) {
    contents[entry.name] = entry.kind == FileKind::kFile ? files.ReadAll(entry.name, 1 << 20).ValueOrDie() : "/";
  }
  return contents;
}

// All that is left after a crash, over many seeds.
template <typename Prepare>
std::set<std::map<std::string, std::string>> Outcomes(Prepare prepare) {
  std::set<std::map<std::string, std::string>> outcomes;
  for (int seed = 0; seed < kSeeds; ++seed) {
    SimulatedFileSystem disk;
    prepare(disk);
    SeededRandom random(static_cast<uint64_t>(seed));
    disk.Crash(random);
    outcomes.insert(Contents(disk));
  }
  return outcomes;
}

using Files = std::map<std::string, std::string>;

TEST(SimulatedFileSystem, WhatIsSyncedWithItsNameSurvives) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    Put(disk, "a", "one", true);
    ASSERT_TRUE(disk.SyncFolder("/").ok());
  });
  EXPECT_EQ(outcomes, (std::set<Files>{{{"a", "one"}}}));
}

TEST(SimulatedFileSystem, ANameNotSyncedIsLostOrKept) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) { Put(disk, "a", "one", true); });
  EXPECT_EQ(outcomes, (std::set<Files>{{}, {{"a", "one"}}}));
}

TEST(SimulatedFileSystem, NamesAreLostIndependently) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    Put(disk, "a", "", true);
    Put(disk, "b", "", true);
  });
  EXPECT_EQ(outcomes, (std::set<Files>{{}, {{"a", ""}}, {{"b", ""}}, {{"a", ""}, {"b", ""}}}));
}

TEST(SimulatedFileSystem, ARenameNotSyncedIsDoneOrNotDone) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    Put(disk, "a", "new", true);
    Put(disk, "b", "old", true);
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    ASSERT_TRUE(disk.Rename("a", "b").ok());
  });
  EXPECT_EQ(outcomes, (std::set<Files>{{{"a", "new"}, {"b", "old"}}, {{"b", "new"}}}));
}

TEST(SimulatedFileSystem, TwoRenamesOfOneFileLeaveItOnce) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    Put(disk, "a", "x", true);
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    ASSERT_TRUE(disk.Rename("a", "b").ok());
    ASSERT_TRUE(disk.Rename("b", "c").ok());
  });
  EXPECT_EQ(outcomes, (std::set<Files>{{{"a", "x"}}, {{"b", "x"}}, {{"c", "x"}}}));
}

TEST(SimulatedFileSystem, ARenameAcrossFoldersNeedsBothSynced) {
  for (const bool both : {false, true}) {
    int moved = 0;
    for (int seed = 0; seed < kSeeds; ++seed) {
      SimulatedFileSystem disk;
      ASSERT_TRUE(disk.MakeFolders("from").ok());
      ASSERT_TRUE(disk.MakeFolders("to").ok());
      Put(disk, "from/a", "x", true);
      ASSERT_TRUE(disk.SyncFolder("from").ok());
      ASSERT_TRUE(disk.Rename("from/a", "to/a").ok());
      ASSERT_TRUE(disk.SyncFolder("to").ok());
      if (both) ASSERT_TRUE(disk.SyncFolder("from").ok());
      SeededRandom random(static_cast<uint64_t>(seed));
      disk.Crash(random);
      const bool in_from = disk.Stat("from/a")->kind == FileKind::kFile;
      const bool in_to = disk.Stat("to/a")->kind == FileKind::kFile;
      EXPECT_NE(in_from, in_to);
      moved += in_to;
    }
    if (both) {
      EXPECT_EQ(moved, kSeeds);
    } else {
      EXPECT_GT(moved, 0);
      EXPECT_LT(moved, kSeeds);
    }
  }
}

TEST(SimulatedFileSystem, ARemovalNotSyncedMayComeBack) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    Put(disk, "a", "x", true);
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    ASSERT_TRUE(disk.Remove("a").ok());
  });
  EXPECT_EQ(outcomes, (std::set<Files>{{}, {{"a", "x"}}}));
}

TEST(SimulatedFileSystem, ContentNotSyncedIsLostCutOrTorn) {
  const std::string content(2000, 'x');
  const auto outcomes = Outcomes([&](SimulatedFileSystem& disk) {
    Put(disk, "a", "", true);
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    ASSERT_TRUE(disk.Append("a").ValueOrDie()->Write(content).ok());
  });
  EXPECT_THAT(outcomes, Contains(Files{{"a", ""}}));
  EXPECT_THAT(outcomes, Contains(Files{{"a", content}}));
  bool cut = false;
  bool has_hole = false;
  bool has_garbage = false;
  for (const Files& outcome : outcomes) {
    const std::string& left = outcome.at("a");
    EXPECT_LE(left.size(), content.size());
    cut |= !left.empty() && left.size() < content.size() && left.find_first_not_of('x') == std::string::npos;
    has_hole |= left.find(std::string(512, '\0')) != std::string::npos;
    has_garbage |= left.find_first_not_of(std::string("x\0", 2)) != std::string::npos;
  }
  EXPECT_TRUE(cut && has_hole && has_garbage);
}

TEST(SimulatedFileSystem, SyncedContentSurvivesWhatFollowsIt) {
  const std::string kept(700, 'k');
  const auto outcomes = Outcomes([&](SimulatedFileSystem& disk) {
    const auto file = disk.Create("a").ValueOrDie();
    ASSERT_TRUE(file->Write(kept).ok());
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(disk.SyncFolder("/").ok());
    ASSERT_TRUE(file->Write(std::string(700, 'l')).ok());
  });
  for (const Files& outcome : outcomes) EXPECT_TRUE(outcome.at("a").starts_with(kept));
  EXPECT_GT(outcomes.size(), 10u);
}

TEST(SimulatedFileSystem, SyncDeviceMakesAllDurable) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    Put(disk, "a", "one", false);
    Put(disk, "b", "two", false);
    ASSERT_TRUE(disk.Rename("b", "c").ok());
    ASSERT_TRUE(disk.SyncDevice("/").ok());
  });
  EXPECT_EQ(outcomes, (std::set<Files>{{{"a", "one"}, {"c", "two"}}}));
}

TEST(SimulatedFileSystem, ASyncThatFailedIsNotMadeGoodByALaterOne) {
  const auto outcomes = Outcomes([](SimulatedFileSystem& disk) {
    disk.FailNext(FileOperation::kSync, 1);
    const auto file = disk.Create("a").ValueOrDie();
    ASSERT_TRUE(file->Write(std::string(100, 'x')).ok());
    EXPECT_THAT(file->Sync().message(), AllOf(HasSubstr("'a'"), HasSubstr("Input/output error")));
    ASSERT_TRUE(file->Sync().ok());
    ASSERT_TRUE(disk.SyncFolder("/").ok());
  });
  EXPECT_THAT(outcomes, Contains(Files{{"a", std::string(100, '\0')}}));
}

TEST(SimulatedFileSystem, IsTheSameForTheSameSeed) {
  const auto left = [](uint64_t seed) {
    SimulatedFileSystem disk;
    for (int i = 0; i < 20; ++i) Put(disk, std::to_string(i), std::string(1500, 'a'), i % 3 == 0);
    SeededRandom random(seed);
    disk.Crash(random);
    return Contents(disk);
  };
  EXPECT_EQ(left(7), left(7));
  EXPECT_NE(left(7), left(8));
}

TEST(SimulatedFileSystem, TakesWhatReplacesDurablyAsOldOrNew) {
  for (int64_t at = 1;; ++at) {
    bool finished = false;
    for (int seed = 0; seed < 20; ++seed) {
      SimulatedFileSystem disk;
      ASSERT_TRUE(disk.WriteDurably("a", "old").ok());
      const auto process = disk.StartProcess();
      process->KillAt(at);
      finished = process->WriteDurably("a", "new").ok();
      SeededRandom random(static_cast<uint64_t>(seed));
      disk.Crash(random);
      const std::string left = disk.ReadAll("a", 100).ValueOrDie();
      if (finished) {
        EXPECT_EQ(left, "new");
      } else {
        EXPECT_TRUE(left == "old" || left == "new") << left;
      }
    }
    if (finished) break;
    ASSERT_LT(at, 20);
  }
}

TEST(SimulatedProcess, AKilledOneChangesNothingMore) {
  SimulatedFileSystem disk;
  const auto process = disk.StartProcess();
  const auto file = process->Create("a").ValueOrDie();
  ASSERT_TRUE(file->Write("x").ok());
  const auto lock = process->Lock("lock").ValueOrDie();
  process->Kill();
  EXPECT_THAT(file->Write("y").message(), HasSubstr("was killed"));
  EXPECT_FALSE(process->Remove("a").ok());
  EXPECT_FALSE(process->Create("b").ok());
  EXPECT_EQ(*disk.ReadAll("a", 10), "x");  // the machine lives
  EXPECT_TRUE(disk.Lock("lock").ok());
}

TEST(SimulatedProcess, APausedOneGoesOnWhereItWas) {
  SimulatedFileSystem disk;
  const auto paused = disk.StartProcess();
  const auto other = disk.StartProcess();
  const auto file = paused->Create("a").ValueOrDie();
  other->Kill();
  EXPECT_TRUE(file->Write("x").ok());
  EXPECT_TRUE(paused->is_alive());
}

TEST(SimulatedProcess, IsKilledInTheMiddleOfAWrite) {
  SimulatedFileSystem disk;
  const auto process = disk.StartProcess();
  const auto file = process->Create("a").ValueOrDie();
  process->KillAt(1);
  EXPECT_FALSE(file->Write("12345678").ok());
  EXPECT_FALSE(process->is_alive());
  EXPECT_EQ(*disk.ReadAll("a", 10), "1234");
}

TEST(SimulatedFileSystem, ACrashEndsHandlesAndLocks) {
  SimulatedFileSystem disk;
  const auto file = disk.Create("a").ValueOrDie();
  const auto lock = disk.Lock("lock").ValueOrDie();
  SeededRandom random(1);
  disk.Crash(random);
  EXPECT_FALSE(file->Write("x").ok());
  EXPECT_TRUE(disk.Lock("lock").ok());
  EXPECT_TRUE(disk.Append("b").ValueOrDie()->Write("x").ok());
}

TEST(SimulatedFileSystem, AFullDiskTakesWhatFits) {
  SimulatedFileSystem disk;
  disk.SetCapacity(10);
  const auto file = disk.Create("a").ValueOrDie();
  const Status status = file->Write("123456789012345");
  EXPECT_THAT(status.message(), AllOf(HasSubstr("'a'"), HasSubstr("No space left")));
  EXPECT_EQ(ClassOf(status), ErrorClass::kJob);
  EXPECT_EQ(*disk.ReadAll("a", 100), "1234567890");
  EXPECT_FALSE(disk.Create("b").ok());
  disk.SetCapacity(std::nullopt);
  EXPECT_TRUE(file->Write("x").ok());
}

TEST(SimulatedFileSystem, AReadOnlyOneCanBeRead) {
  SimulatedFileSystem disk;
  Put(disk, "a", "x", true);
  disk.SetReadOnly(true);
  EXPECT_THAT(disk.Create("b").status().message(), HasSubstr("Read-only"));
  EXPECT_FALSE(disk.Rename("a", "c").ok());
  EXPECT_FALSE(disk.Remove("a").ok());
  EXPECT_EQ(*disk.ReadAll("a", 10), "x");
}

TEST(SimulatedFileSystem, FailsAsOftenAsAskedOnThePathsAsked) {
  SimulatedFileSystem disk;
  disk.FailNext(FileOperation::kCreate, 2, [](const std::string& path) { return path == "bad"; }, "out of luck");
  EXPECT_TRUE(disk.Create("good").ok());
  EXPECT_THAT(disk.Create("bad").status().message(), AllOf(HasSubstr("bad"), HasSubstr("out of luck")));
  EXPECT_FALSE(disk.Create("bad").ok());
  EXPECT_TRUE(disk.Create("bad").ok());
}

TEST(SimulatedFileSystem, RefusesWhatPosixRefuses) {
  SimulatedFileSystem disk;
  ASSERT_TRUE(disk.MakeFolders("f/g").ok());
  Put(disk, "a", "x", true);
  Put(disk, "f/b", "x", true);
  EXPECT_FALSE(disk.Create("a").ok());
  EXPECT_FALSE(disk.Create("missing/a").ok());
  EXPECT_FALSE(disk.Open("f").ok());
  EXPECT_FALSE(disk.Open("missing").ok());
  EXPECT_FALSE(disk.Remove("f").ok());
  EXPECT_TRUE(disk.Remove("missing").ok());
  EXPECT_FALSE(disk.Rename("missing", "b").ok());
  EXPECT_FALSE(disk.Rename("f", "f/g/h").ok());
  EXPECT_FALSE(disk.Rename("a", "f").ok());
  EXPECT_FALSE(disk.MakeFolders("a/b").ok());
  EXPECT_FALSE(disk.Open("f/../a").ok());
  EXPECT_TRUE(disk.RemoveTree("f").ok());
  EXPECT_THAT(disk.List("/").ValueOrDie(), SizeIs(1));
}

// The contract of locks, which both implementations keep.
void ExpectLocks(FileSystem& files, const std::string& path, int64_t self) {
  EXPECT_EQ(files.LockHolder(path).ValueOrDie(), std::nullopt);
  auto lock = files.Lock(path).ValueOrDie();
  EXPECT_EQ(files.LockHolder(path).ValueOrDie(), self);
  EXPECT_THAT(files.Lock(path).status().message(), AllOf(HasSubstr(path), HasSubstr("another holder in this process")));
  EXPECT_EQ(files.LockHolder(path).ValueOrDie(), self);
  lock.reset();
  EXPECT_EQ(files.LockHolder(path).ValueOrDie(), std::nullopt);
  EXPECT_TRUE(files.Lock(path).ok());
}

TEST(SimulatedFileSystem, KeepsTheContractOfLocks) {
  SimulatedFileSystem disk;
  ExpectLocks(disk, "lock", disk.id());
  const auto first = disk.StartProcess();
  const auto second = disk.StartProcess();
  const auto lock = first->Lock("lock").ValueOrDie();
  EXPECT_THAT(second->Lock("lock").status().message(), HasSubstr("process " + std::to_string(first->id())));
  disk.BreakLocks();
  EXPECT_TRUE(second->Lock("lock").ok());
}

TEST(LocalFileSystem, KeepsTheContractOfLocks) {
  const std::string path = ::testing::TempDir() + "mainstem_lock_" + std::to_string(::getpid());
  ExpectLocks(LocalFileSystem(), path, ::getpid());
  // One that is replaced under its holder keeps nobody out of the new one.
  const auto lock = LocalFileSystem().Lock(path).ValueOrDie();
  ASSERT_TRUE(LocalFileSystem().Remove(path).ok());
  EXPECT_TRUE(LocalFileSystem().Lock(path).ok());
  ASSERT_TRUE(LocalFileSystem().Remove(path).ok());
  EXPECT_FALSE(LocalFileSystem().Lock(path + "/missing/lock").ok());
}

}  // namespace
}  // namespace mainstem
