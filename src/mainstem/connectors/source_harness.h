// Test-only: what every source that can be replayed has to hold.
#pragma once

#include <arrow/api.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mainstem/connectors/source.h"
#include "mainstem/platform/clock.h"

namespace mainstem::testing {

/// A clock that stands still until it is set.
class SteeredClock : public Clock {
 public:
  int64_t MonotonicNs() const override { return now_ns; }
  int64_t WallNs() const override { return now_ns; }
  int64_t now_ns = 1'000'000'000'000;
};

/// Splits as text: "3: {…}".
inline std::vector<std::string> Rest(SplitEnumerator& splits, size_t at_most = 1'000'000) {
  std::vector<std::string> texts;
  while (texts.size() < at_most) {
    const auto split = splits.Next();
    if (!split.ok()) return {split.status().message()};
    if (!*split) break;
    texts.push_back(std::to_string((*split)->ordinal) + ": " + (*split)->content);
  }
  return texts;
}

/// An enumeration that is cut off anywhere, and cut off again there, goes on as if it had not been. Returns the splits.
inline std::vector<Split> ExpectResumable(const Source& source, const ScanRequest& request) {
  auto whole = source.Enumerate(request, "").ValueOrDie();
  const std::vector<std::string> expected = Rest(*whole);
  std::vector<Split> splits;
  auto running = source.Enumerate(request, "").ValueOrDie();
  for (size_t handed_out = 0;; ++handed_out) {
    const std::string position = running->Position();
    auto resumed = source.Enumerate(request, position);
    EXPECT_TRUE(resumed.ok()) << position << ": " << resumed.status();
    if (!resumed.ok()) return splits;
    auto again = source.Enumerate(request, (*resumed)->Position()).ValueOrDie();
    const std::vector<std::string> rest(expected.begin() + static_cast<std::ptrdiff_t>(handed_out), expected.end());
    EXPECT_EQ(Rest(**resumed), rest) << position;
    EXPECT_EQ(Rest(*again), rest) << position << ", resumed twice";
    auto split = running->Next().ValueOrDie();
    if (!split) break;
    splits.push_back(*std::move(split));
    if (splits.size() > expected.size()) break;
  }
  EXPECT_EQ(splits.size(), expected.size());
  return splits;
}

inline Result<std::shared_ptr<arrow::Table>> RowsOf(SplitReader& reader, const std::shared_ptr<arrow::Schema>& schema) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> batches;
  for (;;) {
    ARROW_ASSIGN_OR_RAISE(auto batch, reader.Next());
    if (!batch) break;
    ARROW_RETURN_NOT_OK(batch->ValidateFull());
    if (batch->num_rows() == 0) return Status::Invalid("an empty batch");
    batches.push_back(std::move(batch));
  }
  return arrow::Table::FromRecordBatches(schema, batches);
}

/// A split that is read behind its first rows, with any number of these that `step` divides, has the others and them
/// alone. Returns all.
inline std::shared_ptr<arrow::Table> ExpectSkippable(const Source& source, const Split& split,
                                                     const ScanRequest& request, int64_t step = 1) {
  const auto schema = source.schema();
  auto whole = RowsOf(*source.Open(split, request).ValueOrDie(), schema).ValueOrDie();
  const int64_t rows = whole->num_rows();
  for (int64_t passed = 0; passed <= rows; passed += step) {
    auto reader = Skipping(source.Open(split, request).ValueOrDie(), passed);
    EXPECT_TRUE(reader.ok()) << passed << ": " << reader.status();
    if (!reader.ok()) return whole;
    const auto rest = RowsOf(**reader, schema).ValueOrDie();
    EXPECT_TRUE(rest->Equals(*whole->Slice(passed))) << passed << " of " << rows << " rows passed over";
  }
  EXPECT_FALSE(Skipping(source.Open(split, request).ValueOrDie(), rows + 1).ok());
  EXPECT_FALSE(Skipping(source.Open(split, request).ValueOrDie(), -1).ok());
  return whole;
}

/// None of these texts, nor a position that was damaged in one place, is more than a job error.
inline void ExpectHostilePositionsRefused(const Source& source, const ScanRequest& request, const std::string& good) {
  const std::vector<std::string> hostile = {
      "x", "{", "[]", "null", "7", "\"\"", "{}", "\xff\xfe", std::string(100'000, '['),
      "{\"next\":-1}", "{\"next\":1e300}",
      "{\"next\":9223372036854775807,\"ordinal\":9223372036854775807,\"table_rows\":9223372036854775807}",
      "{\"next\":18446744073709551615}", "{\"files\":{},\"ordinal\":0,\"rows\":0,\"handed_out\":0}",
      "{\"files\":{\"path\":99999},\"ordinal\":0,\"rows\":0,\"handed_out\":0}",
      "{\"files\":{\"path\":0,\"after\":\"%zz\"},\"ordinal\":0,\"rows\":0,\"handed_out\":0}"};
  for (const std::string& text : hostile) {
    const auto splits = source.Enumerate(request, text);
    EXPECT_FALSE(splits.ok()) << text.substr(0, 200);
    if (!splits.ok()) {
      EXPECT_EQ(ClassOf(splits.status()), ErrorClass::kJob);
    }
  }
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char c : {'\0', '-', '9', '"', '}', 'e'}) {
      std::string text = good;
      text[i] = c;
      auto splits = source.Enumerate(request, text);
      if (splits.ok()) (void)Rest(**splits, 100);
    }
    auto cut = source.Enumerate(request, good.substr(0, i));
    EXPECT_EQ(cut.ok(), i == 0) << good.substr(0, i);
  }
}

}  // namespace mainstem::testing
