#include "mainstem/platform/file_descriptor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

namespace mainstem {

void FileDescriptor::Close() {
  // Linux frees the number even where close() reports an error, so there is nothing to retry.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Status SystemError(std::string_view what, int error_number) {
  return JobError(fmt::format("{}: {}", what, std::generic_category().message(error_number)));
}

}  // namespace mainstem
