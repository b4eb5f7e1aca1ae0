#include "mainstem/runtime/rekeying.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "mainstem/operators/key_partition.h"
#include "mainstem/runtime/job_harness.h"
#include "mainstem/state/keyed_state.h"
#include "mainstem/state/keyed_rows.h"

namespace mainstem::runtime {
namespace {

using mainstem::testing::Numbers;

const std::string kState = "chain/operator/0/state/";

std::vector<int64_t> NumbersIn(const std::vector<Batch>& batches) {
  std::vector<int64_t> numbers;
  for (const Batch& batch : batches) {
    const auto& column = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    for (int64_t i = 0; i < column.length(); ++i) numbers.push_back(column.Value(i));
  }
  return numbers;
}

// The lanes of a task before it is rekeyed: each with the state of its keys, and with what one producer has sent: orders
// `from_order` to 3 of ten numbers each.
std::map<int, Snapshot> Lanes(int count, const std::vector<int64_t>& from_order) {
  std::map<int, Snapshot> lanes;
  for (int lane = 0; lane < count; ++lane) {
    Snapshot& snapshot = lanes[lane];
    KeyedState state(1);
    DeclaredState declared;
    state.DeclareIn(declared, "seen");
    const auto keys = *KeyedRows::Make(*(*PartitionByKey(Numbers(0, 40), {0}, count))[static_cast<size_t>(lane)], {0});
    for (int64_t i = 0; i < keys.size(); ++i) {
      bool is_new = false;
      state.At(keys[i], &is_new)[0] = 1;
    }
    snapshot.Add("chain/operator/0/state", declared.Take());
    const int64_t from = from_order[static_cast<size_t>(lane)];
    for (int64_t order = from; order < 4; ++order) {
      const auto rows = (*PartitionByKey(Numbers(order * 10, 10), {0}, count))[static_cast<size_t>(lane)];
      snapshot.batches["channel/0/0"].push_back({.rows = rows, .order = order, .last_of_order = true});
    }
    snapshot.numbers["input/0/next_order"] = from;
    snapshot.numbers["input/0/current"] = -1;
    snapshot.numbers["next_order"] = 100;
    snapshot.numbers["rows_written"] = 7;
  }
  return lanes;
}

void CheckMoved(const std::map<int, Snapshot>& lanes, const std::vector<int>& owners) {
  std::set<int64_t> sent;
  int64_t keys = 0;
  for (size_t i = 0; i < owners.size(); ++i) {
    const Snapshot& lane = lanes.at(owners[i]);
    int64_t order = -1;
    std::set<int64_t> finished;
    for (const Batch& batch : lane.batches.at("channel/0/0")) {
      EXPECT_GE(batch.order, order);
      EXPECT_FALSE(finished.contains(batch.order)) << "something follows the mark of its order";
      order = batch.order;
      if (batch.last_of_order) finished.insert(order);
      const RowParts parts = *PartitionByKey(batch.rows, {0}, static_cast<int>(owners.size()));
      EXPECT_EQ(parts[i]->num_rows(), batch.rows->num_rows()) << "a row went to a lane that does not own its key";
    }
    EXPECT_TRUE(finished.contains(3));
    for (const int64_t number : NumbersIn(lane.batches.at("channel/0/0"))) EXPECT_TRUE(sent.insert(number).second);
    const auto state = lane.batches.find(kState + "keyed/seen");
    if (state == lane.batches.end()) continue;
    for (const Batch& batch : state->second) {
      keys += batch.rows->num_rows();
      const RowParts parts = *PartitionByKeyGroup(batch.rows, static_cast<int>(owners.size()));
      EXPECT_EQ(parts[i]->num_rows(), batch.rows->num_rows());
    }
  }
  EXPECT_EQ(keys, 40);
}

TEST(Rekey, DividesStateAndRowsAmongMoreAndFewerLanes) {
  const std::vector<std::vector<int>> all_owners = {{0}, {0, 1}, {0, 1, 2}, {0, 2, 5}, {0, 1, 2, 3, 4, 5, 6}};
  for (const auto& owners : all_owners) {
    auto lanes = Lanes(3, {0, 0, 0});
    ASSERT_TRUE(Rekey({0}, owners, {}, &lanes).ok());
    CheckMoved(lanes, owners);
    std::set<int64_t> sent;
    for (const int owner : owners) {
      for (const int64_t number : NumbersIn(lanes[owner].batches["channel/0/0"])) sent.insert(number);
    }
    EXPECT_EQ(sent.size(), 40u);
  }
}

TEST(Rekey, GoesOnWhereTheSlowestLaneStands) {
  auto lanes = Lanes(2, {3, 1});
  std::set<int64_t> expected;
  for (auto& [lane, snapshot] : lanes) {
    for (const int64_t number : NumbersIn(snapshot.batches["channel/0/0"])) expected.insert(number);
  }
  ASSERT_TRUE(Rekey({0}, {0, 1, 2}, {}, &lanes).ok());
  CheckMoved(lanes, {0, 1, 2});
  std::set<int64_t> sent;
  for (const int owner : {0, 1, 2}) {
    EXPECT_EQ(lanes[owner].Number("input/0/next_order"), 1);
    for (const int64_t number : NumbersIn(lanes[owner].batches["channel/0/0"])) sent.insert(number);
  }
  EXPECT_EQ(sent, expected);
}

TEST(Rekey, LeavesToALaneWhatItHasDone) {
  auto lanes = Lanes(2, {0, 0});
  lanes[1].batches["chain/outgoing"] = {{.rows = Numbers(500, 3), .order = 99}};
  ASSERT_TRUE(Rekey({0}, {0}, {}, &lanes).ok());
  EXPECT_EQ(NumbersIn(lanes[1].batches["chain/outgoing"]), (std::vector<int64_t>{500, 501, 502}));
  EXPECT_EQ(lanes[1].Number("rows_written"), 7);
  EXPECT_FALSE(lanes[1].batches.contains("channel/0/0"));
  EXPECT_FALSE(lanes[1].batches.contains(kState + "keyed/seen"));
}

TEST(Rekey, PutsRowsThatHadBeenReadFirst) {
  auto lanes = Lanes(2, {0, 0});
  lanes[0].batches["chain/operator/0/queue"] = {{.rows = Numbers(1000, 20), .order = 98}};
  ASSERT_TRUE(Rekey({0}, {1, 2}, {}, &lanes).ok());
  std::set<int64_t> queued;
  for (const int owner : {1, 2}) {
    for (const Batch& batch : lanes[owner].batches["chain/operator/0/queue"]) {
      EXPECT_LT(batch.order, lanes[owner].Number("next_order"));
    }
    for (const int64_t n : NumbersIn(lanes[owner].batches["chain/operator/0/queue"])) queued.insert(n);
  }
  EXPECT_EQ(queued.size(), 20u);
}

TEST(Rekey, ALaneThatHadEndedMayGetKeys) {
  auto lanes = Lanes(2, {0, 0});
  lanes[1] = Snapshot();
  lanes[1].numbers = {{"ended", 1}, {"rows_written", 3}};
  ASSERT_TRUE(Rekey({0}, {0, 1}, {}, &lanes).ok());
  EXPECT_EQ(lanes[1].Number("ended"), 0);
  EXPECT_EQ(lanes[1].Number("rows_written"), 3);
  EXPECT_TRUE(lanes[1].batches.contains("channel/0/0"));
}

}  // namespace
}  // namespace mainstem::runtime
