#include <arrow/api.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <sstream>

#include "mainstem/connectors/staging/part_sink.h"
#include "mainstem/platform/simulated_file_system.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using Ids = std::multiset<int64_t>;

class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

// One number a line: what a test reads without the engine.
class Lines : public PartFormat {
 public:
  std::string name() const override { return "lines"; }
  std::string extension() const override { return ".txt"; }
  bool empty_file_is_useful() const override { return true; }
  Result<std::unique_ptr<PartEncoder>> Open(std::shared_ptr<arrow::io::OutputStream> stream) const override {
    struct Encoder : PartEncoder {
      Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) override {
        const auto& ids = static_cast<const arrow::Int64Array&>(*rows->column(0));
        std::string text;
        for (int64_t i = 0; i < ids.length(); ++i) text += std::to_string(ids.Value(i)) + "\n";
        size += static_cast<int64_t>(text.size());
        return stream->Write(text);
      }
      Result<int64_t> SizeSoFar() const override { return size; }
      Status Finish() override { return Status::OK(); }
      std::shared_ptr<arrow::io::OutputStream> stream;
      int64_t size = 0;
    };
    auto encoder = std::make_unique<Encoder>();
    encoder->stream = std::move(stream);
    return encoder;
  }
};

std::shared_ptr<arrow::RecordBatch> Numbers(int64_t begin, int64_t end) {
  arrow::Int64Builder builder;
  for (int64_t i = begin; i < end; ++i) EXPECT_TRUE(builder.Append(i).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field("id", arrow::int64())}), end - begin,
                                  {builder.Finish().ValueOrDie()});
}

std::shared_ptr<Sink> MakeSink(FileSystem& files, WriteMode mode = WriteMode::kAppend, StagingPlants plants = {}) {
  auto store = OpenLocalStore("/out", files).ValueOrDie();
  return MakePartSink(std::move(store), mode, 1 << 20, std::make_shared<Lines>(), plants).ValueOrDie();
}

Ids Range(int64_t begin, int64_t end) {
  Ids ids;
  for (int64_t i = begin; i < end; ++i) ids.insert(i);
  return ids;
}

void ReadInto(FileSystem& files, const std::string& folder, bool hidden, Ids* ids, std::vector<std::string>* names) {
  if (files.Stat(folder).ValueOrDie().kind != FileKind::kFolder) return;
  for (const FolderEntry& entry : files.List(folder).ValueOrDie()) {
    const std::string path = JoinPath(folder, entry.name);
    if (entry.name.starts_with('.') && !hidden) continue;
    if (entry.kind == FileKind::kFolder) {
      ReadInto(files, path, hidden, ids, names);
      continue;
    }
    names->push_back(path);
    std::istringstream lines(files.ReadAll(path, 1 << 20).ValueOrDie());
    for (std::string line; std::getline(lines, line);) {
      // A file that lost its content is no number; it counts as one that nobody wrote.
      const bool is_number = !line.empty() && line.find_first_not_of("-0123456789") == std::string::npos;
      ids->insert(is_number && line.size() < 10 ? std::stoll(line) : -1000);
    }
  }
}

Ids Visible(FileSystem& files, std::vector<std::string>* names = nullptr) {
  Ids ids;
  std::vector<std::string> found;
  ReadInto(files, "/out", false, &ids, &found);
  if (names != nullptr) *names = found;
  return ids;
}

std::vector<std::string> Hidden(FileSystem& files) {
  Ids ids;
  std::vector<std::string> names;
  ReadInto(files, "/out/.mainstem-staging", true, &ids, &names);
  return names;
}

constexpr int64_t kCheckpoints = 3;
constexpr int64_t kRowsPerLane = 2;
constexpr int64_t kRowsPerCheckpoint = 2 * kRowsPerLane;
const SinkJob kJob{.id = "nightly", .checkpoint_folder = "/state"};

// What the coordinator has on its own durable storage: the newest manifest.
struct Manifest {
  int64_t attempts = 0;
  int64_t next_row = 0;
  bool exists = false;
  std::vector<Committable> pending;
};

// The protocol of a job with checkpoints, as sink.h tells it: runs until it is done or the process is killed.
Status RunAttempt(Sink& sink, Manifest* manifest) {
  const std::string attempt = fmt::format("{}.{}", kJob.id, ++manifest->attempts);
  if (manifest->exists) {
    ARROW_RETURN_NOT_OK(sink.Restore(kJob, manifest->pending));
    ARROW_RETURN_NOT_OK(sink.Commit(manifest->pending));
  } else {
    ARROW_RETURN_NOT_OK(sink.Begin(kJob));
  }
  std::vector<std::unique_ptr<SinkWriter>> writers;
  for (int lane = 0; lane < 2; ++lane) {
    ARROW_ASSIGN_OR_RAISE(auto writer, sink.OpenWriter(lane, attempt));
    writers.push_back(std::move(writer));
  }
  for (int64_t row = manifest->next_row; row < kCheckpoints * kRowsPerCheckpoint;) {
    std::vector<Committable> prepared;
    for (const auto& writer : writers) {
      ARROW_RETURN_NOT_OK(writer->Write(Numbers(row, row + kRowsPerLane)));
      row += kRowsPerLane;
      ARROW_ASSIGN_OR_RAISE(auto committables, writer->Prepare());
      prepared.insert(prepared.end(), committables.begin(), committables.end());
    }
    ARROW_RETURN_NOT_OK(sink.MakeDurable(prepared));
    *manifest = {.attempts = manifest->attempts, .next_row = row, .exists = true, .pending = prepared};
    ARROW_RETURN_NOT_OK(sink.Commit(prepared));
  }
  return sink.Finish(kJob.id);
}

struct Trial {
  WriteMode mode = WriteMode::kAppend;
  StagingPlants plants;
  bool power_loss = true;
  uint64_t seed = 0;
};

// Kills the first attempt at its `at`-th change and the second at its `at_again`-th, then lets the job finish.
// Returns what is wrong, or nothing; `was_killed` says whether the first attempt was still running.
std::string Try(const Trial& trial, int64_t at, int64_t at_again, bool* was_killed) {
  SimulatedFileSystem disk;
  SeededRandom random(trial.seed);
  const Ids old = trial.mode == WriteMode::kOverwrite ? Ids{-1} : Ids{};
  if (!old.empty()) {
    if (!disk.MakeFolders("/out").ok() || !disk.WriteDurably("/out/old.txt", "-1\n").ok()) return "no disk";
  }
  Manifest manifest;
  *was_killed = false;
  for (const int64_t kill : {at, at_again, int64_t{0}}) {
    auto process = disk.StartProcess();
    if (kill > 0) process->KillAt(kill);
    const auto sink = MakeSink(*process, trial.mode, trial.plants);
    const Status status = RunAttempt(*sink, &manifest);
    *was_killed |= !process->is_alive();
    if (process->is_alive()) {
      if (!status.ok()) return "fails: " + status.message();
      break;
    }
    if (trial.power_loss) disk.Crash(random);
    if (!manifest.exists && Visible(disk) != old) return "shows something before the first checkpoint";
    // As a restart begins: what is visible is exactly what the newest checkpoint covers.
    auto restart = disk.StartProcess();
    if (!manifest.exists) continue;
    const auto again = MakeSink(*restart, trial.mode, trial.plants);
    Status restored = again->Restore(kJob, manifest.pending);
    if (restored.ok()) restored = again->Commit(manifest.pending);
    if (!restored.ok()) return "does not restore: " + restored.message();
    if (Visible(disk) != Range(0, manifest.next_row)) return "shows other rows than the checkpoint's";
  }
  if (Visible(disk) != Range(0, kCheckpoints * kRowsPerCheckpoint)) return "ends with other rows than the job's";
  if (!Hidden(disk).empty()) return "leaves staging behind: " + Hidden(disk)[0];
  return "";
}

// The first thing that goes wrong in a kill at any change, alone and followed by another.
std::string FirstFault(Trial trial) {
  for (int64_t at = 1;; ++at) {
    bool was_killed = false;
    for (int64_t at_again = 0; at_again < 25; at_again += 4) {
      for (trial.seed = 0; trial.seed < (trial.power_loss ? 8u : 1u); ++trial.seed) {
        const std::string fault = Try(trial, at, at_again, &was_killed);
        if (!fault.empty()) return fmt::format("killed at {} and {}, seed {}: {}", at, at_again, trial.seed, fault);
      }
    }
    if (!was_killed) return "";
  }
}

// Many thousand deaths, all on one thread: the thread sanitizer has nothing to find here and takes minutes.
class StagingProtocol : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "one thread";
#endif
  }
};

TEST_F(StagingProtocol, ADeathAtAnyChangeLosesAndRepeatsNothing) {
  EXPECT_EQ(FirstFault({.power_loss = false}), "");
}

TEST_F(StagingProtocol, APowerLossAtAnyChangeLosesAndRepeatsNothing) { EXPECT_EQ(FirstFault({}), ""); }

TEST_F(StagingProtocol, OverwriteReplacesOnceWhateverCrashes) {
  EXPECT_EQ(FirstFault({.mode = WriteMode::kOverwrite, .power_loss = false}), "");
  EXPECT_EQ(FirstFault({.mode = WriteMode::kOverwrite}), "");
}

TEST_F(StagingProtocol, PlantedDefectsAreFound) {
  EXPECT_NE(FirstFault({.plants = {.skip_staged_sync = true}}), "");
  EXPECT_NE(FirstFault({.plants = {.commit_on_prepare = true}}), "");
  EXPECT_NE(FirstFault({.plants = {.new_names_on_recommit = true}}), "");
}

class StagingTest : public ::testing::Test {
 protected:
  std::vector<Committable> Stage(Sink& sink, int lane, int64_t begin, int64_t end, const std::string& attempt) {
    auto writer = sink.OpenWriter(lane, attempt).ValueOrDie();
    EXPECT_TRUE(writer->Write(Numbers(begin, end)).ok());
    return writer->Prepare().ValueOrDie();
  }
  SimulatedFileSystem disk_;
};

TEST_F(StagingTest, RestoreSweepsWhatDeadAttemptsStagedAndKeepsWhatIsPending) {
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  const auto pending = Stage(*sink, 0, 0, 5, "nightly.1");
  (void)Stage(*sink, 0, 5, 9, "nightly.1");
  (void)Stage(*sink, 1, 9, 12, "nightly.2");
  (void)Stage(*sink, 1, 50, 60, "other.1");
  EXPECT_THAT(Hidden(disk_), SizeIs(5));  // and the marker
  ASSERT_TRUE(MakeSink(disk_)->Restore(kJob, pending).ok());
  EXPECT_THAT(Hidden(disk_), SizeIs(3));
  ASSERT_TRUE(MakeSink(disk_)->Commit(pending).ok());
  EXPECT_EQ(Visible(disk_), Range(0, 5));
  ASSERT_TRUE(MakeSink(disk_)->Restore(kJob, pending).ok());
}

TEST_F(StagingTest, RestoreNamesAPendingFileThatIsGone) {
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  const auto pending = Stage(*sink, 0, 0, 5, "nightly.1");
  ASSERT_TRUE(disk_.RemoveTree("/out/.mainstem-staging/nightly/1").ok());
  EXPECT_THAT(MakeSink(disk_)->Restore(kJob, pending).message(), HasSubstr("its staged file is gone"));
  const auto committed = Stage(*sink, 0, 0, 5, "nightly.2");
  ASSERT_TRUE(sink->Commit(committed).ok());
  std::vector<std::string> names;
  (void)Visible(disk_, &names);
  ASSERT_TRUE(disk_.Remove(names.at(0)).ok());
  EXPECT_THAT(MakeSink(disk_)->Restore(kJob, committed).message(), HasSubstr(names[0].substr(5)));
}

TEST_F(StagingTest, WhatWasShownIsWithdrawnWheneverItDies) {
  // The job goes back to its first checkpoint; what the two after it have shown goes out of sight.
  for (int64_t kill = 0;; ++kill) {
    SimulatedFileSystem disk;
    SeededRandom random(static_cast<uint64_t>(kill));
    auto sink = MakeSink(disk);
    ASSERT_TRUE(sink->Begin(kJob).ok());
    const auto first = Stage(*sink, 0, 0, 5, "nightly.1");
    auto later = Stage(*sink, 0, 5, 8, "nightly.1");
    const auto more = Stage(*sink, 1, 8, 12, "nightly.1");
    later.insert(later.end(), more.begin(), more.end());
    for (const auto& committables : {first, later}) {
      ASSERT_TRUE(sink->MakeDurable(committables).ok());
      ASSERT_TRUE(sink->Commit(committables).ok());
    }
    auto process = disk.StartProcess();
    if (kill > 0) process->KillAt(kill);
    const Status withdrawn = MakeSink(*process)->Withdraw(kJob, later, first);
    const bool was_killed = !process->is_alive();
    if (was_killed) disk.Crash(random);
    auto again = disk.StartProcess();
    if (was_killed) {
      const Status status = MakeSink(*again)->Withdraw(kJob, later, first);
      ASSERT_TRUE(status.ok()) << status << " killed at " << kill;
    } else {
      ASSERT_TRUE(withdrawn.ok()) << withdrawn;
    }
    const auto restored = MakeSink(*again);
    ASSERT_TRUE(restored->Restore(kJob, first).ok());
    EXPECT_EQ(Visible(disk), Range(0, 5)) << "killed at " << kill;
    Ids withdrawn_ids;
    std::vector<std::string> names;
    ReadInto(disk, "/out/.mainstem-withdrawn/nightly", true, &withdrawn_ids, &names);
    EXPECT_EQ(withdrawn_ids, Range(5, 12)) << "killed at " << kill;
    // The rows come again.
    auto next = Stage(*restored, 0, 5, 12, "nightly.2");
    ASSERT_TRUE(restored->Commit(next).ok());
    ASSERT_TRUE(restored->Finish("nightly").ok());
    EXPECT_EQ(Visible(disk), Range(0, 12));
    if (kill > 0 && !was_killed) break;
  }
}

TEST_F(StagingTest, WhatIsKeptIsStagedAgain) {
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  const auto kept = Stage(*sink, 0, 0, 5, "nightly.1");
  auto shown = Stage(*sink, 0, 5, 8, "nightly.1");
  shown.insert(shown.begin(), kept.begin(), kept.end());
  ASSERT_TRUE(sink->Commit(shown).ok());
  ASSERT_TRUE(sink->Finish("nightly").ok());
  auto again = MakeSink(disk_);
  ASSERT_TRUE(again->Withdraw(kJob, shown, kept).ok());
  EXPECT_EQ(Visible(disk_), Ids{});
  ASSERT_TRUE(again->Restore(kJob, kept).ok());
  ASSERT_TRUE(again->Commit(kept).ok());
  EXPECT_EQ(Visible(disk_), Range(0, 5));
}

TEST_F(StagingTest, WhatWasTakenAwayOrChangedCannotBeWithdrawn) {
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  const auto shown = Stage(*sink, 0, 0, 5, "nightly.1");
  // Not committed yet: there is nothing to withdraw.
  ASSERT_TRUE(MakeSink(disk_)->Withdraw(kJob, shown, {}).ok());
  ASSERT_TRUE(sink->Commit(shown).ok());
  std::vector<std::string> names;
  (void)Visible(disk_, &names);
  ASSERT_THAT(names, SizeIs(1));
  ASSERT_TRUE(disk_.WriteDurably(names[0], "1\n").ok());
  EXPECT_THAT(MakeSink(disk_)->Withdraw(kJob, shown, {}).message(), HasSubstr("was changed"));
  ASSERT_TRUE(disk_.Remove(names[0]).ok());
  EXPECT_THAT(MakeSink(disk_)->Withdraw(kJob, shown, {}).message(), HasSubstr(names[0].substr(5)));
}

TEST_F(StagingTest, TheStagingOfAJobThatMayResumeIsNotSwept) {
  // On this disk every file is older than a day.
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  const auto pending = Stage(*sink, 0, 0, 5, "nightly.1");
  (void)Stage(*sink, 0, 0, 5, "plain.1");
  ASSERT_TRUE(MakeSink(disk_)->Begin({.id = "next"}).ok());
  EXPECT_THAT(Hidden(disk_), SizeIs(2));
  EXPECT_EQ(disk_.ReadAll("/out/.mainstem-staging/nightly/keep", 100).ValueOrDie(), "/state\n");
  ASSERT_TRUE(sink->Commit(pending).ok());
  ASSERT_TRUE(sink->Finish("nightly").ok());
  EXPECT_THAT(Hidden(disk_), SizeIs(0));
  EXPECT_EQ(Visible(disk_), Range(0, 5));
}

TEST_F(StagingTest, ALaneOpenedAgainUsesNoNameAgain) {
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  std::set<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(sink->Commit(Stage(*sink, 0, 0, 5, "nightly.1")).ok());
    std::vector<std::string> names;
    (void)Visible(disk_, &names);
    ASSERT_THAT(names, SizeIs(1));
    EXPECT_TRUE(seen.insert(names[0]).second);
    ASSERT_TRUE(disk_.Remove(names[0]).ok());  // somebody has read it and taken it away
  }
}

TEST_F(StagingTest, AbortRemovesAllAttemptsOfTheJobAndNoOthers) {
  auto sink = MakeSink(disk_);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  (void)Stage(*sink, 0, 0, 5, "nightly.1");
  (void)Stage(*sink, 0, 0, 5, "nightly.2");
  (void)Stage(*sink, 0, 0, 5, "nightly-2.1");
  ASSERT_TRUE(sink->Abort("nightly").ok());
  ASSERT_TRUE(sink->Abort("nightly").ok());
  EXPECT_THAT(Hidden(disk_), SizeIs(1));
}

TEST_F(StagingTest, OverwriteWithoutRowsReplacesWhenTheJobFinishes) {
  ASSERT_TRUE(disk_.MakeFolders("/out").ok());
  ASSERT_TRUE(disk_.WriteDurably("/out/old.txt", "-1\n").ok());
  auto sink = MakeSink(disk_, WriteMode::kOverwrite);
  ASSERT_TRUE(sink->Begin(kJob).ok());
  ASSERT_TRUE(sink->Commit({}).ok());
  EXPECT_EQ(Visible(disk_), Ids{-1});
  ASSERT_TRUE(sink->Finish("nightly").ok());
  std::vector<std::string> names;
  EXPECT_EQ(Visible(disk_, &names), Ids{});
  EXPECT_THAT(names, SizeIs(1));  // the empty file that has the schema
}

TEST_F(StagingTest, NamesOfAttemptsAreChecked) {
  auto sink = MakeSink(disk_);
  for (const char* attempt : {"", "a", ".1", "a.", "a.1.2", "../x.1", "a/b.1"}) {
    EXPECT_FALSE(sink->OpenWriter(0, attempt).ok()) << attempt;
  }
  for (const char* job : {"", "a.1", "..", "a/b"}) EXPECT_FALSE(sink->Abort(job).ok()) << job;
}

}  // namespace
}  // namespace mainstem
