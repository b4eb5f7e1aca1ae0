// FileSystem: durable operations on local files and folders.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

enum class FileKind { kMissing, kFile, kFolder, kLink, kOther };

/// What the file system knows of a path.
struct FileStatus {
  FileKind kind = FileKind::kMissing;
  int64_t size = 0;
  int64_t modified_ns = 0;  ///< since 1970-01-01T00:00:00Z
};

/// One name in a folder. `kind` is kLink for a symbolic link: Stat says what it leads to.
struct FolderEntry {
  std::string name;
  FileKind kind = FileKind::kOther;
};

/// A file being written. One thread at a time. Destroyed without Close: closed, errors lost.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  /// Writes all of it at the end. An error names the path and the reason (a full disk, a limit).
  virtual Status Write(std::string_view bytes) = 0;
  /// Returns once the content is durable.
  virtual Status Sync() = 0;
  /// Idempotent. Does not sync.
  virtual Status Close() = 0;
};

/// A file being read. Thread-safe.
class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  /// Status of the open file, whatever its name leads to by now.
  virtual Result<FileStatus> Stat() = 0;
  /// Reads up to `length` bytes at `offset` into `out`; fewer only at the end of the file.
  virtual Result<int64_t> ReadAt(int64_t offset, int64_t length, void* out) = 0;
};

/// A lock that is held until this goes or the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

/// Files and folders of one machine. Thread-safe. Errors are job errors that name the path.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// Makes a new file; an error where the name exists.
  virtual Result<std::unique_ptr<WritableFile>> Create(const std::string& path) = 0;
  /// Opens a file for writing at its end, making it where it is missing.
  virtual Result<std::unique_ptr<WritableFile>> Append(const std::string& path) = 0;
  virtual Result<std::unique_ptr<ReadableFile>> Open(const std::string& path) = 0;

  /// Follows links. A missing path is no error: kMissing.
  virtual Result<FileStatus> Stat(const std::string& path) = 0;
  /// Names in no particular order, without "." and "..".
  virtual Result<std::vector<FolderEntry>> List(const std::string& folder) = 0;
  /// Makes the folder and all above it; what it makes is durable. No error where it exists: then it is as durable as
  /// whoever made it has left it.
  virtual Status MakeFolders(const std::string& folder) = 0;

  /// Replaces `to` at once. Durable after SyncFolder of both folders.
  virtual Status Rename(const std::string& from, const std::string& to) = 0;
  /// Removes a file or link, or an empty folder. A missing path is no error.
  virtual Status Remove(const std::string& path) = 0;
  /// Removes a folder and everything in it; follows no links. A missing path is no error.
  virtual Status RemoveTree(const std::string& folder) = 0;

  /// Makes names in the folder durable: creations, renames, removals.
  virtual Status SyncFolder(const std::string& folder) = 0;
  /// Makes everything on the device of `folder` durable; cheaper than many single syncs.
  virtual Status SyncDevice(const std::string& folder) = 0;

  /// Takes the exclusive lock of a file, made where it is missing, and writes this process's number into it. Never
  /// waits: held by another process, or by another holder in this one, it is an error that names the path and,
  /// where the file tells it, the holder's number.
  virtual Result<std::unique_ptr<FileLock>> Lock(const std::string& path) = 0;
  /// The number of the process that holds the lock of a file, 0 where that is not known; nothing where nobody holds
  /// it. Takes no lock and changes nothing.
  virtual Result<std::optional<int64_t>> LockHolder(const std::string& path) = 0;

  /// Reads a whole file of at most `size_max` bytes.
  Result<std::string> ReadAll(const std::string& path, int64_t size_max);
  /// Replaces `path` durably and at once: after a crash it holds the old content or the new. Here: writes beside it,
  /// syncs, renames, syncs the folder. A store whose single put is atomic overrides it.
  virtual Status WriteDurably(const std::string& path, std::string_view content);
};

/// The operating system's file system.
FileSystem& LocalFileSystem();

/// Returns the folder part of a path ("." where it has none).
std::string FolderOf(const std::string& path);

/// Puts a name below a folder: "a" and "b/c" make "a/b/c".
std::string JoinPath(const std::string& folder, const std::string& name);

}  // namespace mainstem
