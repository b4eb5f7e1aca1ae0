// Snapshot files: the envelope around everything that a checkpoint keeps on disk.
#pragma once

#include <arrow/buffer.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_system.h"

namespace mainstem::checkpoint {

/// What an envelope holds.
enum class FileContent : uint32_t {
  kSnapshot = 1,  ///< one subtask's state and in-flight data
  kManifest = 2,
  kEpoch = 3,
  kCommit = 4,    ///< what a commit has shown
};

// The envelope, integers in little-endian order:
//
//   0   8 bytes   "MAINSTEM"
//   8   uint32    version of the format, 1
//   12  uint32    FileContent
//   16  uint64    length of the content
//   24  16 bytes  XXH3-128 in its canonical form over bytes 0 to 23 and the content
//   40            content, up to the end of the file
//
// Later versions keep the head, so that damage to the version's field is not taken for a later version. The checksum
// (https://xxhash.com/) finds damage, not malice: whoever can write to the folder is trusted with the job's state.
inline constexpr int64_t kEnvelopeBytes = 40;
inline constexpr uint32_t kFormatVersion = 1;

using Buffers = std::vector<std::shared_ptr<arrow::Buffer>>;

/// Whether a status says that a file is missing or damaged, as opposed to that it could not be read.
bool IsDamage(const Status& status);

/// Makes a job error for which IsDamage is true.
Status Damaged(const std::string& path, std::string_view what);

/// The bytes of an envelope's head for a content that consists of the buffers one after the other.
Result<std::string> EnvelopeHead(FileContent kind, const Buffers& content);

/// Makes a new file with the buffers' bytes, which are not copied, in an envelope; returns its size. With `sync` it is
/// durable, its name is not. After an error nothing is left, where the file system lets us remove it.
Result<int64_t> WriteSnapshotFile(FileSystem& files, const std::string& path, FileContent kind, const Buffers& content,
                                  bool sync = true);

/// Returns a file's content after all of it has been verified. A file that is larger than `bytes_max` is refused before
/// anything is allocated. Damage (no such file, truncated, another format, a wrong checksum) names the file. A newer
/// version's file is an error but no damage.
Result<std::shared_ptr<arrow::Buffer>> ReadSnapshotFile(FileSystem& files, const std::string& path, FileContent kind,
                                                        int64_t bytes_max);

/// Verifies a file without keeping its content; returns the size of the file.
Result<int64_t> VerifySnapshotFile(FileSystem& files, const std::string& path, FileContent kind);

}  // namespace mainstem::checkpoint
