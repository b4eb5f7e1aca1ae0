// The store: what was appended is found, survives, ages and is refused when damaged.
#include <fstream>

#include "mainstem/platform/holder_process.h"
#include "mainstem/services/journal/journal_harness.h"

namespace mainstem {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using JournalTest = JournalHarness;
using mainstem::testing::HolderProcess;

TEST_F(JournalTest, FindsWhatWasAppendedAndNothingElse) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Append({{Key(1), "one"}, {Key(2), std::string("t\0o", 3)}}).ok());
  const auto found = journal->Lookup({Key(2), Key(3), Key(1)});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)[0], std::string("t\0o", 3));
  EXPECT_EQ((*found)[1], std::nullopt);
  EXPECT_EQ((*found)[2], "one");
}

TEST_F(JournalTest, KeepsItsContentWhenItIsOpenedAgain) {
  ASSERT_TRUE(Open()->Append({{Key(1), "one"}}).ok());
  const auto found = Open()->Lookup({Key(1)});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)[0], "one");
}

TEST_F(JournalTest, IsSharedWithinAProcess) { EXPECT_EQ(Open(), Open()); }

// Run by the next test, in a process of its own: keeps a reply, says so and holds the folder until it is killed.
TEST(JournalHolder, DISABLED_Holds) {
  const auto journal = Journal::Open(HolderProcess::Folder());
  HolderProcess::HoldUntilKilled(journal.ok() && (*journal)->Append({{JournalKey{7}, "seven"}}).ok());
}

TEST_F(JournalTest, HasWhatWasAppendedBeforeAKill) {
  HolderProcess holder("JournalHolder", folder_);
  ASSERT_TRUE(holder.holds());

  const auto refused = Journal::Open(folder_);
  EXPECT_THAT(refused.status().message(), AllOf(HasSubstr("in use by another process"), HasSubstr(folder_)));
  const auto figures = ReadJournalStats(folder_);  // looking is allowed
  EXPECT_TRUE(figures.ok()) << figures.status();

  holder.Kill();
  const auto found = Open()->Lookup({Key(7)});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)[0], "seven");
}

TEST_F(JournalTest, DropsARecordThatPowerLossCut) {
  ASSERT_TRUE(Open()->Append({{Key(1), std::string(1000, 'a')}}).ok());
  std::filesystem::path log;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() == ".log" && (log.empty() || entry.path() > log)) log = entry.path();
  }
  ASSERT_FALSE(log.empty());
  std::ofstream(log, std::ios::binary | std::ios::app) << std::string(500, '\x5a');
  const auto journal = Open();
  ASSERT_NE(journal, nullptr);
  const auto found = journal->Lookup({Key(1)});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ((*found)[0]->size(), 1000u);
}

TEST_F(JournalTest, NamesAFolderThatIsDamaged) {
  ASSERT_TRUE(Open()->Append({{Key(1), "one"}}).ok());
  std::ofstream(folder_ + "/CURRENT", std::ios::trunc) << "nonsense";
  const auto opened = Journal::Open(folder_);
  EXPECT_THAT(opened.status().message(), AllOf(HasSubstr(folder_), HasSubstr("damaged")));
}

TEST_F(JournalTest, NamesAFolderWhoseTablesAreDamaged) {
  ASSERT_TRUE(Open()->Append({{Key(1), std::string(100'000, 'a')}}).ok());
  ASSERT_TRUE(Open()->Collect({}).ok());  // from the log into a table
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
    for (int64_t at = 0; at < static_cast<int64_t>(entry.file_size()); at += 16) {
      file.seekp(at);
      file.put('\x00');
    }
  }
  const auto opened = Journal::Open(folder_);
  const Status status = opened.ok() ? (*opened)->Lookup({Key(1)}).status() : opened.status();
  EXPECT_THAT(status.message(), AllOf(HasSubstr(folder_), HasSubstr("damaged")));
}

TEST_F(JournalTest, LeavesFoldersOfOthersAlone) {
  std::filesystem::create_directory(folder_);
  std::ofstream(folder_ + "/photo.jpg") << "x";
  EXPECT_THAT(Journal::Open(folder_).status().message(), HasSubstr("is not empty"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
  EXPECT_THAT(ReadJournalStats(folder_).status().message(), HasSubstr("there is no journal"));
}

TEST_F(JournalTest, CollectsByAge) {
  const auto journal = Open();
  ASSERT_TRUE(journal->Append({{Key(1), "old"}, {Key(2), "old"}}).ok());
  clock_.now_ns += int64_t{3600} * 1'000'000'000;
  ASSERT_TRUE(journal->Append({{Key(3), "new"}}).ok());
  const auto done = journal->Collect({.age_ns_max = int64_t{60} * 1'000'000'000});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->removed, 2);
  EXPECT_EQ(done->after.entries, 1);
  const auto found = journal->Lookup({Key(1), Key(3)});
  EXPECT_FALSE((*found)[0].has_value());
  EXPECT_EQ((*found)[1], "new");
}

TEST_F(JournalTest, CollectsTheOldestWhenItIsTooLarge) {
  const auto journal = Open();
  std::string noise(100'000, ' ');  // does not compress
  uint64_t state = 1;
  for (uint64_t i = 0; i < 40; ++i) {
    for (char& c : noise) c = static_cast<char>((state = state * 6364136223846793005u + 1442695040888963407u) >> 56);
    ASSERT_TRUE(journal->Append({{Key(i), noise}}).ok());
    clock_.now_ns += int64_t{10} * 1'000'000'000;
  }
  const auto done = journal->Collect({.bytes_max = 1'000'000});
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_GE(done->before.bytes, 4'000'000);
  EXPECT_GE(done->after.entries, 8);
  EXPECT_LE(done->after.entries, 10);
  const auto found = journal->Lookup({Key(0), Key(29), Key(39)});
  EXPECT_FALSE((*found)[0].has_value());
  EXPECT_FALSE((*found)[1].has_value());
  EXPECT_TRUE((*found)[2].has_value());
  EXPECT_LT(done->after.bytes, 1'500'000) << "the space is not given back";
}

}  // namespace
}  // namespace mainstem
