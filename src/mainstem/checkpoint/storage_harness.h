// StorageHarness: what the tests of storage share: a folder, a clock that stands still, seeds and manifests.
#pragma once

#include <arrow/buffer.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "mainstem/checkpoint/storage.h"
#include "mainstem/platform/clock.h"
#include "mainstem/platform/file_system.h"
#include "mainstem/platform/random.h"

namespace mainstem::checkpoint {

class FixedClock final : public Clock {
 public:
  int64_t MonotonicNs() const override { return 5; }
  int64_t WallNs() const override { return 1'700'000'000'000'000'000; }
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

inline Buffers OneBuffer(std::string content) { return {arrow::Buffer::FromString(std::move(content))}; }

/// A manifest whose subtasks are lanes of task 0, in the order of the files.
inline Manifest ManifestOf(int64_t checkpoint, const std::vector<SnapshotFile>& files) {
  Manifest manifest;
  manifest.checkpoint = checkpoint;
  for (const SnapshotFile& file : files) {
    const int lane = static_cast<int>(manifest.subtasks.size());
    manifest.subtasks.push_back({.lane = lane, .file = file, .taken_at = checkpoint});
  }
  return manifest;
}

/// A folder on the local disk, and a job in it.
class StorageTest : public ::testing::Test {
 protected:
  StorageTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainstem-storage-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~StorageTest() override {
    storage_.reset();
    std::filesystem::permissions(root_, std::filesystem::perms::owner_all);
    std::filesystem::remove_all(root_);
  }

  void Open(const std::string& job = "job") {
    storage_.reset();
    auto opened = Storage::Open(files_, root_.string(), job, clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    storage_ = *std::move(opened);
  }

  SnapshotFile Snapshot(int64_t checkpoint, int lane, const std::string& content) {
    auto file = storage_->WriteSnapshot(checkpoint, 0, lane, OneBuffer(content));
    EXPECT_TRUE(file.ok()) << file.status();
    return *file;
  }

  // One subtask whose state is the checkpoint's number.
  void Publish(int64_t checkpoint, Manifest::Kind kind = Manifest::Kind::kCheckpoint) {
    Manifest manifest = ManifestOf(checkpoint, {Snapshot(checkpoint, 0, std::to_string(checkpoint))});
    manifest.kind = kind;
    const Status status = storage_->Publish(manifest);
    EXPECT_TRUE(status.ok()) << status;
  }

  int64_t Latest() {
    damaged_.clear();
    const auto latest = storage_->Latest(&damaged_);
    EXPECT_TRUE(latest.ok()) << latest.status();
    return latest.ok() && *latest ? (*latest)->checkpoint : -1;
  }

  std::string Content(const SnapshotFile& file) {
    const auto content = storage_->ReadSnapshot(file);
    EXPECT_TRUE(content.ok()) << content.status();
    return content.ok() ? (*content)->ToString() : "";
  }

  std::string Path(const std::string& name) { return storage_->folder().Path(name); }
  bool Exists(const std::string& name) { return std::filesystem::exists(Path(name)); }

  void Truncate(const std::string& name, int64_t size) {
    std::filesystem::resize_file(Path(name), static_cast<uintmax_t>(size));
  }

  std::filesystem::path root_;
  FileSystem& files_ = LocalFileSystem();
  FixedClock clock_;
  std::unique_ptr<Storage> storage_;
  std::vector<std::string> damaged_;
};

}  // namespace mainstem::checkpoint
