#include "mainstem/operators/key_partition.h"

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/record_batch.h>

#include "mainstem/state/keyed_rows.h"
#include "mainstem/state/keyed_state.h"

namespace mainstem {
namespace {

// `lanes_of_rows`: one a row.
Result<RowParts> Partition(const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<int>& lanes_of_rows,
                           int lanes) {
  std::vector<std::vector<int64_t>> chosen(static_cast<size_t>(lanes));
  for (size_t row = 0; row < lanes_of_rows.size(); ++row) {
    chosen[static_cast<size_t>(lanes_of_rows[row])].push_back(static_cast<int64_t>(row));
  }
  RowParts parts;
  for (const std::vector<int64_t>& of_lane : chosen) {
    if (of_lane.size() == lanes_of_rows.size()) {
      parts.push_back(rows);
      continue;
    }
    if (of_lane.empty()) {
      parts.push_back(rows->Slice(0, 0));
      continue;
    }
    const arrow::Int64Array indices(static_cast<int64_t>(of_lane.size()), arrow::Buffer::Wrap(of_lane));
    ARROW_ASSIGN_OR_RAISE(const arrow::Datum taken, arrow::compute::Take(arrow::Datum(rows), arrow::Datum(indices),
                                                                         arrow::compute::TakeOptions::NoBoundsCheck()));
    parts.push_back(taken.record_batch());
  }
  return parts;
}

}  // namespace

Result<RowParts> PartitionByKey(const std::shared_ptr<arrow::RecordBatch>& rows, const std::vector<int>& keys,
                                int lanes) {
  if (lanes == 1) return RowParts{rows};
  ARROW_ASSIGN_OR_RAISE(const KeyedRows row_keys, KeyedRows::Make(*rows, keys));
  std::vector<int> lanes_of_rows;
  for (int64_t row = 0; row < row_keys.size(); ++row) {
    lanes_of_rows.push_back(LaneOfKeyGroup(KeyGroupOf(row_keys[row]), lanes));
  }
  return Partition(rows, lanes_of_rows, lanes);
}

Result<RowParts> PartitionByKeyGroup(const std::shared_ptr<arrow::RecordBatch>& rows, int lanes,
                                     int (*lane_of)(int group, int lanes)) {
  ARROW_ASSIGN_OR_RAISE(const int32_t* groups, KeyGroupsOf(*rows));
  std::vector<int> lanes_of_rows;
  for (int64_t row = 0; row < rows->num_rows(); ++row) lanes_of_rows.push_back(lane_of(groups[row], lanes));
  return Partition(rows, lanes_of_rows, lanes);
}

}  // namespace mainstem
