#include "mainstem/runtime/channel.h"

#include <arrow/record_batch.h>

#include <algorithm>

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
    if (capturing_ != 0) captured_.push_back(batch);
    bytes_ += bytes;
    items_.push_back({.batch = std::move(batch), .bytes = bytes});
  }
  wake_consumer_();
}

void Channel::PushBarrier(int64_t checkpoint) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    // A producer that was busy for long may leave out the barrier of a checkpoint that was given up meanwhile.
    const bool ends_capture = capturing_ == checkpoint;
    if (checkpoint >= capturing_) capturing_ = 0;
    if (!ends_capture) items_.push_back({.barrier = checkpoint});
  }
  wake_consumer_();
}

void Channel::End() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    capturing_ = 0;
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
    if (items_.empty() || items_.front().barrier != 0) return batch;
    bytes_ -= items_.front().bytes;
    batch = std::move(items_.front().batch);
    items_.pop_front();
  }
  wake_producer_();
  return batch;
}

std::optional<int64_t> Channel::NextOrder() const {
  const std::lock_guard lock(mutex_);
  if (items_.empty() || items_.front().barrier != 0) return {};
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
    capturing_ = 0;
  }
  wake_producer_();
}

std::optional<int64_t> Channel::HeadBarrier() const {
  const std::lock_guard lock(mutex_);
  if (items_.empty() || items_.front().barrier == 0) return {};
  return items_.front().barrier;
}

void Channel::PopBarrier() {
  const std::lock_guard lock(mutex_);
  if (!items_.empty() && items_.front().barrier != 0) items_.pop_front();
}

bool Channel::MayGiveBarrier() const {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  return !ended_ || std::any_of(items_.begin(), items_.end(), [](const Item& item) { return item.barrier != 0; });
}

int64_t Channel::NewestBarrier() const {
  const std::lock_guard lock(mutex_);
  int64_t newest = 0;
  for (const Item& item : items_) newest = std::max(newest, item.barrier);
  return newest;
}

bool Channel::HasBarrierOrEnded(int64_t checkpoint) const {
  const std::lock_guard lock(mutex_);
  return ended_ || closed_ ||
         std::any_of(items_.begin(), items_.end(), [&](const Item& item) { return item.barrier == checkpoint; });
}

void Channel::StartCapture(int64_t checkpoint) {
  const std::lock_guard lock(mutex_);
  captured_.clear();
  const auto barrier =
      std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.barrier == checkpoint; });
  for (auto item = items_.begin(); item != barrier; ++item) {
    if (item->barrier == 0) captured_.push_back(item->batch);
  }
  capturing_ = barrier == items_.end() && !ended_ && !closed_ ? checkpoint : 0;
  if (barrier != items_.end()) items_.erase(barrier);
}

bool Channel::CaptureComplete() const {
  const std::lock_guard lock(mutex_);
  return capturing_ == 0;
}

std::vector<Batch> Channel::TakeCaptured() {
  const std::lock_guard lock(mutex_);
  return std::exchange(captured_, {});
}

std::vector<Batch> Channel::TakeAll() {
  const std::lock_guard lock(mutex_);
  std::vector<Batch> batches;
  for (Item& item : items_) batches.push_back(std::move(item.batch));
  items_.clear();
  bytes_ = 0;
  return batches;
}

void Channel::Restore(std::vector<Batch> batches) {
  const std::lock_guard lock(mutex_);
  for (Batch& batch : batches) {
    const int64_t bytes = BytesOf(*batch.rows);
    bytes_ += bytes;
    items_.push_back({.batch = std::move(batch), .bytes = bytes});
  }
}

int64_t Channel::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace mainstem::runtime
