// Channel: batches and barriers on their way from one subtask to another, bounded in bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "mainstem/data/batch.h"

namespace mainstem::runtime {

/// One producer, one consumer. A full channel stops its producer: backpressure. Barriers take no room. Thread-safe.
class Channel {
 public:
  /// At least one batch always fits; more only while they are within `capacity_bytes` together.
  Channel(int64_t capacity_bytes, std::function<void()> wake_producer, std::function<void()> wake_consumer)
      : capacity_bytes_(capacity_bytes), wake_producer_(std::move(wake_producer)),
        wake_consumer_(std::move(wake_consumer)) {}

  // The producer's side.
  bool HasRoom() const;
  void Push(Batch batch);
  /// Everything before it belongs to the checkpoint; where the consumer captures already, it (or a later one) ends the
  /// capture.
  void PushBarrier(int64_t checkpoint);
  /// No batch follows.
  void End();
  /// The consumer wants no more: what is pushed is dropped.
  bool closed() const;

  // The consumer's side. A barrier at the head hides what is behind it.
  std::optional<Batch> Pop();
  /// Order of the next batch, or nothing when the channel is empty or a barrier comes first.
  std::optional<int64_t> NextOrder() const;
  /// Ended and empty.
  bool Drained() const;
  /// Drops what is inside and tells the producer to stop.
  void Close();

  /// Checkpoint of the barrier at the head.
  std::optional<int64_t> HeadBarrier() const;
  void PopBarrier();
  /// Whether a barrier is inside or can still come.
  bool MayGiveBarrier() const;
  /// The newest barrier anywhere inside, 0 where there is none.
  int64_t NewestBarrier() const;
  /// Whether the barrier has come, or never will because the channel has ended.
  bool HasBarrierOrEnded(int64_t checkpoint) const;
  /// Notes what stands before the barrier, and, where it has not come yet, everything until it comes. The batches stay
  /// where they are; the barrier is taken out.
  void StartCapture(int64_t checkpoint);
  /// Whether all that belongs to the checkpoint has been noted.
  bool CaptureComplete() const;
  std::vector<Batch> TakeCaptured();

  /// Takes out all batches. Only where no barrier is inside and nobody else is at work on the channel.
  std::vector<Batch> TakeAll();
  /// Puts back what a snapshot kept, whatever the room.
  void Restore(std::vector<Batch> batches);
  int64_t bytes() const;

 private:
  static constexpr size_t kMostBatches = 64;  // small batches cost more than their bytes

  struct Item {
    Batch batch;
    int64_t bytes = 0;
    int64_t barrier = 0;  // a barrier and no batch
  };

  const int64_t capacity_bytes_;
  const std::function<void()> wake_producer_;
  const std::function<void()> wake_consumer_;
  mutable std::mutex mutex_;
  std::deque<Item> items_;  // guarded by mutex_, as are the following
  int64_t bytes_ = 0;
  bool ended_ = false;
  bool closed_ = false;
  int64_t capturing_ = 0;  // the checkpoint whose barrier is awaited
  std::vector<Batch> captured_;
};

}  // namespace mainstem::runtime
