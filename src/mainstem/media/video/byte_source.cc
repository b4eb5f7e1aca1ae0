#include "mainstem/media/video/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mainstem::video {
namespace {

class FileSource : public ByteSource {
 public:
  FileSource(int descriptor, int64_t offset, int64_t size) : descriptor_(descriptor), offset_(offset), size_(size) {}
  ~FileSource() override { ::close(descriptor_); }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  int64_t size() const override { return size_; }

  int64_t ReadAt(int64_t offset, int64_t length, void* out) override {
    if (offset < 0 || offset >= size_ || length <= 0) return 0;
    length = std::min(length, size_ - offset);
    ssize_t got;
    do {
      got = ::pread(descriptor_, out, static_cast<size_t>(length), offset_ + offset);
    } while (got < 0 && errno == EINTR);
    return got;
  }

 private:
  int descriptor_;
  int64_t offset_;
  int64_t size_;
};

class MemorySource : public ByteSource {
 public:
  explicit MemorySource(Bytes bytes) : bytes_(std::move(bytes)) {}

  int64_t size() const override { return static_cast<int64_t>(bytes_.size()); }

  int64_t ReadAt(int64_t offset, int64_t length, void* out) override {
    if (offset < 0 || offset >= size() || length <= 0) return 0;
    length = std::min(length, size() - offset);
    std::memcpy(out, bytes_.data() + offset, static_cast<size_t>(length));
    return length;
  }

 private:
  Bytes bytes_;
};

}  // namespace

Result<std::unique_ptr<ByteSource>> OpenFile(const std::string& path, int64_t offset, int64_t length) {
  // Not blocking, so that a named pipe cannot hold the thread before its kind is known.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return JobError(fmt::format("cannot open '{}': {}", Escaped(path), std::strerror(errno)));
  }
  struct stat about {};
  if (::fstat(descriptor, &about) != 0 || !S_ISREG(about.st_mode)) {
    ::close(descriptor);
    return JobError(fmt::format("cannot read '{}': it is not a regular file", Escaped(path)));
  }
  const int64_t file_size = about.st_size;
  if (offset < 0 || offset > file_size || length < -1) {
    ::close(descriptor);
    return RowError(fmt::format("'{}' has {} bytes, but its reference begins at byte {}", Escaped(path), file_size,
                                offset));
  }
  const int64_t rest = file_size - offset;
  return std::make_unique<FileSource>(descriptor, offset, length < 0 ? rest : std::min(length, rest));
}

std::unique_ptr<ByteSource> OpenBytes(Bytes bytes) { return std::make_unique<MemorySource>(std::move(bytes)); }

}  // namespace mainstem::video
