// Key partition: the rows of a batch by the subtask that owns their keys.
#pragma once

#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

#include "mainstem/base/error.h"
#include "mainstem/state/key_group.h"

namespace mainstem {

using RowParts = std::vector<std::shared_ptr<arrow::RecordBatch>>;

/// One part a lane, each in the order of the rows; parts may be empty. `keys` are positions of columns (see KeyedRows).
Result<RowParts> PartitionByKey(const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<int>& keys, int lanes);

/// The same for rows of keyed state, by the groups that they name. `lane_of` differs only where a defect is planted.
Result<RowParts> PartitionByKeyGroup(const std::shared_ptr<arrow::RecordBatch>& rows, int lanes,
                                     int (*lane_of)(int group, int lanes) = LaneOfKeyGroup);

}  // namespace mainstem
