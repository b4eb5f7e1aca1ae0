#include "mainstem/connectors/files/file_feed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "mainstem/connectors/catalog.h"
#include "mainstem/connectors/files/seen_files.h"
#include "mainstem/connectors/source_harness.h"

namespace mainstem {
namespace {

namespace fs = std::filesystem;
using testing::SteeredClock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;

constexpr int64_t kSecond = 1'000'000'000;

class Monitor : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/mainstem-monitor-XXXXXX";
    root_ = ::mkdtemp(name);
  }
  void TearDown() override {
    fs::permissions(root_, fs::perms::owner_all);
    fs::remove_all(root_);
  }

  // `age` seconds before some moment.
  void Make(const std::string& path, int age = 0) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << "x";
    const timespec times[2] = {{1'700'000'000 - age, 0}, {1'700'000'000 - age, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root_ / path).c_str(), times, 0), 0);
  }

  std::shared_ptr<Source> Open(const std::vector<std::string>& paths = {""}, int64_t files_per_split = 1) {
    OptionValue::List list;
    for (const std::string& path : paths) list.push_back((root_ / path).string());
    return MakeSource("files",
                      {{"path", list}, {"files_per_split", files_per_split}, {"monitor_interval", "2s"}}, {})
        .ValueOrDie();
  }

  std::unique_ptr<SplitEnumerator> Start(const Source& source, const std::string& position = "") {
    return source.Enumerate({.clock = &clock_}, position).ValueOrDie();
  }

  // Names below the root that are handed out now.
  std::vector<std::string> Names(SplitEnumerator& splits) {
    std::vector<std::string> names;
    for (;;) {
      const auto split = splits.Next();
      if (!split.ok()) return {split.status().message()};
      if (!*split) return names;
      for (const auto& entry : nlohmann::json::parse((*split)->content)) {
        names.push_back(fs::path(entry["uri"].get<std::string>()).lexically_relative(root_).string());
      }
    }
  }

  fs::path root_;
  SteeredClock clock_;
};

TEST_F(Monitor, HandsOutEachFileOnceAsItAppears) {
  Make("b/new", 10);
  Make("a/old", 20);
  Make("c", 10);
  const auto source = Open();
  EXPECT_TRUE(source->unbounded());
  EXPECT_FALSE(source->RowCount().has_value());
  const auto splits = Start(*source);
  EXPECT_THAT(Names(*splits), ElementsAre("a/old", "b/new", "c"));  // by (modified, path)
  Make("a/older", 30);
  EXPECT_THAT(Names(*splits), IsEmpty());  // not before the interval is over
  EXPECT_EQ(splits->retry_after_ns(), 2 * kSecond);
  clock_.now_ns += 2 * kSecond - 1;
  EXPECT_EQ(splits->retry_after_ns(), 1);
  EXPECT_THAT(Names(*splits), IsEmpty());
  clock_.now_ns += 1;
  EXPECT_THAT(Names(*splits), ElementsAre("a/older"));
  EXPECT_EQ(splits->retry_after_ns(), 2 * kSecond);
  clock_.now_ns += 100 * kSecond;
  EXPECT_EQ(splits->retry_after_ns(), 1);
  EXPECT_THAT(Names(*splits), IsEmpty());
}

TEST_F(Monitor, GoesOnAnywhereWithoutAFileTwice) {
  for (int i = 0; i < 12; ++i) Make("f" + std::to_string(i), 100 - i);
  const auto source = Open();
  std::vector<std::string> all;
  for (int i = 0; i < 12; ++i) all.push_back("f" + std::to_string(i));
  const auto running = Start(*source);
  for (size_t handed_out = 0; handed_out <= all.size(); ++handed_out) {
    const auto resumed = Start(*source, running->Position());
    const std::vector<std::string> rest(all.begin() + static_cast<std::ptrdiff_t>(handed_out), all.end());
    EXPECT_EQ(Names(*resumed), rest);
    const auto split = running->Next().ValueOrDie();
    EXPECT_EQ(split.has_value(), handed_out < all.size());
    if (split) {
      EXPECT_EQ(split->ordinal, static_cast<int64_t>(handed_out));
    }
  }
  // Restarted, it lists at once.
  Make("late");
  EXPECT_THAT(Names(*running), IsEmpty());
  EXPECT_THAT(Names(*Start(*source, running->Position())), ElementsAre("late"));
}

TEST_F(Monitor, CrashesAtAnySplitWhileFilesComeAndGo) {
  const auto source = Open({""}, 3);
  std::vector<std::string> made, got;
  auto splits = Start(*source);
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < round % 4; ++i) {
      made.push_back(std::to_string(round % 7) + "/" + std::to_string(round) + "-" + std::to_string(i));
      Make(made.back(), (round * 37 + i * 11) % 100);
    }
    clock_.now_ns += 2 * kSecond;
    for (int i = 0; i < round % 3; ++i) {
      const auto split = splits->Next().ValueOrDie();
      if (!split) break;
      for (const auto& entry : nlohmann::json::parse(split->content)) {
        got.push_back(fs::path(entry["uri"].get<std::string>()).lexically_relative(root_).string());
        if (round % 5 == 0) fs::remove(root_ / got.back());  // done with, as a user may
      }
      splits = Start(*source, splits->Position());
    }
  }
  clock_.now_ns += 2 * kSecond;
  for (const std::string& name : Names(*splits)) got.push_back(name);
  EXPECT_THAT(got, UnorderedElementsAreArray(made));
}

TEST_F(Monitor, AFileThatChangesIsNotANewOne) {
  Make("a", 10);
  const auto source = Open();
  const auto splits = Start(*source);
  EXPECT_THAT(Names(*splits), ElementsAre("a"));
  std::ofstream(root_ / "a") << "longer";
  clock_.now_ns += 2 * kSecond;
  EXPECT_THAT(Names(*splits), IsEmpty());
  EXPECT_THAT(Names(*Start(*source, splits->Position())), IsEmpty());
}

TEST_F(Monitor, FilesOfOverlappingPathsComeOnce) {
  Make("a/1.jpg");
  Make("a/2.png");
  EXPECT_THAT(Names(*Start(*Open({"a", "**/*.jpg", "a/1.jpg"}))), ElementsAre("a/1.jpg", "a/2.png"));
}

TEST_F(Monitor, HiddenFilesAreBeingWritten) {
  Make(".part");
  const auto splits = Start(*Open());
  EXPECT_THAT(Names(*splits), IsEmpty());
  fs::rename(root_ / ".part", root_ / "whole");
  clock_.now_ns += 2 * kSecond;
  EXPECT_THAT(Names(*splits), ElementsAre("whole"));
}

TEST_F(Monitor, AnEmptyFolderIsWaitedOnAndAMissingOneIsAnError) {
  EXPECT_THAT(Names(*Start(*Open())), IsEmpty());
  EXPECT_THAT(Names(*Start(*Open({"*.jpg"}))), IsEmpty());
  for (const char* path : {"nowhere", "nowhere/*.jpg"}) {
    const auto splits = Open({path})->Enumerate({.clock = &clock_}, "");
    ASSERT_FALSE(splits.ok());
    EXPECT_THAT(splits.status().message(), HasSubstr("make the folder first"));
  }
}

TEST_F(Monitor, AFolderThatVanishesIsLookedForAgain) {
  Make("in/a");
  Make("other/b");
  const auto source = Open({"in", "other"});
  auto splits = Start(*source);
  EXPECT_THAT(Names(*splits), ElementsAre("in/a", "other/b"));
  fs::remove_all(root_ / "in");
  Make("other/c");
  clock_.now_ns += 2 * kSecond;
  EXPECT_THAT(Names(*splits), ElementsAre("other/c"));
  splits = Start(*source, splits->Position());
  EXPECT_THAT(Names(*splits), IsEmpty());
  Make("in/a");
  Make("in/d");
  clock_.now_ns += 2 * kSecond;
  EXPECT_THAT(Names(*splits), ElementsAre("in/d"));
}

TEST_F(Monitor, AFolderThatCannotBeReadHoldsUpNoOther) {
  Make("a/1");
  Make("b/2");
  fs::permissions(root_, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                             fs::perms::others_read | fs::perms::others_exec);
  fs::permissions(root_ / "a", fs::perms::none);
  // Root reads everything, so it is nobody who looks.
  const auto names_for_nobody = [&](SplitEnumerator& splits) {
    const uid_t user = ::geteuid();
    EXPECT_EQ(user == 0 ? ::seteuid(65534) : 0, 0);
    auto names = Names(splits);
    EXPECT_EQ(user == 0 ? ::seteuid(0) : 0, 0);
    return names;
  };
  const auto splits = Start(*Open());
  EXPECT_THAT(names_for_nobody(*splits), ElementsAre("b/2"));
  fs::permissions(root_ / "a", fs::perms::all);
  clock_.now_ns += 2 * kSecond;
  EXPECT_THAT(names_for_nobody(*splits), ElementsAre("a/1"));
}

TEST_F(Monitor, EndsWhereNoMoreRowsAreNeeded) {
  for (const char* path : {"a", "b", "c"}) Make(path);
  const auto source = Open({""}, 16);
  const auto splits = source->Enumerate({.limit = 2, .clock = &clock_}, "").ValueOrDie();
  EXPECT_THAT(Names(*splits), SizeIs(2));
  EXPECT_EQ(splits->retry_after_ns(), 0);
  const auto resumed = source->Enumerate({.limit = 2, .clock = &clock_}, splits->Position()).ValueOrDie();
  EXPECT_THAT(Names(*resumed), IsEmpty());
  EXPECT_EQ(resumed->retry_after_ns(), 0);
}

TEST_F(Monitor, HostilePositionsAreJobErrors) {
  Make("a");
  const auto source = Open();
  const auto splits = Start(*source);
  (void)splits->Next().ValueOrDie();
  testing::ExpectHostilePositionsRefused(*source, {.clock = &clock_}, splits->Position());
  for (const char* text : {R"({"files":{"seen":7},"handed_out":1,"ordinal":1})",
                           R"({"files":{"seen":"AAAA"},"handed_out":1,"ordinal":1})",
                           R"({"files":{"seen":"\u0000!"},"handed_out":1,"ordinal":1})",
                           R"({"files":{"path":0},"handed_out":1,"ordinal":1})"}) {
    EXPECT_FALSE(source->Enumerate({.clock = &clock_}, text).ok()) << text;
  }
}

TEST_F(Monitor, OptionsAreChecked) {
  for (const char* interval : {"", "soon", "0s", "-1s", "1us", "1e30s"}) {
    EXPECT_FALSE(MakeSource("files", {{"path", root_.string()}, {"monitor_interval", interval}}, {}).ok()) << interval;
  }
  const auto http = MakeSource("files", {{"path", "http://host/x"}, {"monitor_interval", "1s"}}, {});
  EXPECT_THAT(http.status().message(), HasSubstr("cannot be listed"));
}

// BLAKE2b with 16 bytes: hashlib.blake2b(b"/data/a.jpg", digest_size=16).hexdigest()
TEST(SeenFilesTest, KeysAreBlake2b) {
  std::string hex;
  for (const unsigned char byte : SeenFiles::KeyOf("/data/a.jpg")) hex += fmt::format("{:02x}", byte);
  EXPECT_EQ(hex, "01c74b03e221dbe581ce233f93f052d6");
}

TEST(SeenFilesTest, RemembersAcrossText) {
  SeenFiles seen;
  for (int i = 0; i < 1000; ++i) {
    if (i % 2 == 0) seen.Add(SeenFiles::KeyOf(std::to_string(i)));
    if (i % 100 == 7) {
      EXPECT_TRUE(seen.Has(SeenFiles::KeyOf("4")));
    }
  }
  SeenFiles again = SeenFiles::Parse(seen.ToText()).ValueOrDie();
  EXPECT_EQ(again.size(), 500u);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(seen.Has(SeenFiles::KeyOf(std::to_string(i))), i % 2 == 0);
    EXPECT_EQ(again.Has(SeenFiles::KeyOf(std::to_string(i))), i % 2 == 0);
  }
}

}  // namespace
}  // namespace mainstem
