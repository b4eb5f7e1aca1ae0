// Trimming while in use: the oldest go first, and nothing that was read or written meanwhile.
#include "mainstem/services/journal/bounded_journal.h"

#include <random>
#include <thread>

#include "mainstem/services/journal/journal_harness.h"
#include "mainstem/services/journal/used_keys.h"

namespace mainstem {
namespace {

constexpr int64_t kDay = int64_t{86'400} * 1'000'000'000;
const std::atomic<bool> kGoOn{false};

class TrimTest : public JournalHarness {
 protected:
  // What does not compress: bytes on disk are then bytes of content.
  std::string Noise(size_t bytes) {
    std::string text(bytes, '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }
  // Keys `first` to `last`, a day between each.
  void AppendDaily(Journal& journal, uint64_t first, uint64_t last, size_t bytes = 100'000) {
    for (uint64_t key = first; key <= last; ++key) {
      ASSERT_TRUE(journal.Append({{Key(key), Noise(bytes)}}).ok());
      clock_.now_ns += kDay;
    }
  }
  std::vector<uint64_t> Kept(Journal& journal, uint64_t last) {
    std::vector<uint64_t> kept;
    for (uint64_t key = 0; key <= last; ++key) {
      if (journal.Lookup({Key(key)}).ValueOrDie()[0].has_value()) kept.push_back(key);
    }
    return kept;
  }
  std::mt19937 random_{7};
};

TEST_F(TrimTest, RemovesTheOldestToNineTenthsOfTheSize) {
  AppendDaily(*Open(), 0, 19);
  const auto journal = Open();
  ASSERT_TRUE(journal->StartTrims({.bytes_max = 1'000'000}).ok());
  const auto done = journal->Trim({.bytes_max = 1'000'000}, kGoOn);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_LE(done->after.bytes, 1'000'000);
  const std::vector<uint64_t> kept = Kept(*journal, 19);
  EXPECT_GE(kept.size(), 7u);
  EXPECT_LE(kept.size(), 9u);  // of 100 kB each
  EXPECT_EQ(kept.back(), 19u);
  EXPECT_EQ(kept.front(), 20 - kept.size()) << "the newest, without a gap";
  EXPECT_EQ(done->removed, static_cast<int64_t>(20 - kept.size()));
}

TEST_F(TrimTest, RemovesWhatIsTooOld) {
  AppendDaily(*Open(), 0, 9, 10);
  const auto journal = Open();  // at day 10
  ASSERT_TRUE(journal->StartTrims({.age_ns_max = 3 * kDay}).ok());
  EXPECT_EQ(journal->Trim({.age_ns_max = 3 * kDay}, kGoOn)->removed, 7);
  EXPECT_EQ(Kept(*journal, 9), (std::vector<uint64_t>{7, 8, 9}));
}

TEST_F(TrimTest, SparesWhatThisRunHasReadAndWritten) {
  AppendDaily(*Open(), 0, 9);
  const auto journal = Open();
  ASSERT_TRUE(journal->StartTrims({.bytes_max = 1}).ok());
  ASSERT_TRUE(journal->Lookup({Key(0), Key(3), Key(77)}).ok());
  ASSERT_TRUE(journal->Append({{Key(5), "new"}, {Key(50), "new"}}).ok());
  clock_.now_ns += 1000 * kDay;
  const auto done = journal->Trim({.bytes_max = 1, .age_ns_max = 1}, kGoOn);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->removed, 7);
  EXPECT_EQ(Kept(*journal, 60), (std::vector<uint64_t>{0, 3, 5, 50}));
}

TEST_F(TrimTest, NothingIsReadOrWrittenAndThenGone) {
  constexpr uint64_t kOld = 20'000;
  {
    std::vector<JournalEntry> entries;
    for (uint64_t key = 1; key <= kOld; ++key) entries.push_back({Key(key), "old"});
    ASSERT_TRUE(Open()->Append(entries).ok());
  }
  clock_.now_ns += 10 * kDay;
  const auto journal = Open();
  const JournalBounds bounds{.age_ns_max = kDay};
  ASSERT_TRUE(journal->StartTrims(bounds).ok());
  constexpr int kThreads = 4;
  std::vector<std::vector<uint64_t>> used(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (auto key = static_cast<uint64_t>(t) + 1; key <= kOld; key += kThreads) {
        bool there = false;
        if (key % 1000 < kThreads) {  // replied to again, without having been looked for
          there = journal->Append({{Key(key), "new"}}).ok();
        } else {
          const auto found = journal->Lookup({Key(key)});
          there = found.ok() && (*found)[0].has_value();
        }
        if (there) used[static_cast<size_t>(t)].push_back(key);
      }
    });
  }
  const auto done = journal->Trim(bounds, kGoOn);
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(done.ok()) << done.status();
  for (const auto& keys : used) {
    for (const uint64_t key : keys) {
      ASSERT_TRUE(journal->Lookup({Key(key)}).ValueOrDie()[0].has_value()) << key;
    }
  }
}

TEST_F(TrimTest, LeavesAJournalWithinItsBoundsAlone) {
  AppendDaily(*Open(), 0, 4);
  const auto journal = Open();
  const JournalBounds bounds{.bytes_max = 100'000'000, .age_ns_max = 100 * kDay};
  ASSERT_TRUE(journal->StartTrims(bounds).ok());
  EXPECT_EQ(journal->Trim(bounds, kGoOn)->removed, 0);
  EXPECT_EQ(Kept(*journal, 4).size(), 5u);
}

TEST_F(TrimTest, EndsEarlyWhenCutShort) {
  AppendDaily(*Open(), 0, 9);
  const auto journal = Open();
  ASSERT_TRUE(journal->StartTrims({.bytes_max = 1}).ok());
  const std::atomic<bool> cut_short{true};
  const auto done = journal->Trim({.bytes_max = 1}, cut_short);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(Kept(*journal, 9).size(), 10u);
}

TEST_F(TrimTest, TheFolderRemembersBoundsAndWhatWasRemoved) {
  AppendDaily(*Open(), 0, 9, 10);
  {
    const auto journal = Open();
    EXPECT_EQ(journal->Stats()->bounds, JournalBounds{});
    const JournalBounds bounds{.bytes_max = 1 << 30, .age_ns_max = 3 * kDay};
    ASSERT_TRUE(journal->StartTrims(bounds).ok());
    ASSERT_TRUE(journal->Trim(bounds, kGoOn).ok());
  }
  const auto stats = ReadJournalStats(folder_);
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->bounds.bytes_max, 1 << 30);
  EXPECT_EQ(stats->bounds.age_ns_max, 3 * kDay);
  EXPECT_EQ(stats->trimmed_entries, 7);
  EXPECT_EQ(stats->trimmed_ns, clock_.now_ns);
}

TEST_F(TrimTest, ABoundedJournalHasLookedBeforeItEnds) {
  AppendDaily(*Open(), 1, 10, 10);
  auto bounded = KeptWithin(Open(), {.age_ns_max = 3 * kDay}, clock_);
  ASSERT_TRUE(bounded.ok()) << bounded.status();
  ASSERT_TRUE((*bounded)->Append({{Key(20), "new"}}).ok());
  bounded->reset();
  EXPECT_EQ(Kept(*Open(), 20), (std::vector<uint64_t>{8, 9, 10, 20}));
}

TEST_F(TrimTest, AJournalWithoutBoundsIsTheJournal) {
  const auto journal = Open();
  EXPECT_EQ(KeptWithin(journal, {}).ValueOrDie(), journal);
}

TEST(TrimSchedule, TrimsAtOnceAndThenWhenThereIsMore) {
  constexpr int64_t kMegabyte = 1'000'000;
  TrimSchedule schedule({.bytes_max = 1000 * kMegabyte});
  EXPECT_FALSE(schedule.IsDue(1000 * kMegabyte, 0));
  EXPECT_TRUE(schedule.IsDue(1001 * kMegabyte, 0));
  schedule.Trimmed(900 * kMegabyte, 0);
  EXPECT_FALSE(schedule.IsDue(999 * kMegabyte, 1));
  EXPECT_TRUE(schedule.IsDue(1001 * kMegabyte, 1));
  schedule.Trimmed(5000 * kMegabyte, 1);  // all of it in use
  EXPECT_FALSE(schedule.IsDue(5050 * kMegabyte, 2)) << "nothing would come of it";
  EXPECT_TRUE(schedule.IsDue(5101 * kMegabyte, 2));
}

TEST(TrimSchedule, LooksForOldOnesNowAndThen) {
  TrimSchedule schedule({.age_ns_max = 30 * kDay});
  EXPECT_TRUE(schedule.IsDue(0, 100 * kDay));
  schedule.Trimmed(0, 100 * kDay);
  EXPECT_FALSE(schedule.IsDue(0, 100 * kDay + kDay / 2));
  EXPECT_TRUE(schedule.IsDue(0, 101 * kDay));
}

TEST(UsedKeys, ForgetNothingAndInventLittle) {
  UsedKeys used;
  std::mt19937_64 random(3);
  const auto key = [&random] {
    JournalKey made;
    for (size_t i = 0; i < made.size(); ++i) made[i] = static_cast<uint8_t>(random());
    return made;
  };
  std::vector<JournalKey> added(100'000);
  for (JournalKey& k : added) used.Add(k = key());
  for (const JournalKey& k : added) ASSERT_TRUE(used.Holds(k));
  int invented = 0;
  for (int i = 0; i < 100'000; ++i) invented += used.Holds(key());
  EXPECT_LE(invented, 3);  // (200,000 / 2^27)² of them
}

}  // namespace
}  // namespace mainstem
