#include "mainstem/runtime/split_queue.h"

#include <gtest/gtest.h>

#include "mainstem/runtime/recovery_harness.h"

namespace mainstem::runtime {
namespace {

using mainstem::testing::ReplayableNumbers;

class SplitQueueTest : public ::testing::Test {
 protected:
  std::shared_ptr<SplitQueue> Make(const std::string& state = "") { return *SplitQueue::Make(source_, {}, state); }
  static std::vector<int64_t> Rest(SplitQueue& queue, int lane, int64_t after = -1, bool retiring = false) {
    std::vector<int64_t> ordinals;
    while (true) {
      const auto given = *queue.Next(lane, 9, after, retiring);
      if (!given.split) return ordinals;
      EXPECT_EQ(std::to_string(given.split->ordinal), given.split->content);
      ordinals.push_back(after = given.split->ordinal);
    }
  }
  ReplayableNumbers source_{6, 1, 1};
};

TEST_F(SplitQueueTest, GivesEverySplitOnceInOrder) {
  EXPECT_EQ(Rest(*Make(), 0), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(SplitQueueTest, ARestoreHandsOutWhatLanesGotBehindTheirBarriers) {
  const auto queue = Make();
  (void)*queue->Next(0, 0, -1, false);  // split 0 before the barrier of checkpoint 1
  (void)*queue->Next(1, 1, -1, false);  // split 1 behind it
  (void)*queue->Next(0, 0, 0, false);   // split 2 before it
  const auto restored = Make(queue->State({{0, 1}, {1, 1}}));
  EXPECT_EQ(Rest(*restored, 1), (std::vector<int64_t>{1, 3, 4, 5}));
}

TEST_F(SplitQueueTest, ALaneThatCameDuringTheCheckpointHasFinishedNothing) {
  const auto queue = Make();
  (void)*queue->Next(7, 1, -1, false);
  const auto restored = Make(queue->State({{0, 1}}));
  EXPECT_EQ(Rest(*restored, 0), (std::vector<int64_t>{0, 1, 2, 3, 4, 5}));
}

TEST_F(SplitQueueTest, OrdinalsAscendInEveryLane) {
  const auto queue = Make();
  (void)*queue->Next(0, 1, -1, false);
  (void)*queue->Next(1, 1, -1, false);
  const auto restored = Make(queue->State({{0, 1}, {1, 1}}));  // both are given back
  EXPECT_EQ(restored->Next(1, 1, 0, false)->split->ordinal, 1) << "lane 1 has had split 0 or a later one";
  EXPECT_EQ(restored->Next(0, 1, -1, false)->split->ordinal, 0);
  EXPECT_EQ(restored->Next(0, 1, 0, false)->split->ordinal, 2);
}

TEST_F(SplitQueueTest, ALaneThatRetiresGetsOnlyWhatWasGivenBack) {
  const auto queue = Make();
  (void)*queue->Next(3, 1, -1, false);
  queue->GiveBack(3, 1);
  EXPECT_EQ(Rest(*queue, 3, -1, /*retiring=*/true), (std::vector<int64_t>{0}));
  EXPECT_EQ(Rest(*queue, 0), (std::vector<int64_t>{1, 2, 3, 4, 5}));
}

TEST_F(SplitQueueTest, WhatACheckpointCoversIsNotGivenBack) {
  const auto queue = Make();
  (void)*queue->Next(0, 0, -1, false);
  (void)*queue->Next(0, 1, 0, false);
  queue->Covered({{0, 1}});
  queue->GiveBack(0, 0);
  EXPECT_EQ(Rest(*queue, 0, -1), (std::vector<int64_t>{1, 2, 3, 4, 5}));
}

TEST_F(SplitQueueTest, ADamagedStateIsAnError) {
  for (const char* state : {"x", "{}", "[]", "{\"position\":1}", "{\"position\":\"0\",\"next_ordinal\":0,\"returned\":[[1]]}"}) {
    EXPECT_FALSE(SplitQueue::Make(source_, {}, state).ok()) << state;
  }
}

}  // namespace
}  // namespace mainstem::runtime
