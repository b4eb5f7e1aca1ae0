// Used keys: a set of journal keys of a fixed size, whatever their number.
#pragma once

#include <atomic>
#include <cstring>
#include <vector>

#include "mainstem/services/journal/journal.h"

namespace mainstem {

/// Forgets no key; may say of a few that they were added although they were not: of one in a thousand after two million
/// keys, of one in fifty after ten million. Thread-safe.
class UsedKeys {
 public:
  static constexpr size_t kBytes = size_t{16} << 20;

  UsedKeys() : words_(kBytes / sizeof(uint64_t)) {}

  void Add(const JournalKey& key) {
    for (const size_t bit : BitsOf(key)) words_[bit / 64].fetch_or(uint64_t{1} << (bit % 64), std::memory_order_relaxed);
  }
  bool Holds(const JournalKey& key) const {
    for (const size_t bit : BitsOf(key)) {
      if ((words_[bit / 64].load(std::memory_order_relaxed) >> (bit % 64) & 1) == 0) return false;
    }
    return true;
  }

 private:
  // A key is a hash already: its halves are as good as two more.
  static std::array<size_t, 2> BitsOf(const JournalKey& key) {
    uint64_t halves[2];
    static_assert(sizeof halves == sizeof(JournalKey));
    std::memcpy(halves, key.data(), sizeof halves);
    return {static_cast<size_t>(halves[0] % (kBytes * 8)), static_cast<size_t>(halves[1] % (kBytes * 8))};
  }

  std::vector<std::atomic<uint64_t>> words_;
};

}  // namespace mainstem
