#include "mainstem/runtime/input_gate.h"

#include <algorithm>

namespace mainstem::runtime {

std::optional<Batch> InputGate::PopAny() {
  for (size_t i = 0; i < channels_.size(); ++i) {
    const size_t at = (turn_ + i) % channels_.size();
    std::optional<Batch> batch = channels_[at]->Pop();
    if (!batch) continue;
    turn_ = at + 1;  // everybody has a turn
    return batch;
  }
  return {};
}

std::optional<Batch> InputGate::Pop() {
  if (reads_ == Reads::kAsTheyCome) return PopAny();
  if (!current_) {
    std::optional<int64_t> smallest;
    bool all_known = true;
    for (size_t i = 0; i < channels_.size(); ++i) {
      const bool drained = channels_[i]->Drained();  // before the look: a channel may be filled and ended in between
      const std::optional<int64_t> order = channels_[i]->NextOrder();
      if (!order) {
        all_known &= drained;
        continue;
      }
      if (!smallest || *order < *smallest) {
        smallest = order;
        current_ = i;
      }
    }
    if (!smallest || (!all_known && *smallest != next_order_)) {
      current_.reset();
      return {};
    }
  }
  std::optional<Batch> batch = channels_[*current_]->Pop();
  if (!batch) {
    // A producer that stopped early ends without the mark.
    if (channels_[*current_]->Drained()) {
      current_.reset();
      return Drained() ? std::nullopt : Pop();
    }
    return {};
  }
  if (batch->last_of_order) {
    next_order_ = batch->order + 1;
    current_.reset();
  }
  return batch;
}

bool InputGate::Drained() const {
  return std::all_of(channels_.begin(), channels_.end(), [](const auto& channel) { return channel->Drained(); });
}

Snapshot InputGate::Take() const {
  Snapshot snapshot;
  snapshot.numbers = {{"current", current_ ? static_cast<int64_t>(*current_) : -1}, {"next_order", next_order_}};
  return snapshot;
}

void InputGate::Restore(const Snapshot& snapshot) {
  const int64_t current = snapshot.Number("current", -1);
  current_.reset();
  if (current >= 0 && current < static_cast<int64_t>(channels_.size())) current_ = static_cast<size_t>(current);
  next_order_ = snapshot.Number("next_order");
}

void InputGate::Close() {
  for (const auto& channel : channels_) channel->Close();
}

}  // namespace mainstem::runtime
