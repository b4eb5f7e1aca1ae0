#include "mainstem/checkpoint/commit_log.h"

#include <gmock/gmock.h>

#include "mainstem/checkpoint/storage_harness.h"

namespace mainstem::checkpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CommitLogTest : public StorageTest {
 protected:
  CommitLogTest() { Open(); }

  void Note(int64_t checkpoint, const std::vector<std::string>& contents) {
    std::vector<PendingCommit> shows;
    for (const std::string& content : contents) shows.push_back({.checkpoint = checkpoint, .content = content});
    const Status status = storage_->commits().Note(checkpoint, shows);
    EXPECT_TRUE(status.ok()) << status;
  }
  std::vector<std::string> ShownSince(int64_t checkpoint) {
    const auto shown = storage_->commits().ShownSince(checkpoint);
    EXPECT_TRUE(shown.ok()) << shown.status();
    std::vector<std::string> contents;
    if (shown.ok()) {
      for (const PendingCommit& commit : *shown) contents.push_back(commit.content);
    }
    return contents;
  }
  std::string Refusal(int64_t checkpoint) {
    return storage_->commits().ShownSince(checkpoint).status().message();
  }
};

TEST_F(CommitLogTest, WhatLaterCommitsHaveShownIsKnownOnce) {
  Note(3, {"a"});
  Note(5, {"b", "c"});
  Note(6, {"c", std::string("d\0\xff", 3)});  // the commit of 5 had failed in part; contents may be any bytes
  EXPECT_THAT(ShownSince(6), IsEmpty());
  EXPECT_THAT(ShownSince(5), ElementsAre("c", std::string("d\0\xff", 3)));
  EXPECT_THAT(ShownSince(3), ElementsAre("b", "c", std::string("d\0\xff", 3)));
  EXPECT_THAT(ShownSince(0), ElementsAre("a", "b", "c", std::string("d\0\xff", 3)));
}

TEST_F(CommitLogTest, ACommitRepeatedIsNotedAgain) {
  Note(3, {"a"});
  Note(5, {"b"});
  Note(5, {"b", "c"});
  EXPECT_THAT(ShownSince(3), ElementsAre("b", "c"));
}

TEST_F(CommitLogTest, WhatWasForgottenIsRefused) {
  for (int64_t number : {1, 2, 4, 7}) Note(number, {"x" + std::to_string(number)});
  ASSERT_TRUE(storage_->commits().ForgetUpTo(2).ok());
  EXPECT_THAT(ShownSince(2), ElementsAre("x4", "x7"));
  EXPECT_THAT(ShownSince(3), ElementsAre("x4", "x7"));
  EXPECT_THAT(Refusal(1), HasSubstr("up to that of checkpoint 2"));
  // The newest stays: else nobody would know of the others.
  ASSERT_TRUE(storage_->commits().ForgetUpTo(7).ok());
  EXPECT_THAT(ShownSince(4), ElementsAre("x7"));
  EXPECT_THAT(Refusal(2), HasSubstr("commit-*"));
}

TEST_F(CommitLogTest, AfterGoingBackItIsStillKnownWhatWasForgotten) {
  for (int64_t number : {1, 2, 4, 7}) Note(number, {"x" + std::to_string(number)});
  ASSERT_TRUE(storage_->commits().ForgetUpTo(7).ok());
  EXPECT_THAT(ShownSince(5), ElementsAre("x7"));
  Note(5, {});  // goes back to 5
  ASSERT_TRUE(storage_->commits().ForgetSince(5).ok());
  EXPECT_THAT(ShownSince(5), IsEmpty());
  Note(8, {"x8"});
  EXPECT_THAT(ShownSince(5), ElementsAre("x8"));
  EXPECT_THAT(ShownSince(4), ElementsAre("x8"));
  EXPECT_FALSE(storage_->commits().ShownSince(3).ok());
}

TEST_F(CommitLogTest, DamageAndHolesAreNamed) {
  for (int64_t number : {1, 2, 4, 7}) Note(number, {"x"});
  std::filesystem::remove(Path("commit-4"));
  EXPECT_FALSE(storage_->commits().ShownSince(2).ok());
  EXPECT_THAT(ShownSince(4), ElementsAre("x"));
  Truncate("commit-7", 50);
  EXPECT_THAT(Refusal(4), HasSubstr("commit-7"));
  EXPECT_THAT(ShownSince(7), IsEmpty());
}

TEST_F(CommitLogTest, RetentionKeepsWhatGoingBackToAnythingRetainedNeeds) {
  for (int64_t number = 1; number <= 6; ++number) {
    Publish(number);
    Note(number, {"x" + std::to_string(number)});
    ASSERT_TRUE(storage_->Retain(3).ok());
  }
  EXPECT_FALSE(Exists("commit-4"));
  EXPECT_THAT(ShownSince(4), ElementsAre("x5", "x6"));
  EXPECT_THAT(storage_->commits().ShownSince(3).status().message(), HasSubstr("not known any more"));
  Publish(7, Manifest::Kind::kSavepoint);
  Note(7, {"x7"});
  for (int64_t number = 8; number <= 12; ++number) {
    Publish(number);
    Note(number, {"x" + std::to_string(number)});
    ASSERT_TRUE(storage_->Retain(3).ok());
  }
  EXPECT_THAT(ShownSince(7), ElementsAre("x8", "x9", "x10", "x11", "x12"));
}

}  // namespace
}  // namespace mainstem::checkpoint
