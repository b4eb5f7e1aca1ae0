// JobFolder: reads what a job's checkpoint folder holds; changes nothing and takes no lock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/checkpoint/layout.h"
#include "mainstem/checkpoint/manifest.h"
#include "mainstem/platform/file_system.h"

namespace mainstem::checkpoint {

/// Which attempt runs a job, or ran it last.
struct Epoch {
  int64_t number = 0;
  int64_t started_wall_ns = 0;
};

/// A checkpoint or savepoint with a manifest.
struct StoredCheckpoint {
  std::string path;
  FolderName name;
  std::optional<Manifest> manifest;  ///< unless it is damaged
  std::string damage;                ///< what is wrong with the manifest or the files it refers to
  int64_t bytes = 0;                 ///< of its own folder
};

struct StoredJob {
  std::string name;
  bool is_running = false;          ///< a process holds its lock
  int64_t process = 0;              ///< that process's number; 0 where it is not known
  std::optional<Epoch> epoch;       ///< unless its file is missing or damaged
  int64_t bytes = 0;                ///< of everything in its folder
  std::vector<StoredCheckpoint> checkpoints;  ///< newest first
};

/// Reads one job's folder. Thread-safe where the file system is.
class JobFolder {
 public:
  JobFolder(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  FileSystem& files() const { return files_; }
  /// The path of a name below the folder.
  std::string Path(const std::string& name) const { return JoinPath(path_, name); }

  /// All folders of checkpoints and savepoints, complete or not, oldest first.
  Result<std::vector<FolderName>> Folders() const;
  /// Those that have a manifest, whole or damaged, oldest first. Savepoints come before checkpoints of their number.
  Result<std::vector<FolderName>> Complete() const;
  /// Names of the files in one.
  Result<std::vector<std::string>> Files(const FolderName& folder) const;

  /// Reads and verifies a manifest. Damage (IsDamage) names the file.
  Result<Manifest> ReadManifest(const FolderName& folder) const;
  /// Verifies the files that a manifest refers to; without `content` only that they are there with their sizes.
  Status VerifyFiles(const Manifest& manifest, bool content) const;
  /// Damage where the file is missing or damaged.
  Result<Epoch> ReadEpoch() const;

 private:
  FileSystem& files_;
  std::string path_;
};

/// The jobs of a checkpoint folder, by name, for people who look. Takes no lock: a running job may change under it, and
/// what vanishes meanwhile is left out. With `verify` the content of all files is read and verified.
Result<std::vector<StoredJob>> ListJobs(FileSystem& files, const std::string& folder, bool verify = false);

}  // namespace mainstem::checkpoint
