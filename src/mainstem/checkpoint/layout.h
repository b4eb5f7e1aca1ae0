// Layout: the names of files and folders in a job's checkpoint folder.
//
//   <folder>/<job>/owner.lock                       held by the process that runs the job
//                  epoch                            counts the processes that have run it
//                  checkpoint-7/2-0-3.snapshot      written in epoch 2: task 0, lane 3
//                               manifest-2.partial  on its way to become the manifest
//                               manifest            there: the checkpoint is complete
//                  savepoint-9/…                    the same, with all files it needs
//                  commit-7                         what the commit of checkpoint 7 has made visible
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace mainstem::checkpoint {

inline constexpr std::string_view kLockName = "owner.lock";
inline constexpr std::string_view kEpochName = "epoch";
inline constexpr std::string_view kManifestName = "manifest";
inline constexpr std::string_view kPartialSuffix = ".partial";
inline constexpr std::string_view kSnapshotSuffix = ".snapshot";
inline constexpr size_t kNameBytesMax = 200;

/// What the name of a checkpoint's folder says.
struct FolderName {
  int64_t checkpoint = 0;
  bool is_savepoint = false;

  auto operator<=>(const FolderName&) const = default;
};

/// "checkpoint-7", "savepoint-7".
std::string ToString(const FolderName& folder);
/// Nothing where the name is not exactly one that ToString gives.
std::optional<FolderName> ParseFolderName(std::string_view name);

/// "commit-7"
std::string CommitName(int64_t checkpoint);
std::optional<int64_t> ParseCommitName(std::string_view name);

/// "2-0-3.snapshot"
std::string SnapshotName(int64_t epoch, int task, int lane);
/// "manifest-2.partial"
std::string PartialName(int64_t epoch);
/// The epoch in the name of a snapshot or a partial manifest; nothing for other names.
std::optional<int64_t> EpochOf(std::string_view name);

/// Whether a name is a file's on any system: 1 to 200 letters, digits, "-", "_" and ".", the first no ".".
bool IsSafeName(std::string_view name);

}  // namespace mainstem::checkpoint
