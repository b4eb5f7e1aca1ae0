// Journal: finished replies, durable, so that nothing is paid for twice.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/platform/clock.h"

namespace mainstem {

/// Names one reply: a cryptographic hash of everything that decides it.
using JournalKey = std::array<uint8_t, 16>;

struct JournalEntry {
  JournalKey key;
  std::string value;
};

/// What a collection keeps. Zeros keep everything.
struct JournalBounds {
  int64_t bytes_max = 0;   ///< on disk; the oldest entries go first
  int64_t age_ns_max = 0;  ///< since the reply was written

  bool operator==(const JournalBounds&) const = default;
};

/// Figures of a folder.
struct JournalStats {
  int64_t entries = 0;          ///< close to exact; exact after a collection
  int64_t bytes = 0;            ///< on disk
  JournalBounds bounds;         ///< of the last run that gave it some
  int64_t trimmed_ns = 0;       ///< when entries were removed for the sake of such bounds, since 1970; 0: never
  int64_t trimmed_entries = 0;  ///< how many were removed then
};

/// What a collection did.
struct JournalCollection {
  JournalStats before;
  JournalStats after;
  int64_t removed = 0;
};

/// Keeps values under keys in a folder, over RocksDB. Its memory does not grow with its content (kCacheBytes and two
/// write buffers). Thread-safe. Errors are job errors that name the folder.
class Journal {
 public:
  static constexpr int64_t kCacheBytes = int64_t{32} << 20;
  static constexpr int64_t kWriteBufferBytes = int64_t{16} << 20;
  static constexpr int kOpenFilesMax = 256;

  /// Opens a folder for writing, making it where it is missing. All who open one folder in this process share one
  /// journal; another process is refused. What was appended before a crash is there; a record that the crash cut is not.
  static Result<std::shared_ptr<Journal>> Open(const std::string& folder, const Clock& clock = SystemClock());
  virtual ~Journal() = default;

  virtual const std::string& folder() const = 0;
  /// Returns the value of each key, nothing where there is none.
  virtual Result<std::vector<std::optional<std::string>>> Lookup(const std::vector<JournalKey>& keys) = 0;
  /// Writes all entries; they are durable when it returns: one sync for the batch.
  virtual Status Append(const std::vector<JournalEntry>& entries) = 0;
  virtual Result<JournalStats> Stats() = 0;
  /// Removes what is out of bounds and gives its space back. Lookups and appends may go on meanwhile.
  virtual Result<JournalCollection> Collect(const JournalBounds& bounds) = 0;

  /// Before the first Trim: from now on, what is looked up and appended is remembered (UsedKeys::kBytes of memory, once),
  /// and the folder's figures name the bounds.
  virtual Status StartTrims(const JournalBounds& bounds) = 0;
  /// Collect for a journal in use: does nothing where it is within the bounds, brings a larger one to nine tenths of the
  /// size, and spares what was appended since it was opened and what was looked up since StartTrims, in or out of bounds.
  /// Ends early, with what it has done, when `cut_short` becomes true.
  virtual Result<JournalCollection> Trim(const JournalBounds& bounds, const std::atomic<bool>& cut_short) = 0;
};

/// Figures of a folder that may be in use by another process.
Result<JournalStats> ReadJournalStats(const std::string& folder);

}  // namespace mainstem
