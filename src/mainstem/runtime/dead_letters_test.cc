#include "mainstem/runtime/dead_letters.h"

#include <gmock/gmock.h>

#include <sstream>

#include "mainstem/platform/simulated_file_system.h"

namespace mainstem::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr SubtaskId kFirst{0, 0};
constexpr SubtaskId kSecond{0, 1};

class DeadLettersTest : public ::testing::Test {
 protected:
  // A process of the job: `counted` is what its last manifest counts.
  std::unique_ptr<DeadLetters> Start(int64_t counted, const std::string& job = "job") {
    auto letters = DeadLetters::Make(disk_, "/letters.jsonl", job).ValueOrDie();
    const Status status = letters->AwaitCheckpoints(disk_, "/note", counted);
    EXPECT_TRUE(status.ok()) << status;
    return letters;
  }
  static void Add(DeadLetters& letters, SubtaskId lane, const std::string& reason) {
    letters.Add(lane, {.function = "f", .input = "i", .reason = reason, .row = "{}"});
  }
  int64_t Write(DeadLetters& letters) {
    const auto counted =
        letters.Write({{kFirst, letters.SetAsideBy(kFirst)}, {kSecond, letters.SetAsideBy(kSecond)}});
    EXPECT_TRUE(counted.ok()) << counted.status();
    return counted.ValueOr(-1);
  }
  // The reasons in the file, one a line; a line is what a reader without the engine makes of it.
  std::vector<std::string> InFile() {
    std::vector<std::string> reasons;
    std::istringstream text(disk_.ReadAll("/letters.jsonl", 1 << 20).ValueOrDie());
    for (std::string line; std::getline(text, line);) {
      const std::string key = "\"reason\":\"";
      const size_t at = line.find(key);
      reasons.push_back(at == std::string::npos ? line : line.substr(at + key.size(), line.find('"', at + key.size()) -
                                                                                          at - key.size()));
    }
    return reasons;
  }
  SimulatedFileSystem disk_;
};

TEST_F(DeadLettersTest, ALetterIsWrittenWithTheCheckpointThatCoversIt) {
  auto letters = Start(0);
  Add(*letters, kFirst, "a");
  Add(*letters, kSecond, "b");
  EXPECT_THAT(InFile(), IsEmpty());
  EXPECT_EQ(letters->count(), 2);
  EXPECT_THAT(letters->List(), SizeIs(2));
  const int64_t at_barrier = letters->SetAsideBy(kFirst);
  Add(*letters, kFirst, "c");
  EXPECT_EQ(letters->Write({{kFirst, at_barrier}}).ValueOrDie(), 1);
  letters->Settle(true);
  EXPECT_THAT(InFile(), ElementsAre("a"));
  EXPECT_EQ(Write(*letters), 3);
  letters->Settle(true);
  EXPECT_THAT(InFile(), ElementsAre("a", "c", "b"));
  EXPECT_EQ(letters->count(), 3);
}

TEST_F(DeadLettersTest, WhatWasSetAsideSinceTheCheckpointComesAgain) {
  auto letters = Start(0);
  Add(*letters, kFirst, "a");
  EXPECT_EQ(Write(*letters), 1);
  letters->Settle(true);
  Add(*letters, kFirst, "b");
  Add(*letters, kSecond, "x");
  letters->GoBack(kFirst);
  EXPECT_EQ(letters->count(), 2);
  Add(*letters, kFirst, "b");
  EXPECT_EQ(Write(*letters), 3);
  letters->Settle(true);
  EXPECT_THAT(InFile(), ElementsAre("a", "b", "x"));
  letters->GoBackAll();
  EXPECT_EQ(letters->count(), 3);
}

TEST_F(DeadLettersTest, ACheckpointThatFailsLeavesNoLetters) {
  auto letters = Start(0);
  Add(*letters, kFirst, "a");
  EXPECT_EQ(Write(*letters), 1);
  letters->Settle(false);
  EXPECT_THAT(InFile(), IsEmpty());
  EXPECT_EQ(Write(*letters), 1);
  letters->Settle(true);
  EXPECT_THAT(InFile(), ElementsAre("a"));
}

TEST_F(DeadLettersTest, AProcessThatDiesBeforeTheManifestLeavesNoLettersTwice) {
  // Of an earlier run of the same name, and of another job.
  ASSERT_TRUE(disk_.WriteDurably("/letters.jsonl", R"({"job":"job","reason":"old"})"
                                                   "\n").ok());
  {
    auto letters = Start(0);
    Add(*letters, kFirst, "a");
    EXPECT_EQ(Write(*letters), 1);  // and dies
  }
  {
    auto letters = Start(0);
    EXPECT_THAT(InFile(), ElementsAre("old"));
    Add(*letters, kFirst, "a");
    EXPECT_EQ(Write(*letters), 1);
    letters->Settle(true);
    Add(*letters, kFirst, "b");
    EXPECT_EQ(Write(*letters), 2);  // and dies
  }
  const std::string other = R"({"job":"other","reason":"theirs"})";
  {
    const auto file = disk_.Append("/letters.jsonl").ValueOrDie();
    ASSERT_TRUE(file->Write(other + "\n" + R"({"job":"jo)").ok());  // a line that is cut short
    ASSERT_TRUE(file->Close().ok());
  }
  auto letters = Start(1);
  EXPECT_THAT(InFile(), ElementsAre("old", "a", "theirs"));
  EXPECT_EQ(letters->count(), 1);
  ASSERT_THAT(letters->List(), SizeIs(1));
  EXPECT_EQ(letters->List()[0].reason, "a");
  // Dead after the manifest: the same.
  Add(*letters, kFirst, "b");
  EXPECT_EQ(Write(*letters), 2);
  EXPECT_EQ(Start(2)->count(), 2);
  EXPECT_THAT(InFile(), ElementsAre("old", "a", "theirs", "b"));
}

TEST_F(DeadLettersTest, AFileThatWasMovedAwayBeginsAnew) {
  {
    auto letters = Start(0);
    Add(*letters, kFirst, "a");
    EXPECT_EQ(Write(*letters), 1);
    letters->Settle(true);
  }
  ASSERT_TRUE(disk_.WriteDurably("/letters.jsonl", "").ok());
  {
    auto letters = Start(1);
    Add(*letters, kFirst, "b");
    EXPECT_EQ(Write(*letters), 2);
  }
  auto letters = Start(2);
  EXPECT_EQ(letters->count(), 2);
}

TEST_F(DeadLettersTest, WithoutCheckpointsALetterIsWrittenAtOnce) {
  auto letters = DeadLetters::Make(disk_, "/letters.jsonl", "job").ValueOrDie();
  Add(*letters, kFirst, "a");
  EXPECT_THAT(InFile(), ElementsAre("a"));
  EXPECT_EQ(letters->count(), 1);
}

TEST_F(DeadLettersTest, AFileThatCannotBeWrittenIsAnError) {
  ASSERT_TRUE(disk_.MakeFolders("/letters.jsonl").ok());
  EXPECT_FALSE(DeadLetters::Make(disk_, "/letters.jsonl", "job").ok());
}

}  // namespace
}  // namespace mainstem::runtime
