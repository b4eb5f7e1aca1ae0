// BatchSize: how many rows a replica gets at once.
#pragma once

#include <cstdint>

namespace mainstem {

/// A fixed number of rows, or one that follows how long rows take. Used by one thread.
class BatchSize {
 public:
  /// `fixed_rows` 0: batches of about kBatchNs and at most kBatchBytes.
  explicit BatchSize(int64_t fixed_rows) : fixed_(fixed_rows > 0), rows_(fixed_rows > 0 ? fixed_rows : kFirstRows) {}

  static constexpr int64_t kBatchNs = 75'000'000;
  static constexpr int64_t kBatchBytes = int64_t{8} << 20;
  static constexpr int64_t kFirstRows = 16;
  static constexpr int64_t kRowsMax = 131'072;
  /// How much larger than the last batch the next may be: the first rows may not be like the others.
  static constexpr int64_t kGrowth = 8;

  bool is_fixed() const { return fixed_; }
  int64_t rows() const { return rows_; }
  /// Rows for a batch of a queue with that many rows and bytes.
  int64_t RowsFor(int64_t queued_rows, int64_t queued_bytes) const;
  /// The fewest rows for which a message of their own is worth while.
  int64_t RowsMin() const;
  /// Learns from a batch that a replica worked on.
  void Observe(int64_t rows, int64_t busy_ns);

 private:
  bool fixed_;
  int64_t rows_;
  double row_ns_ = 0;
};

}  // namespace mainstem
