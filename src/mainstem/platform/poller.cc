#include "mainstem/platform/poller.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace mainstem {

Result<Poller> Poller::Make() {
  FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.is_open()) return SystemError("cannot make a poller", errno);
  return Poller(std::move(epoll));
}

Status Poller::Add(int fd, uint64_t token) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return SystemError("cannot watch a descriptor", errno);
  return Status::OK();
}

void Poller::Remove(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

Result<std::vector<uint64_t>> Poller::Wait(int64_t timeout_ns) {
  int timeout_ms = -1;
  if (timeout_ns >= 0) {
    // Rounded up: a wait that ends just before a deadline would be taken up again at once, many times.
    timeout_ms = static_cast<int>(std::min<int64_t>((timeout_ns + 999'999) / 1'000'000, INT_MAX));
  }
  std::array<epoll_event, 64> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  std::vector<uint64_t> tokens;
  if (count < 0) {
    if (errno == EINTR) return tokens;
    return SystemError("cannot wait for descriptors", errno);
  }
  for (int i = 0; i < count; ++i) tokens.push_back(events[static_cast<size_t>(i)].data.u64);
  return tokens;
}

Result<Wakeup> Wakeup::Make() {
  FileDescriptor event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!event.is_open()) return SystemError("cannot make an event", errno);
  return Wakeup(std::move(event));
}

void Wakeup::Notify() {
  const uint64_t one = 1;
  // The only failure is a counter that is full, and then the reader is woken already.
  if (::write(event_.get(), &one, sizeof(one)) < 0) return;
}

void Wakeup::Clear() {
  uint64_t count;
  if (::read(event_.get(), &count, sizeof(count)) < 0) return;
}

}  // namespace mainstem
