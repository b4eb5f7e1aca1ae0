// FileDescriptor: owns one of the operating system's file descriptors.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "mainstem/base/error.h"

namespace mainstem {

/// Closes its descriptor when it goes. Descriptors made by this room are never inherited unless asked for.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~FileDescriptor() { Close(); }

  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Close();

 private:
  int fd_ = -1;
};

/// What ReadSome returns where a descriptor that does not wait has nothing now.
inline constexpr int64_t kNothingNow = -1;

/// Reads what is there, at most `out`: a number of bytes, 0 at the end (or after an error), or kNothingNow.
int64_t ReadSome(int fd, std::span<char> out);

/// Writes to this process's standard error; gives up where nobody listens.
void WriteToStandardError(std::string_view text);

/// Returns a JobError from errno: "what: reason".
Status SystemError(std::string_view what, int error_number);

}  // namespace mainstem
