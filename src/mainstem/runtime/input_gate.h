// Input gate: reads the channels of one input, in the order of the source or as batches come.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "mainstem/runtime/channel.h"
#include "mainstem/state/snapshot.h"

namespace mainstem::runtime {

/// The channels of one input. In the order of the source: orders are ascending in every channel and each order stands in
/// one channel only, or in all, so the smallest order at the heads is next as soon as every channel shows a head or has
/// ended, or earlier, when it is the very next number. Channels of later orders fill up and stop their producers: nothing
/// is buffered here.
class InputGate {
 public:
  enum class Reads { kInOrder, kAsTheyCome };
  explicit InputGate(std::vector<std::shared_ptr<Channel>> channels, Reads reads = Reads::kInOrder)
      : channels_(std::move(channels)), reads_(reads) {}

  /// Returns the next batch, or nothing when it is not there yet (or stands behind a barrier) or all channels have
  /// ended.
  std::optional<Batch> Pop();
  bool Drained() const;
  void Close();
  /// One a producer, in the order of its lanes.
  const std::vector<std::shared_ptr<Channel>>& channels() const { return channels_; }
  /// A producer has come.
  void Add(std::shared_ptr<Channel> channel) { channels_.push_back(std::move(channel)); }

  /// Where the merge stands; what is in the channels is not part of it.
  Snapshot Take() const;
  void Restore(const Snapshot& snapshot);

 private:
  std::optional<Batch> PopAny();

  std::vector<std::shared_ptr<Channel>> channels_;
  const Reads reads_;
  size_t turn_ = 0;                // as they come: the channel that is looked at first
  std::optional<size_t> current_;  // the channel whose order has begun and not ended
  int64_t next_order_ = 0;
};

}  // namespace mainstem::runtime
