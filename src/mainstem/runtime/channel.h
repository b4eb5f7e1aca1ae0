// Channel: batches on their way from one subtask to another, bounded in bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>

#include "mainstem/operators/batch.h"

namespace mainstem::runtime {

/// One producer, one consumer. A full channel stops its producer: backpressure. Thread-safe.
class Channel {
 public:
  /// At least one batch always fits; more only while they are within `capacity_bytes` together.
  Channel(int64_t capacity_bytes, std::function<void()> wake_producer, std::function<void()> wake_consumer)
      : capacity_bytes_(capacity_bytes), wake_producer_(std::move(wake_producer)),
        wake_consumer_(std::move(wake_consumer)) {}

  // The producer's side.
  bool HasRoom() const;
  void Push(Batch batch);
  /// No batch follows.
  void End();
  /// The consumer wants no more: what is pushed is dropped.
  bool closed() const;

  // The consumer's side.
  std::optional<Batch> Pop();
  /// Order of the next batch, or nothing when the channel is empty.
  std::optional<int64_t> NextOrder() const;
  /// Ended and empty.
  bool Drained() const;
  /// Drops what is inside and tells the producer to stop.
  void Close();

  int64_t bytes() const;

 private:
  static constexpr size_t kMostBatches = 64;  // small batches cost more than their bytes

  struct Item {
    Batch batch;
    int64_t bytes;
  };

  const int64_t capacity_bytes_;
  const std::function<void()> wake_producer_;
  const std::function<void()> wake_consumer_;
  mutable std::mutex mutex_;
  std::deque<Item> items_;  // guarded by mutex_, as are the following
  int64_t bytes_ = 0;
  bool ended_ = false;
  bool closed_ = false;
};

}  // namespace mainstem::runtime
