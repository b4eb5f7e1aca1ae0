#include "mainstem/runtime/channel.h"

#include <arrow/record_batch.h>

namespace mainstem::runtime {

bool Channel::HasRoom() const {
  const std::lock_guard lock(mutex_);
  return closed_ || items_.empty() || (bytes_ < capacity_bytes_ && items_.size() < kMostBatches);
}

void Channel::Push(Batch batch) {
  const int64_t bytes = BytesOf(*batch.rows);
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    bytes_ += bytes;
    items_.push_back({std::move(batch), bytes});
  }
  wake_consumer_();
}

void Channel::End() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  wake_consumer_();
}

bool Channel::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::optional<Batch> Channel::Pop() {
  std::optional<Batch> batch;
  {
    const std::lock_guard lock(mutex_);
    if (items_.empty()) return batch;
    bytes_ -= items_.front().bytes;
    batch = std::move(items_.front().batch);
    items_.pop_front();
  }
  wake_producer_();
  return batch;
}

std::optional<int64_t> Channel::NextOrder() const {
  const std::lock_guard lock(mutex_);
  if (items_.empty()) return {};
  return items_.front().batch.order;
}

bool Channel::Drained() const {
  const std::lock_guard lock(mutex_);
  return ended_ && items_.empty();
}

void Channel::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    items_.clear();
    bytes_ = 0;
  }
  wake_producer_();
}

int64_t Channel::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace mainstem::runtime
