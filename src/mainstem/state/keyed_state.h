// Keyed state: so many numbers a key, which move with the key's group when the number of subtasks changes.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "mainstem/state/declared_state.h"

namespace mainstem {

/// The keys of one subtask's groups, in memory.
class KeyedState {
 public:
  /// A 64-bit number: an integer, or the bits of a double.
  using Word = int64_t;

  explicit KeyedState(size_t words_a_key) : words_a_key_(words_a_key) {}

  /// Declares it under a name; rows in the snapshot are (key group, key, words…).
  void DeclareIn(DeclaredState& state, const std::string& name);

  /// The words of a key, valid until the next call. A key that is new has zeros, and `*is_new` says so.
  std::span<Word> At(std::string_view key, bool* is_new);
  int64_t size() const { return static_cast<int64_t>(slots_.size()); }
  /// About what it occupies.
  int64_t bytes() const;
  /// A job error when that is more than `bytes_most`; `name` says whose state it is.
  Status CheckBytes(int64_t bytes_most, std::string_view name) const;

 private:
  struct Hash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return std::hash<std::string_view>()(key); }
  };

  std::shared_ptr<arrow::RecordBatch> ToRows() const;
  Status FromRows(const arrow::RecordBatch& rows);

  const size_t words_a_key_;
  std::unordered_map<std::string, size_t, Hash, std::equal_to<>> slots_;
  std::vector<Word> words_;
  int64_t key_bytes_ = 0;
};

/// Names of keyed state in a snapshot end in this and a name of their own.
inline constexpr std::string_view kKeyedScope = "keyed/";
/// The key groups of such rows.
Result<const int32_t*> KeyGroupsOf(const arrow::RecordBatch& rows);

}  // namespace mainstem
