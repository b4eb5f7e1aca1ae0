// LocalFile: a part of a file of this machine, opened for reading.
#pragma once

#include <cstdint>
#include <string>

#include "mainstem/base/error.h"
#include "mainstem/data/bytes.h"
#include "mainstem/data/file_reference.h"

namespace mainstem {

/// A regular file opened for reading; offsets count from the reference's first byte. Used by one thread at a time.
class LocalFile {
 public:
  /// Opens what a reference with a local uri names. A JobError where there is no such regular file or it cannot be
  /// opened; a RowError where the reference is nonsense or names another version than the one that is there.
  static Result<LocalFile> Open(const FileReference& reference);

  LocalFile(LocalFile&& other) noexcept;
  LocalFile& operator=(LocalFile&& other) noexcept;
  ~LocalFile();

  /// Bytes of the part: never beyond the end of the file.
  int64_t size() const { return size_; }
  /// Reads at most `length` bytes; fewer only at the end of the part.
  Result<int64_t> ReadAt(int64_t offset, int64_t length, void* out) const;
  /// Reads the whole part; a RowError where it is larger than `max_bytes`.
  Result<Bytes> ReadAll(int64_t max_bytes) const;

 private:
  LocalFile(int descriptor, std::string uri, int64_t offset, int64_t size)
      : descriptor_(descriptor), uri_(std::move(uri)), offset_(offset), size_(size) {}

  int descriptor_ = -1;
  std::string uri_;
  int64_t offset_ = 0;
  int64_t size_ = 0;
};

}  // namespace mainstem
