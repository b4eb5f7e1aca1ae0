// Source: where rows come from, cut into splits that can be read, and read again, on their own.
#pragma once

#include <arrow/type_fwd.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/base/error.h"

namespace mainstem {

class Clock;

/// A part of a source that one reader reads. It names its content so exactly that it can be read again
/// after a crash: `content` is the connector's own text (JSON).
struct Split {
  int64_t ordinal = 0;  ///< position in the order of the source
  std::string content;
};

/// Lists splits one at a time, so that a job that stops early never lists the rest. One thread at a time.
class SplitEnumerator {
 public:
  virtual ~SplitEnumerator() = default;
  /// Returns the next split, or nothing: at the end, or for now (see retry_after_ns).
  virtual Result<std::optional<Split>> Next() = 0;
  /// Where Next goes on, in the connector's own words (JSON): an enumerator made with it hands out exactly what this
  /// one has not, under the same ordinals. Empty is the beginning, also for a connector that cannot go on.
  virtual std::string Position() const { return {}; }
  /// After Next returned nothing: 0 = the source has ended; otherwise ask again after so long.
  virtual int64_t retry_after_ns() const { return 0; }
};

/// Reads one split. One thread at a time. May block on local files; remote reads run ahead, bounded.
///
/// A split that is read again has the same rows in the same order; the borders of its batches may differ. So the rows
/// handed out are the position of a reader.
class SplitReader {
 public:
  virtual ~SplitReader() = default;
  /// Returns the next batch with the source's schema, or null at the end.
  virtual Result<std::shared_ptr<arrow::RecordBatch>> Next() = 0;
  /// Before the first Next, once: passes over up to `rows` rows as far as that is cheaper than reading them, and
  /// returns how many those were. Callers want Skipping, which passes over all of them.
  virtual Result<int64_t> Skip(int64_t /*rows*/) { return 0; }
};

/// Returns a reader that goes on behind the first `rows` rows of a split of which nothing was read yet. Reads what it
/// must. A split that has fewer rows is a job error: it is not what it was.
Result<std::unique_ptr<SplitReader>> Skipping(std::unique_ptr<SplitReader> reader, int64_t rows);

/// What the planner pushes into a source.
struct ScanRequest {
  std::vector<std::string> columns;      ///< wanted columns in order; empty with `all_columns`
  bool all_columns = true;
  std::optional<int64_t> limit;          ///< no more rows are needed in all; a hint
  /// A conjunction of simple comparisons, for pruning only: the filter still runs behind the source.
  struct Bound {
    std::string column;
    std::string comparison;              ///< equal, less, less_equal, greater, greater_equal
    std::shared_ptr<arrow::Scalar> value;
  };
  std::vector<Bound> bounds;
  int64_t batch_rows = 0;                ///< at most so many rows a batch; 0 = the connector's choice
  const Clock* clock = nullptr;          ///< of unbounded sources; null = the system's. Outlives the enumerators
};

/// Rows of a split that follow each other in one place, which is named so that every run names it alike, whatever else
/// is read beside it.
struct OriginRun {
  std::string place;   ///< "parquet\n/data/a.parquet\n3": connector, file, part
  int64_t first = 0;   ///< number of its first row in the place
  int64_t rows = std::numeric_limits<int64_t>::max();  ///< by default those that are left
};

/// A bound source. Immutable after creation; its enumerators and readers are independent objects.
class Source {
 public:
  virtual ~Source() = default;
  /// Full schema, multimodal types in field metadata as LogicalType has them.
  virtual std::shared_ptr<arrow::Schema> schema() const = 0;
  /// For explain: "parquet data/*.parquet (12 files)".
  virtual std::string Describe() const = 0;
  /// Rows where the source knows them without reading (progress).
  virtual std::optional<int64_t> RowCount() const { return {}; }
  /// Says whether file references that come from here may name files of other machines.
  virtual bool MayBeRemote() const { return true; }
  /// Says that it has no end: Next of its enumerators returns nothing only for a while.
  virtual bool unbounded() const { return false; }
  /// `position` is what Position of an enumerator of the same source and request said, or empty: from the beginning.
  /// One that this source cannot have said is a job error.
  virtual Result<std::unique_ptr<SplitEnumerator>> Enumerate(const ScanRequest& request,
                                                             const std::string& position) const = 0;
  virtual Result<std::unique_ptr<SplitReader>> Open(const Split& split, const ScanRequest& request) const = 0;
  /// Where all rows of a split come from, in their order; the same for every scan. A job error where the source cannot
  /// tell.
  virtual Result<std::vector<OriginRun>> Origins(const Split& split) const;
};

}  // namespace mainstem
