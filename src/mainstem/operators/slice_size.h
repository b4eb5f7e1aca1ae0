// SliceSize: how many rows of a batch to take at once, learnt from what came out.
#pragma once

#include <algorithm>
#include <cstdint>

#include "mainstem/functions/function.h"

namespace mainstem {

/// Starts small for functions that may expand rows a thousandfold and grows towards the wanted bytes.
class SliceSize {
 public:
  SliceSize(CostClass cost, bool row_steps, int64_t target_bytes)
      : most_(!row_steps ? kWholeBatch : cost >= CostClass::kDecode ? kDecodedRows : kCheapRows),
        rows_(std::min<int64_t>(most_, row_steps && cost >= CostClass::kDecode ? 1 : most_)),
        target_bytes_(target_bytes) {}

  int64_t rows() const { return rows_; }
  void Measured(int64_t rows, int64_t bytes) {
    if (rows == 0) return;
    const int64_t per_row = std::max<int64_t>(1, bytes / rows);
    rows_ = std::clamp<int64_t>(target_bytes_ / per_row, 1, std::min(most_, rows_ * 2));
  }

 private:
  static constexpr int64_t kWholeBatch = int64_t{1} << 17;
  static constexpr int64_t kCheapRows = 4096;
  static constexpr int64_t kDecodedRows = 8;  // keeps a step short, so that cancelling is quick

  int64_t most_;
  int64_t rows_;
  int64_t target_bytes_;
};

}  // namespace mainstem
