// RemoteFileSystem: the operations of a FileSystem on the objects of a store behind an s3:// uri.
#pragma once

#include <arrow/filesystem/type_fwd.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {

/// Paths are uris, "s3://bucket/key". Thread-safe. Errors name the uri; those of the network and of a busy store are
/// retry errors.
///
/// What differs from a disk:
///  * A file is there, whole, when Sync or Close has returned, whichever is first; after that it takes no more bytes. One
///    that goes without either leaves nothing. What is there is durable, names included: the syncs of folders do nothing.
///  * Folders are parts of keys. MakeFolders does nothing, a missing folder lists as empty.
///  * Create looks for the name and then writes: Arrow has no conditional put. Of two processes that make the same name
///    at the same moment the later wins. Lock keeps two processes apart.
///  * Append is refused.
///  * Rename of a file is a copy inside the store (at most 5 GiB on S3) and a removal: a crash between them leaves both
///    names. Of a folder it goes file by file, those directly in it first, by name.
///  * Lock is a lease: see remote_lock.h.
class RemoteFileSystem final : public FileSystem {
 public:
  /// `scheme` is what uris begin with, "s3://"; the store's paths are what follows.
  RemoteFileSystem(std::shared_ptr<arrow::fs::FileSystem> store, std::string scheme);

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
  Status WriteDurably(const std::string& path, std::string_view content) override;

 private:
  Result<std::string> KeyOf(const std::string& path) const;
  Result<std::vector<arrow::fs::FileInfo>> Select(const std::string& folder, bool recursive);
  Status RenameFile(const std::string& from, const std::string& to);

  const std::shared_ptr<arrow::fs::FileSystem> store_;
  const std::string scheme_;
};

/// Whether a folder is named by the uri of a store, rather than by a path or a file:// uri.
bool IsRemoteFolder(const std::string& folder);

/// Returns what carries a folder: `local` for paths and file:// uris, a RemoteFileSystem for s3://. `path` is the folder
/// for its calls: without "file://", without the uri's parameters, without slashes at the end.
Result<std::shared_ptr<FileSystem>> OpenFileSystem(const std::string& folder, FileSystem& local, std::string* path);

}  // namespace mainstem
