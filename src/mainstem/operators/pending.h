// Pending batches: what waits for answers, first in, first out, so that order survives concurrency.
#pragma once

#include <deque>
#include <unordered_map>

#include "mainstem/operators/operator.h"

namespace mainstem {

/// Batches whose answers are outstanding. `Entry` has the answers of one batch and says when they are complete:
/// `bool complete() const`.
template <typename Entry>
class PendingBatches {
 public:
  Entry& Add(Entry entry) {
    entries_.push_back(std::move(entry));
    return entries_.back();
  }
  /// Ties an answer's id to the batch added last; references stay valid in a deque that only pops in front.
  void Expect(int64_t id) { waiting_[id] = &entries_.back(); }
  /// The entry that waits for the id, which is then forgotten; null where nobody waits.
  Entry* Answered(int64_t id) {
    const auto found = waiting_.find(id);
    if (found == waiting_.end()) return nullptr;
    Entry* entry = found->second;
    waiting_.erase(found);
    return entry;
  }
  const std::deque<Entry>& entries() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  Entry& front() { return entries_.front(); }
  void PopFront() { entries_.pop_front(); }

 private:
  std::deque<Entry> entries_;
  std::unordered_map<int64_t, Entry*> waiting_;
};

}  // namespace mainstem
