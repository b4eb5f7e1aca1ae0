#include "mainstem/platform/file_descriptor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace mainstem {

void FileDescriptor::Close() {
  // Linux frees the number even where close() reports an error, so there is nothing to retry.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

int64_t ReadSome(int fd, std::span<char> out) {
  ssize_t count;
  do {
    count = ::read(fd, out.data(), out.size());
  } while (count < 0 && errno == EINTR);
  if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? kNothingNow : 0;
  return count;
}

void WriteToStandardError(std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(STDERR_FILENO, text.data(), text.size());
    if (count < 0 && errno != EINTR) return;
    if (count > 0) text.remove_prefix(static_cast<size_t>(count));
  }
}

Status SystemError(std::string_view what, int error_number) {
  return JobError(fmt::format("{}: {}", what, std::generic_category().message(error_number)));
}

}  // namespace mainstem
