#include "mainstem/runtime/autoscaler.h"

#include <gtest/gtest.h>

namespace mainstem::runtime {
namespace {

constexpr int64_t kSecond = 1'000'000'000;

// What is decided about one task that looks the same for six seconds, and when.
std::map<int, int> After(Autoscaler& autoscaler, const TaskLook& look, int64_t from_s = 0) {
  for (int64_t s = from_s; s < from_s + 6; ++s) {
    auto decided = autoscaler.Look({look}, s * kSecond);
    if (!decided.empty()) return decided;
  }
  return {};
}

TEST(Autoscaler, GivesMoreLanesToATaskThatHoldsItsProducersUp) {
  Autoscaler autoscaler({.max_parallelism = 6});
  TaskLook look{.task = 3, .lanes = 2, .busy = 2, .producers_waiting_for_room = 1};
  EXPECT_EQ(After(autoscaler, look), (std::map<int, int>{{3, 4}}));
  look.lanes = look.busy = 4;
  EXPECT_EQ(After(autoscaler, look, 10), (std::map<int, int>{{3, 6}}));
  look.lanes = look.busy = 6;
  EXPECT_TRUE(After(autoscaler, look, 20).empty()) << "no more than the maximum";
}

TEST(Autoscaler, DoesNotHelpWhoIsHeldUpItself) {
  Autoscaler autoscaler({.max_parallelism = 6});
  EXPECT_TRUE(After(autoscaler, {.lanes = 2, .busy = 1, .waiting_for_room = 1, .producers_waiting_for_room = 1}).empty());
}

TEST(Autoscaler, GivesMoreLanesToASourceWhoseReadersHunger) {
  Autoscaler autoscaler({.max_parallelism = 6});
  const TaskLook look{.reads_source = true, .lanes = 1, .busy = 1, .readers = 2, .readers_waiting_for_input = 2};
  EXPECT_EQ(After(autoscaler, look), (std::map<int, int>{{0, 2}}));
}

TEST(Autoscaler, TakesOneLaneWhereTheyHaveNothingToDo) {
  Autoscaler autoscaler({.min_parallelism = 2, .max_parallelism = 6});
  EXPECT_EQ(After(autoscaler, {.lanes = 3, .busy = 0}), (std::map<int, int>{{0, 2}}));
  EXPECT_TRUE(After(autoscaler, {.lanes = 2, .busy = 0}, 10).empty()) << "no fewer than the minimum";
}

TEST(Autoscaler, KeepsTheLanesOfWhatComesInBursts) {
  Autoscaler autoscaler({.max_parallelism = 6});
  std::map<int, int> decided;
  for (int64_t i = 0; i < 60 && decided.empty(); ++i) {
    decided = autoscaler.Look({{.lanes = 3, .busy = i % 4 == 0 ? 3 : 0}}, i * kSecond / 4);
  }
  EXPECT_TRUE(decided.empty());
}

TEST(Autoscaler, IsOffUnlessThereIsAMaximum) {
  Autoscaler autoscaler({});
  EXPECT_TRUE(After(autoscaler, {.lanes = 2, .busy = 2, .producers_waiting_for_room = 1}).empty());
}

}  // namespace
}  // namespace mainstem::runtime
