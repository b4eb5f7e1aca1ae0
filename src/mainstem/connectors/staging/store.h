// Store: the place of a sink's folder: makes files, renames them into view, lists and removes them.
#pragma once

#include <arrow/io/type_fwd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_system.h"

namespace mainstem {

/// A file below a store's folder.
struct StoredFile {
  std::string path;  ///< relative to the folder
  int64_t size = 0;
  int64_t modified_ns = 0;
};

/// One sink's folder, local or remote. Paths are relative to it. Thread-safe. Errors name the path.
class Store {
 public:
  virtual ~Store() = default;
  /// The folder as people write it.
  virtual const std::string& folder() const = 0;

  /// Makes a new file and the folders above it. Not durable before Sync; an existing file is an error where the
  /// store can tell.
  virtual Result<std::shared_ptr<arrow::io::OutputStream>> Create(const std::string& path) = 0;
  /// Makes closed files and their names durable.
  virtual Status Sync(const std::vector<std::string>& paths) = 0;
  /// Size of a file, or nothing where it is missing.
  virtual Result<std::optional<int64_t>> SizeOf(const std::string& path) = 0;
  /// Moves a file, makes the folders above `to`. Durable after SyncFolders.
  virtual Status Move(const std::string& from, const std::string& to) = 0;
  /// Whether a crash leaves a moved file in exactly one of its two places.
  virtual bool moves_in_one_step() const = 0;
  /// Makes moves and removals durable in the folders of the paths.
  virtual Status SyncFolders(const std::vector<std::string>& paths) = 0;
  /// Makes the names of a folder and of all folders above it durable, whoever made them; of a missing one those above.
  virtual Status SyncNamesAbove(const std::string& path) = 0;
  /// A missing file is no error.
  virtual Status Remove(const std::string& path) = 0;
  virtual Status RemoveTree(const std::string& path) = 0;
  /// Removes folders that have become empty, from `path` upwards, up to but without the store's own.
  virtual Status RemoveEmptyFolders(const std::string& path) = 0;
  /// All files below `path`; a missing folder has none. Without hidden names unless `hidden`.
  virtual Result<std::vector<StoredFile>> List(const std::string& path, bool hidden) = 0;
  /// Names of the folders in `path`.
  virtual Result<std::vector<std::string>> ListFolders(const std::string& path) = 0;
  virtual Result<std::string> ReadSmall(const std::string& path) = 0;
  /// Replaces a small file durably.
  virtual Status WriteSmall(const std::string& path, std::string_view content) = 0;
};

/// Opens the store of a path, a file:// or an s3:// uri. A path that is a file, not a folder, is a job error.
Result<std::shared_ptr<Store>> OpenStore(const std::string& path);
/// The same on a file system of the caller's, which must outlive the store.
Result<std::shared_ptr<Store>> OpenLocalStore(const std::string& path, FileSystem& files);

}  // namespace mainstem
