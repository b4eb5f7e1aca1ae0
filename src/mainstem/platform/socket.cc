#include "mainstem/platform/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace mainstem {
namespace {

class UnixPacketSocket final : public PacketSocket {
 public:
  explicit UnixPacketSocket(FileDescriptor fd) : fd_(std::move(fd)) {}
  int fd() const override { return fd_.get(); }

  Status Send(std::string_view bytes, std::span<const int> descriptors) override {
    if (bytes.size() > kPacketBytesMax || descriptors.size() > kPacketDescriptorsMax) {
      return JobError("a control message is too large");
    }
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kPacketDescriptorsMax)] = {};
    if (!descriptors.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size_bytes());
      std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size_bytes());
    }
    while (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return RetryError("a control socket is full");
      if (errno == EPIPE || errno == ECONNRESET) return RegionError("a control socket was closed by its peer");
      return SystemError("cannot send a control message", errno);
    }
    return Status::OK();
  }

  Result<Outcome> Receive(Packet* packet) override {
    packet->bytes.resize(kPacketBytesMax);
    packet->descriptors.clear();
    iovec part{packet->bytes.data(), packet->bytes.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kPacketDescriptorsMax)] = {};
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t received;
    do {
      received = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return Outcome::kNothing;
      if (errno == ECONNRESET) return Outcome::kClosed;
      return SystemError("cannot receive a control message", errno);
    }
    TakeDescriptors(&message, packet);
    if (received == 0) return Outcome::kClosed;  // no message of ours is empty
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return JobError("a control message is too large");
    packet->bytes.resize(static_cast<size_t>(received));
    return Outcome::kPacket;
  }

 private:
  static void TakeDescriptors(msghdr* message, Packet* packet) {
    for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (size_t i = 0; i < count; ++i) {
        int fd;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
        packet->descriptors.emplace_back(fd);
      }
    }
  }

  FileDescriptor fd_;
};

class UnixSockets final : public Sockets {
 public:
  Result<Pair> MakePair() override {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
      return SystemError("cannot make a control socket", errno);
    }
    FileDescriptor ours(fds[0]);
    FileDescriptor theirs(fds[1]);
    if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return SystemError("cannot set up a control socket", errno);
    return Pair{std::make_unique<UnixPacketSocket>(std::move(ours)), std::move(theirs)};
  }

  Result<std::unique_ptr<PacketSocket>> Adopt(FileDescriptor socket) override {
    int type = 0;
    socklen_t length = sizeof(type);
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type != SOCK_SEQPACKET) {
      return JobError("the descriptor of the control socket is not one");
    }
    if (::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) return SystemError("cannot set up a control socket", errno);
    return std::make_unique<UnixPacketSocket>(std::move(socket));
  }
};

}  // namespace

Sockets& SystemSockets() {
  // Never destroyed: a thread may outlive the statics of a process that ends.
  static UnixSockets& sockets = *new UnixSockets();
  return sockets;
}

}  // namespace mainstem
