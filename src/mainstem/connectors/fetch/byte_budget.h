// Byte budget: how many received bytes wait to be handed on, over all fetches.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>

namespace mainstem {

/// Thread-safe. One holder is always let in, however much it wants, so that a file larger than the budget passes.
class ByteBudget {
 public:
  explicit ByteBudget(int64_t bytes_max) : bytes_max_(bytes_max) {}

  /// Waits for room. False after Close.
  bool Take(int64_t bytes) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || held_ == 0 || held_ + bytes <= bytes_max_; });
    if (closed_) return false;
    held_ += bytes;
    return true;
  }

  /// Takes without waiting, beyond the limit too: for bytes that are here already.
  void Add(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    held_ += bytes;
  }

  void Give(int64_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      held_ -= bytes;
    }
    room_.notify_all();
    if (on_room_) on_room_();
  }

  /// Sets what is called when bytes are given back, from the thread that gives. Before the first use only.
  void SetOnRoom(std::function<void()> on_room) { on_room_ = std::move(on_room); }

  bool has_room() const {
    const std::lock_guard lock(mutex_);
    return held_ < bytes_max_;
  }

  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    room_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable room_;
  const int64_t bytes_max_;
  int64_t held_ = 0;
  bool closed_ = false;
  std::function<void()> on_room_;
};

}  // namespace mainstem
