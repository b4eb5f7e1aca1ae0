// Storage: one job's checkpoints on disk, written by one process at a time.
#pragma once

#include <arrow/buffer.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/checkpoint/commit_log.h"
#include "mainstem/checkpoint/job_folder.h"
#include "mainstem/checkpoint/layout.h"
#include "mainstem/checkpoint/manifest.h"
#include "mainstem/checkpoint/snapshot_file.h"
#include "mainstem/platform/clock.h"
#include "mainstem/platform/file_system.h"

namespace mainstem::checkpoint {

/// Defects planted for tests, which show that they would be found. Nothing else sets them.
struct StoragePlants {
  bool publish_in_place = false;    ///< the manifest is written under its name, not beside it
  bool skip_fence = false;          ///< an attempt that was replaced still publishes
  bool delete_referenced = false;   ///< files go with their checkpoint, whoever else refers to them
  bool skip_snapshot_sync = false;  ///< snapshots are not synced
};

// What a file system that is not POSIX must promise to carry this (an adapter for an S3-like store lives elsewhere):
//  * WriteDurably is atomic: one put. Create makes a name only where there is none: a conditional put.
//  * A file is readable and listed, whole or not at all, once Close, Sync or WriteDurably has returned.
//  * Rename of a file is seen done or not done, and fails where the source is gone; the source's content may be sent
//    again. Rename of a folder, used to remove a job, may be done file by file where the first is the epoch file.
//  * Lock may do nothing: then the fence alone keeps an old attempt from publishing.
//  * SyncFolder and SyncDevice may do nothing where names are durable with their files.

/// The folder of one job; see layout.h for what is in it.
///
/// A checkpoint is complete when its manifest has its name, which is the last thing that happens to it. Whatever a
/// crash leaves, Latest finds the newest complete one. Opening starts a new epoch: an older attempt that still lives,
/// because its lock was lost, is refused when it wants to publish or remove anything.
///
/// One thread, but for WriteSnapshot and ReadSnapshot, which any thread may call. Errors are job errors that name the
/// file; after one, what was complete before still is.
class Storage {
 public:
  /// Takes over the job's folder, made where it is missing. Where another process runs the job, an error names it.
  static Result<std::unique_ptr<Storage>> Open(FileSystem& files, const std::string& folder, const std::string& job,
                                               const Clock& clock, StoragePlants plants = {});

  int64_t epoch() const { return epoch_; }
  const JobFolder& folder() const { return folder_; }

  CommitLog& commits() { return commits_; }

  /// An error where another process has taken over the job.
  Status CheckFence() const;

  /// The largest number that a checkpoint or savepoint bears here, complete or not; 0 where there is none. A new
  /// attempt counts on from it.
  Result<int64_t> LargestNumber() const;

  /// Writes one subtask's snapshot. Its content is durable when this returns, its name when it is published.
  Result<SnapshotFile> WriteSnapshot(int64_t checkpoint, int task, int lane, const Buffers& content) const;
  /// Returns the content, verified.
  Result<std::shared_ptr<arrow::Buffer>> ReadSnapshot(const SnapshotFile& file) const;

  /// Makes a checkpoint complete, durably. `job` and `epoch` are filled in. A savepoint gets copies of all files it
  /// refers to. An error after the last step but one leaves it complete or not; Discard decides.
  Status Publish(const Manifest& manifest);

  /// The newest complete checkpoint or savepoint of which every byte verifies; nothing where there is none. A damaged
  /// one is named in `damaged` and the one before it used; a second damaged one, or no other, is an error that names
  /// them. What is returned is durable, whatever happened to the process that published it.
  Result<std::optional<Manifest>> Latest(std::vector<std::string>* damaged) const;
  /// A checkpoint or savepoint by its name ("savepoint-7") or its path, verified.
  Result<Manifest> Read(const std::string& name) const;

  /// Keeps the `count` newest complete checkpoints, all savepoints, every file that any of them refers to and what
  /// commits since them have shown; removes other checkpoints that are older than the newest, and what other epochs
  /// have left.
  Status Retain(int count);
  /// Removes one checkpoint, complete or aborted, but for files that others refer to.
  Status Discard(int64_t checkpoint);
  /// Removes the job, savepoints included: after a crash either all of it is there or none.
  Status Remove();

 private:
  Storage(JobFolder folder, std::string job, std::unique_ptr<FileLock> lock, int64_t epoch, StoragePlants plants);

  static Status SyncNamesAbove(const JobFolder& folder);
  static Result<int64_t> BeginEpoch(const JobFolder& folder, const Clock& clock);
  static Status SweepPartials(const JobFolder& folder);

  Result<Manifest> CopyForSavepoint(const Manifest& manifest) const;
  Status CopyFile(const std::string& from, const std::string& to) const;
  Status SyncFoldersOf(const Manifest& manifest) const;
  Status WriteManifest(const Manifest& manifest) const;
  Result<Manifest> ReadVerified(const FolderName& folder) const;
  Result<std::vector<Manifest>> ReadableManifests() const;
  Status Retire(const FolderName& folder) const;
  Status RemoveUnreferenced(const FolderName& folder, const std::set<std::string>& referenced) const;
  Status RemoveLeftovers(const FolderName& folder, const std::set<std::string>& referenced, bool own_epoch) const;

  JobFolder folder_;
  std::string job_;
  std::unique_ptr<FileLock> lock_;
  int64_t epoch_;
  StoragePlants plants_;
  CommitLog commits_;
};

}  // namespace mainstem::checkpoint
