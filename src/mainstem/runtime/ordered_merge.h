// Ordered merge: reads several channels so that batches come in the order of their source.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "mainstem/runtime/channel.h"
#include "mainstem/state/snapshot.h"

namespace mainstem::runtime {

/// The channels of one input. Orders are ascending in every channel and each order stands in one channel only, so
/// the smallest order at the heads is next as soon as every channel shows a head or has ended, or earlier, when it
/// is the very next number. Channels of later orders fill up and stop their producers: nothing is buffered here.
class OrderedMerge {
 public:
  explicit OrderedMerge(std::vector<std::shared_ptr<Channel>> channels) : channels_(std::move(channels)) {}

  /// Returns the next batch, or nothing when it is not there yet (or stands behind a barrier) or all channels have
  /// ended.
  std::optional<Batch> Pop();
  bool Drained() const;
  void Close();
  /// One a producer, in the order of its lanes.
  const std::vector<std::shared_ptr<Channel>>& channels() const { return channels_; }

  /// Where the merge stands; what is in the channels is not part of it.
  Snapshot Take() const;
  void Restore(const Snapshot& snapshot);

 private:
  std::vector<std::shared_ptr<Channel>> channels_;
  std::optional<size_t> current_;  // the channel whose order has begun and not ended
  int64_t next_order_ = 0;
};

}  // namespace mainstem::runtime
