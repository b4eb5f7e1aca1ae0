#include "mainstem/functions/file/local_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "mainstem/base/quantity.h"

namespace mainstem {
namespace {

Status CannotRead(const std::string& uri, int error) {
  return JobError(fmt::format("the file '{}' cannot be read: {}", Escaped(uri), std::strerror(error)));
}

std::string VersionOf(const struct stat& status) {
  const int64_t modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return fmt::format("{}-{}", status.st_size, modified_ns);
}

}  // namespace

Result<LocalFile> LocalFile::Open(const FileReference& reference) {
  const std::string& uri = reference.uri;
  if (!IsLocalUri(uri)) {
    return JobError(fmt::format("'{}' is not on this machine and has not been fetched; pass it as a file column, so "
                                "that it is fetched first", Escaped(uri)));
  }
  const std::string path = LocalPath(uri);
  if (path.empty() || path.find('\0') != std::string::npos) {
    return RowError(fmt::format("'{}' is not a path", Escaped(uri)));
  }
  if (reference.offset < 0 || reference.length < -1) {
    return RowError(fmt::format("the reference to '{}' has offset {} and length {}", Escaped(uri), reference.offset,
                                reference.length));
  }
  // Without O_NONBLOCK a named pipe would hang the engine here.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return CannotRead(uri, errno);
  LocalFile file(descriptor, uri, reference.offset, 0);
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return CannotRead(uri, errno);
  if (!S_ISREG(status.st_mode)) return JobError(fmt::format("'{}' is not a regular file", Escaped(uri)));
  if (!reference.version.empty() && reference.version != VersionOf(status)) {
    return RowError(
        fmt::format("the file '{}' has changed since it was listed: it is version {} now, the reference names {}",
                    Escaped(uri), VersionOf(status), Escaped(reference.version)));
  }
  const int64_t after_offset = std::max<int64_t>(0, status.st_size - reference.offset);
  file.size_ = reference.length < 0 ? after_offset : std::min(after_offset, reference.length);
  return file;
}

LocalFile::LocalFile(LocalFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      uri_(std::move(other.uri_)),
      offset_(other.offset_),
      size_(other.size_) {}

LocalFile& LocalFile::operator=(LocalFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(uri_, other.uri_);
  std::swap(offset_, other.offset_);
  std::swap(size_, other.size_);
  return *this;
}

LocalFile::~LocalFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<int64_t> LocalFile::ReadAt(int64_t offset, int64_t length, void* out) const {
  if (offset < 0 || offset >= size_) return 0;
  length = std::min(length, size_ - offset);
  int64_t read = 0;
  while (read < length) {
    const ssize_t part = ::pread(descriptor_, static_cast<char*>(out) + read, static_cast<size_t>(length - read),
                                 offset_ + offset + read);
    if (part < 0 && errno == EINTR) continue;
    if (part < 0) return CannotRead(uri_, errno);
    if (part == 0) break;
    read += part;
  }
  return read;
}

Result<Bytes> LocalFile::ReadAll(int64_t max_bytes) const {
  if (size_ > max_bytes) {
    return RowError(fmt::format("the file '{}' is {}, more than the limit of {} (max_bytes)", Escaped(uri_),
                                FormatBytes(size_), FormatBytes(max_bytes)));
  }
  std::string content(static_cast<size_t>(size_), '\0');
  ARROW_ASSIGN_OR_RAISE(const int64_t read, ReadAt(0, size_, content.data()));
  content.resize(static_cast<size_t>(read));
  return Bytes::Own(std::move(content));
}

}  // namespace mainstem
