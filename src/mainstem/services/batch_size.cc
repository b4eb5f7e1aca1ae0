#include "mainstem/services/batch_size.h"

#include <algorithm>

namespace mainstem {
namespace {

// A batch costs about 50 µs to send and to take back; one of 2 ms loses little by it.
constexpr double kWorthNs = 2e6;
constexpr double kWeightOfNew = 0.3;

}  // namespace

int64_t BatchSize::RowsFor(int64_t queued_rows, int64_t queued_bytes) const {
  if (fixed_ || queued_rows == 0) return rows_;
  const int64_t row_bytes = std::max<int64_t>(queued_bytes / queued_rows, 1);
  return std::clamp<int64_t>(kBatchBytes / row_bytes, 1, rows_);
}

int64_t BatchSize::RowsMin() const {
  if (row_ns_ <= 0) return 1;
  return static_cast<int64_t>(std::clamp(kWorthNs / row_ns_, 1.0, static_cast<double>(rows_)));
}

void BatchSize::Observe(int64_t rows, int64_t busy_ns) {
  if (rows <= 0) return;
  const double row_ns = std::max(static_cast<double>(busy_ns) / static_cast<double>(rows), 1.0);
  row_ns_ = row_ns_ <= 0 ? row_ns : row_ns_ + kWeightOfNew * (row_ns - row_ns_);
  if (fixed_) return;
  const auto wanted = static_cast<int64_t>(std::min(kBatchNs / row_ns_, static_cast<double>(kRowsMax)));
  rows_ = std::clamp<int64_t>(wanted, 1, std::max(rows_, rows * kGrowth));
}

}  // namespace mainstem
