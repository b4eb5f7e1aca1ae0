// Poller: waits until one of many descriptors can be read.
#pragma once

#include <cstdint>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_descriptor.h"

namespace mainstem {

/// A wait over descriptors, each known by a token of the caller. Used by one thread at a time.
class Poller {
 public:
  static Result<Poller> Make();

  Status Add(int fd, uint64_t token);
  /// Forgets a descriptor; call it before the descriptor is closed.
  void Remove(int fd);
  /// Returns the tokens of descriptors that can be read or were closed by their peer; none after `timeout_ns`.
  /// A negative timeout waits for ever.
  Result<std::vector<uint64_t>> Wait(int64_t timeout_ns);

 private:
  explicit Poller(FileDescriptor epoll) : epoll_(std::move(epoll)) {}
  FileDescriptor epoll_;
};

/// Makes a Poller's wait return from another thread. Thread-safe.
class Wakeup {
 public:
  static Result<Wakeup> Make();

  void Notify();
  /// Takes back every Notify so far.
  void Clear();
  int fd() const { return event_.get(); }

 private:
  explicit Wakeup(FileDescriptor event) : event_(std::move(event)) {}
  FileDescriptor event_;
};

}  // namespace mainstem
