// SimulatedFileSystem: a disk in memory that keeps no promise POSIX does not make, for tests and the simulator.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/platform/file_system.h"
#include "mainstem/platform/random.h"

namespace mainstem {

/// What a call asks of the file system; faults are ordered by it.
enum class FileOperation {
  kCreate, kAppend, kWrite, kSync, kMakeFolder, kRename, kRemove, kSyncFolder, kSyncDevice, kLock,  // changes
  kOpen, kRead, kList, kStat,
};

struct SimulatedWorld;  // the disk, its locks and faults
struct SimulatedLife;   // of one process: handles and locks are valid while it lasts

/// One process's way to a simulated disk. A process that is merely paused is one whose calls are not made for a while:
/// its handles and locks stay good. Thread-safe.
class SimulatedProcess : public FileSystem {
 public:
  SimulatedProcess(std::shared_ptr<SimulatedWorld> world, std::shared_ptr<SimulatedLife> life);

  /// SIGKILL: from now on every call through it, and through its open handles, changes nothing and fails; its locks
  /// are free. What it has written is still there: the machine lives.
  void Kill();
  /// Kills it in the middle of its `count`-th change from now (1 is the next): that change is not made, but for a
  /// write, of which the first half is.
  void KillAt(int64_t count);
  bool is_alive() const;
  int64_t id() const;
  /// Changes (the first group of FileOperation) begun so far.
  int64_t changes() const;

  Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  Result<std::unique_ptr<WritableFile>> Append(const std::string& path) override;
  Result<std::unique_ptr<ReadableFile>> Open(const std::string& path) override;
  Result<FileStatus> Stat(const std::string& path) override;
  Result<std::vector<FolderEntry>> List(const std::string& folder) override;
  Status MakeFolders(const std::string& folder) override;
  Status Rename(const std::string& from, const std::string& to) override;
  Status Remove(const std::string& path) override;
  Status RemoveTree(const std::string& folder) override;
  Status SyncFolder(const std::string& folder) override;
  Status SyncDevice(const std::string& folder) override;
  Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;
  Result<std::optional<int64_t>> LockHolder(const std::string& path) override;

 protected:
  Result<std::unique_ptr<WritableFile>> OpenToWrite(FileOperation operation, const std::string& path);

  std::shared_ptr<SimulatedWorld> world_;
  std::shared_ptr<SimulatedLife> life_;
};

/// The disk itself, and a first process on it: what a test calls directly, which each Crash starts anew.
///
/// What may go wrong, all of it only when asked for:
///  * power loss (Crash): names not synced with their folder and content not synced are lost, kept or torn, each by
///    itself; see SimulatedDisk::Crash;
///  * the death of a process (SimulatedProcess::Kill, KillAt), also in the middle of a write;
///  * locks that get lost while their holders live (BreakLocks);
///  * a full disk (SetCapacity): a write puts down what fits before it fails; new names need a byte of room;
///  * a disk that only reads (SetReadOnly);
///  * calls that fail (FailNext). A sync that fails may have lost what it should have written, and a later sync that
///    succeeds does not bring it back.
///
/// Deterministic: the same calls and the same random numbers give the same bytes. No links, and ".." is refused. The
/// time of a file's last change counts changes. Thread-safe.
class SimulatedFileSystem : public SimulatedProcess {
 public:
  SimulatedFileSystem();

  /// One more process on the same disk. Lives independently of this.
  std::unique_ptr<SimulatedProcess> StartProcess();

  /// Power loss: all processes die, all locks are free, and what was not durable is at the mercy of `random`.
  void Crash(Random& random);
  /// All locks are free, their holders do not know: a network file system's lease ran out, a person removed the file.
  void BreakLocks();

  /// Bytes that fit on the disk, counting the content of files; nothing: no limit.
  void SetCapacity(std::optional<int64_t> bytes);
  int64_t used_bytes() const;
  /// Every change fails, but for syncs, which have nothing to do.
  void SetReadOnly(bool read_only);
  /// The next `count` calls of the kind on paths that `matches` accepts (none given: all paths) fail with the reason.
  void FailNext(FileOperation operation, int64_t count, std::function<bool(const std::string&)> matches = nullptr,
                std::string reason = "Input/output error");
  /// Forgets faults that have not happened yet.
  void StopFailing();
};

}  // namespace mainstem
