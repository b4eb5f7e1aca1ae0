// A disk whose syncs take long under the checkpoints: rows flow on.
#include <gmock/gmock.h>

#include <condition_variable>
#include <numeric>

#include "mainstem/runtime/recovery_harness.h"

namespace mainstem {
namespace {

using namespace mainstem::testing;

// The local disk; while it is held, no sync returns.
class SlowDisk : public FileSystem {
 public:
  void Hold() { Set(true); }
  void LetGo() { Set(false); }
  int64_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override { return Slow(disk_.Create(path)); }
  Result<std::unique_ptr<WritableFile>> Append(const std::string& path) override { return Slow(disk_.Append(path)); }
  Result<std::unique_ptr<ReadableFile>> Open(const std::string& path) override { return disk_.Open(path); }
  Result<FileStatus> Stat(const std::string& path) override { return disk_.Stat(path); }
  Result<std::vector<FolderEntry>> List(const std::string& folder) override { return disk_.List(folder); }
  Status MakeFolders(const std::string& folder) override { return disk_.MakeFolders(folder); }
  Status Rename(const std::string& from, const std::string& to) override { return disk_.Rename(from, to); }
  Status Remove(const std::string& path) override { return disk_.Remove(path); }
  Status RemoveTree(const std::string& folder) override { return disk_.RemoveTree(folder); }
  Status SyncFolder(const std::string& folder) override {
    Wait();
    return disk_.SyncFolder(folder);
  }
  Status SyncDevice(const std::string& folder) override {
    Wait();
    return disk_.SyncDevice(folder);
  }
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override { return disk_.Lock(path); }
  Result<std::optional<int64_t>> LockHolder(const std::string& path) override { return disk_.LockHolder(path); }

 private:
  struct File : WritableFile {
    Status Write(std::string_view bytes) override { return file->Write(bytes); }
    Status Sync() override {
      disk->Wait();
      return file->Sync();
    }
    Status Close() override { return file->Close(); }
    std::unique_ptr<WritableFile> file;
    SlowDisk* disk = nullptr;
  };

  Result<std::unique_ptr<WritableFile>> Slow(Result<std::unique_ptr<WritableFile>> opened) {
    ARROW_RETURN_NOT_OK(opened.status());
    auto file = std::make_unique<File>();
    file->file = *std::move(opened);
    file->disk = this;
    return file;
  }
  void Set(bool held) {
    {
      const std::lock_guard lock(mutex_);
      held_ = held;
    }
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return !held_; });
    --waiting_;
  }

  FileSystem& disk_ = LocalFileSystem();
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;     // guarded by mutex_, as is the following
  int64_t waiting_ = 0;
};

TEST(SlowDisk, RowsFlowOnWhileACheckpointWaitsForTheDisk) {
  SlowDisk disk;
  const TemporaryFolder folder;
  const auto ledger = std::make_shared<Ledger>();
  const auto source = std::make_shared<ReplayableNumbers>(200, 5, 10);
  std::atomic<int64_t> before{-1};  // rows read when the first batch passed while the disk was waited for
  plan::TaskSpec task{.name = "source", .parallelism = 2, .source = source,
                      .operators = {Look([&](const Batch&, Output&) {
                        // Leaves time for a checkpoint, then all rows flow while it waits.
                        if (disk.waiting() == 0) {
                          std::this_thread::sleep_for(std::chrono::microseconds(300));
                        } else if (int64_t none = -1; before < 0) {
                          before.compare_exchange_strong(none, source->rows_read);
                        }
                        return Status::OK();
                      })},
                      .output = NumberSchema()};
  task.sink = std::make_shared<LedgerSink>(ledger);
  runtime::CheckpointOptions options{.folder = folder.path()};
  options.coordinator.interval_ns = 1'000'000;
  JobSettings settings{.name = "job", .parallelism = 2, .memory_budget = 64 << 20};
  settings.checkpoint = options;
  const auto job = *Job::Start({.tasks = {std::move(task)}, .services = {}, .output = {{"n", LogicalType::Int64()}}},
                               settings, {.files = &disk});
  disk.Hold();
  while (disk.waiting() == 0) (void)job->WaitEnd(500'000);
  while (source->rows_read < source->total()) (void)job->WaitEnd(500'000);
  EXPECT_GE(before, 0) << "no row passed while the disk was waited for";
  EXPECT_LT(before, source->total());
  EXPECT_FALSE(job->finished());
  EXPECT_TRUE(ledger->Visible().empty()) << "the final checkpoint waits for the disk";
  disk.LetGo();
  ASSERT_TRUE(job->WaitEnd(kLongNs).ok()) << job->WaitEnd(0).status();
  std::vector<int64_t> all(static_cast<size_t>(source->total()));
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(ledger->Visible(), all);
}

}  // namespace
}  // namespace mainstem
