// JournalHarness: what the tests of the journal share: a folder of their own and a clock that stands still.
#pragma once

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "mainstem/services/journal/journal.h"

namespace mainstem {

class FixedClock final : public Clock {
 public:
  int64_t MonotonicNs() const override { return now_ns; }
  int64_t WallNs() const override { return now_ns; }
  int64_t now_ns = int64_t{1'700'000'000} * 1'000'000'000;
};

class JournalHarness : public ::testing::Test {
 protected:
  JournalHarness() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mainstem-journal-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
    folder_ = (root_ / "journal").string();
  }
  ~JournalHarness() override { std::filesystem::remove_all(root_); }

  std::shared_ptr<Journal> Open() {
    auto journal = Journal::Open(folder_, clock_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    return journal.ok() ? *journal : nullptr;
  }

  static JournalKey Key(uint64_t number) {
    JournalKey key{};
    for (size_t i = 0; i < 8; ++i) key[i] = static_cast<uint8_t>(number >> (8 * i));
    return key;
  }

  std::filesystem::path root_;
  std::string folder_;
  FixedClock clock_;
};

}  // namespace mainstem
