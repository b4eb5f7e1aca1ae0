// SimulatedWorld: what the processes of a simulated file system share: the disk, its locks and faults.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/simulated_disk.h"
#include "mainstem/platform/simulated_file_system.h"

namespace mainstem {

struct SimulatedLife {
  int64_t id = 0;
  bool alive = true;
  int64_t changes = 0;
  int64_t dies_at = 0;  // a number of changes; 0: not planned
};

/// The reasons that a POSIX file system gives.
namespace reason {
inline constexpr std::string_view kMissing = "No such file or directory";
inline constexpr std::string_view kExists = "File exists";
inline constexpr std::string_view kIsFolder = "Is a directory";
inline constexpr std::string_view kIsNoFolder = "Not a directory";
inline constexpr std::string_view kNotEmpty = "Directory not empty";
inline constexpr std::string_view kFull = "No space left on device; free some space or choose another folder";
}  // namespace reason

/// Makes the error of a call: "cannot rename 'a': No such file or directory".
Status FailedCall(FileOperation operation, const std::string& path, std::string_view reason);

/// All of it under the mutex, which callers of its functions hold.
struct SimulatedWorld {
  using NodePtr = SimulatedDisk::NodePtr;
  using LifePtr = std::shared_ptr<SimulatedLife>;

  struct Fault {
    FileOperation operation;
    int64_t count;
    std::function<bool(const std::string&)> matches;
    std::string reason;
  };

  struct HeldLock {
    NodePtr file;
    LifePtr holder;
  };

  LifePtr NewLife();
  void End(const LifePtr& life);
  /// Every call's first step: whether it is made at all.
  Status Begin(const LifePtr& life, FileOperation operation, const std::string& path);
  /// Writes what fits.
  Status Write(SimulatedDisk::Node* node, const std::string& path, std::string_view bytes);
  Result<NodePtr> NewFile(FileOperation operation, const std::string& path);

  mutable std::mutex mutex;
  SimulatedDisk disk;
  std::vector<LifePtr> lives;
  std::vector<HeldLock> locks;
  std::vector<Fault> faults;
  std::optional<int64_t> capacity;
  bool read_only = false;
  int64_t processes = 0;
};

}  // namespace mainstem
