#include "mainstem/checkpoint/coordinator.h"

#include <gtest/gtest.h>

#include <optional>

namespace mainstem::checkpoint {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

template <typename T>
std::optional<T> Find(const Actions& actions) {
  for (const Action& action : actions) {
    if (const T* found = std::get_if<T>(&action)) return *found;
  }
  return {};
}

// Four lanes of one task, each a region, or all of them one.
std::map<Lane, int> Lanes(bool pointwise) {
  std::map<Lane, int> lanes;
  for (int lane = 0; lane < 4; ++lane) lanes[{0, lane}] = pointwise ? lane : 0;
  return lanes;
}

class CoordinatorTest : public ::testing::Test {
 protected:
  void Make(CoordinatorSettings settings, bool pointwise = true) {
    settings.interval_ns = 10 * kSecond;
    coordinator_.emplace(settings, Lanes(pointwise), 1, 0);
  }
  // Triggers the next checkpoint; its number.
  int64_t Trigger() {
    now_ = std::max(now_, coordinator_->next_tick_ns());
    const auto trigger = Find<checkpoint::Trigger>(coordinator_->OnTick(now_));
    EXPECT_TRUE(trigger.has_value());
    return trigger ? trigger->checkpoint : 0;
  }
  Actions Snapshots(int64_t checkpoint, std::initializer_list<int> lanes) {
    Actions last;
    for (const int lane : lanes) last = coordinator_->OnSnapshot(checkpoint, {0, lane}, now_);
    return last;
  }
  // Takes a whole checkpoint.
  int64_t Complete() {
    const int64_t checkpoint = Trigger();
    EXPECT_TRUE(Find<Publish>(Snapshots(checkpoint, {0, 1, 2, 3})).has_value());
    Actions actions = coordinator_->OnPublished(checkpoint, Status::OK(), now_);
    if (Find<Commit>(actions)) actions = coordinator_->OnCommitted(checkpoint, Status::OK(), now_);
    return checkpoint;
  }

  int64_t now_ = 0;
  std::optional<Coordinator> coordinator_;
};

TEST_F(CoordinatorTest, TriggersAtItsIntervalAndOneAtATime) {
  Make({});
  EXPECT_TRUE(coordinator_->OnTick(9 * kSecond).empty());
  now_ = 10 * kSecond;
  EXPECT_EQ(Trigger(), 1);
  EXPECT_TRUE(coordinator_->OnTick(25 * kSecond).empty());
  now_ = 30 * kSecond;
  EXPECT_TRUE(Find<Publish>(Snapshots(1, {0, 1, 2, 3})).has_value());
  // It is late, so the next one follows at once.
  EXPECT_EQ(Find<checkpoint::Trigger>(coordinator_->OnPublished(1, Status::OK(), now_))->checkpoint, 2);
}

TEST_F(CoordinatorTest, PublishesWhenTheLastSnapshotIsThereAndCommitsWhenTheManifestIs) {
  Make({.commits = true});
  const int64_t checkpoint = Trigger();
  EXPECT_TRUE(Snapshots(checkpoint, {0, 1, 2}).empty());
  EXPECT_TRUE(coordinator_->OnSnapshot(checkpoint + 1, {0, 3}, now_).empty()) << "of another checkpoint";
  const auto publish = Find<Publish>(Snapshots(checkpoint, {3}));
  ASSERT_TRUE(publish);
  EXPECT_EQ(publish->taken_at.size(), 4u);
  EXPECT_EQ(Find<Commit>(coordinator_->OnPublished(checkpoint, Status::OK(), now_))->checkpoint, checkpoint);
}

TEST_F(CoordinatorTest, WithoutCommitsOnlyTheFinalCheckpointCommits) {
  Make({});
  Complete();
  Actions actions;
  for (int lane = 0; lane < 4; ++lane) actions = coordinator_->OnEnded({0, lane}, now_);
  const auto publish = Find<Publish>(actions);
  ASSERT_TRUE(publish);
  EXPECT_EQ(publish->purpose, Purpose::kFinal);
  EXPECT_TRUE(Find<Commit>(coordinator_->OnPublished(publish->checkpoint, Status::OK(), now_)));
  const auto completed = Find<Completed>(coordinator_->OnCommitted(publish->checkpoint, Status::OK(), now_));
  ASSERT_TRUE(completed);
  EXPECT_TRUE(completed->status.ok());
  EXPECT_TRUE(coordinator_->OnTick(now_ + 100 * kSecond).empty());
}

TEST_F(CoordinatorTest, TurnsUnalignedAfterItsTime) {
  Make({.unaligned_after_ns = kSecond});
  const int64_t checkpoint = Trigger();
  EXPECT_TRUE(coordinator_->OnTick(now_ + kSecond - 1).empty());
  EXPECT_EQ(Find<TurnUnaligned>(coordinator_->OnTick(now_ + kSecond))->checkpoint, checkpoint);
  EXPECT_TRUE(coordinator_->OnTick(now_ + 2 * kSecond).empty()) << "once";
}

TEST_F(CoordinatorTest, GivesUpAfterItsTimeoutAndFailsTheJobWhenTooManyFail) {
  Make({.timeout_ns = 5 * kSecond, .tolerated_failures = 1});
  const int64_t first = Trigger();
  Snapshots(first, {0, 1});
  now_ += 5 * kSecond;
  const Actions given_up = coordinator_->OnTick(now_);
  ASSERT_TRUE(Find<Discard>(given_up));
  EXPECT_NE(Find<Discard>(given_up)->reason.find("subtask 2 of task 0"), std::string::npos);
  EXPECT_FALSE(Find<FailJob>(given_up));
  // Late news of it change nothing.
  EXPECT_TRUE(Snapshots(first, {2, 3}).empty());
  const int64_t second = Trigger();
  Snapshots(second, {0, 1, 2, 3});
  EXPECT_TRUE(Find<FailJob>(coordinator_->OnPublished(second, JobError("disk full"), now_)));
}

TEST_F(CoordinatorTest, APauseIsKeptBetweenTwo) {
  Make({.minimum_pause_ns = 20 * kSecond});
  Complete();
  EXPECT_EQ(coordinator_->next_tick_ns(), now_ + 20 * kSecond);
}

TEST_F(CoordinatorTest, ASavepointIsFullAndSaysHowItEnded) {
  Make({.regions_may_fall_back = true});
  Complete();
  const auto trigger = Find<checkpoint::Trigger>(coordinator_->RequestSavepoint(now_));
  ASSERT_TRUE(trigger);
  EXPECT_EQ(trigger->purpose, Purpose::kSavepoint);
  Snapshots(trigger->checkpoint, {0, 1, 2});
  const auto completed = Find<Completed>(coordinator_->OnRegionFailed(3, now_));
  ASSERT_TRUE(completed);
  EXPECT_FALSE(completed->status.ok()) << "no region of a savepoint falls back";
}

TEST_F(CoordinatorTest, AFailedRegionStopsCheckpointsUnlessItMayFallBack) {
  Make({});
  Complete();
  EXPECT_TRUE(coordinator_->OnRegionFailed(0, now_).empty());
  EXPECT_TRUE(coordinator_->OnTick(now_ + 100 * kSecond).empty());
  coordinator_->OnRegionRestored(0);
  EXPECT_TRUE(Find<checkpoint::Trigger>(coordinator_->OnTick(now_ + 100 * kSecond)));
}

TEST_F(CoordinatorTest, AFailedRegionStandsInWithItsPreviousSnapshotTwiceInARow) {
  Make({.regions_may_fall_back = true});
  const int64_t full = Complete();
  coordinator_->OnRegionFailed(2, now_);
  for (int i = 0; i < 2; ++i) {
    const int64_t checkpoint = Trigger();
    const auto publish = Find<Publish>(Snapshots(checkpoint, {0, 1, 3}));
    ASSERT_TRUE(publish) << i;
    EXPECT_EQ(publish->fallen_back, std::set<int>{2});
    EXPECT_EQ(publish->taken_at.at({0, 2}), full);
    EXPECT_EQ(publish->taken_at.at({0, 1}), checkpoint);
    EXPECT_TRUE(coordinator_->MayRestart(2));
    EXPECT_FALSE(coordinator_->MayRestart(1));
    coordinator_->OnPublished(checkpoint, Status::OK(), now_);
  }
  now_ = coordinator_->next_tick_ns();
  const Actions third = coordinator_->OnTick(now_);
  EXPECT_TRUE(Find<Discard>(third)) << "the third has to be full";
  coordinator_->OnRegionRestored(2);
  Complete();
}

TEST_F(CoordinatorTest, NoMoreThanTheShareOfRegionsFallsBack) {
  Make({.regions_may_fall_back = true});
  Complete();
  coordinator_->OnRegionFailed(0, now_);
  const int64_t checkpoint = Trigger();
  Snapshots(checkpoint, {2});
  EXPECT_TRUE(Find<Discard>(coordinator_->OnRegionFailed(1, now_))) << "two of four are more than 30 %";
}

TEST_F(CoordinatorTest, ARegionWithoutASnapshotCannotFallBack) {
  Make({.regions_may_fall_back = true});
  Trigger();
  EXPECT_TRUE(Find<Discard>(coordinator_->OnRegionFailed(0, now_)));
}

TEST_F(CoordinatorTest, ARegionMayNotRestartBeforeACheckpointThatHasItsNewerSnapshotIsOver) {
  Make({});
  Complete();
  const int64_t checkpoint = Trigger();
  Snapshots(checkpoint, {0});
  EXPECT_TRUE(coordinator_->OnRegionFailed(0, now_).empty()) << "its snapshot is durable, so the checkpoint goes on";
  EXPECT_FALSE(coordinator_->MayRestart(0));
  EXPECT_TRUE(Find<Publish>(Snapshots(checkpoint, {1, 2, 3})));
  coordinator_->OnPublished(checkpoint, Status::OK(), now_);
  EXPECT_TRUE(coordinator_->MayRestart(0));
  EXPECT_EQ(coordinator_->covered().at({0, 0}), checkpoint);
}

TEST_F(CoordinatorTest, LanesThatHaveEndedAreWaitedForNoMore) {
  Make({});
  coordinator_->OnEnded({0, 0}, now_);
  const int64_t checkpoint = Trigger();
  Snapshots(checkpoint, {1, 2});
  EXPECT_TRUE(Find<Publish>(coordinator_->OnEnded({0, 3}, now_)));
}

}  // namespace
}  // namespace mainstem::checkpoint
