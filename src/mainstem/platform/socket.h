// Sockets: local packet sockets between this process and its children.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/file_descriptor.h"

namespace mainstem {

/// One message and the descriptors that came with it.
struct Packet {
  std::string bytes;
  std::vector<FileDescriptor> descriptors;
};

/// A connected socket that keeps the borders of messages. Used by one thread at a time.
class PacketSocket {
 public:
  enum class Outcome { kPacket, kNothing, kClosed };

  virtual ~PacketSocket() = default;
  /// Sends one message whole. On a socket that does not wait, a full one is a RetryError. A closed peer is a
  /// RegionError.
  virtual Status Send(std::string_view bytes, std::span<const int> descriptors = {}) = 0;
  /// Receives one message of at most kPacketBytesMax bytes. kNothing only on a socket that does not wait.
  virtual Result<Outcome> Receive(Packet* packet) = 0;
  /// What a Poller watches.
  virtual int fd() const = 0;
};

inline constexpr size_t kPacketBytesMax = 64 * 1024;
inline constexpr size_t kPacketDescriptorsMax = 4;

/// Makes sockets. Thread-safe.
class Sockets {
 public:
  virtual ~Sockets() = default;

  struct Pair {
    std::unique_ptr<PacketSocket> ours;  ///< does not wait
    FileDescriptor theirs;               ///< for a child process
  };
  virtual Result<Pair> MakePair() = 0;
  /// Takes over a socket that the parent handed down; it waits.
  virtual Result<std::unique_ptr<PacketSocket>> Adopt(FileDescriptor socket) = 0;
};

/// The operating system's sockets.
Sockets& SystemSockets();

}  // namespace mainstem
