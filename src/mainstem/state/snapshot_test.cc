#include "mainstem/state/snapshot.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "mainstem/state/declared_state.h"

namespace mainstem {
namespace {

std::shared_ptr<arrow::RecordBatch> Rows(const std::string& name, std::vector<std::string> values) {
  arrow::StringBuilder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return arrow::RecordBatch::Make(arrow::schema({arrow::field(name, arrow::utf8())}),
                                  static_cast<int64_t>(values.size()), {*builder.Finish()});
}

std::shared_ptr<arrow::Buffer> Bytes(const Snapshot& snapshot) { return *arrow::ConcatenateBuffers(*ToBuffers(snapshot)); }

Snapshot Sample() {
  Snapshot snapshot;
  snapshot.numbers = {{"a", -1}, {"b", int64_t{1} << 60}};
  snapshot.texts["split"] = std::string("\xff\0x", 3);
  snapshot.batches["queue"] = {{.rows = Rows("x", {"one", "two"}), .order = 7, .last_of_order = false, .input = 1},
                               {.rows = Rows("x", {"three"})->Slice(0, 0), .order = 7},
                               {.rows = Rows("y", {"four", "five"})->Slice(1), .order = 9}};
  return snapshot;
}

TEST(Snapshot, ReadsBackWhatWasWritten) {
  const Snapshot read = *ReadSnapshot(Bytes(Sample()));
  EXPECT_EQ(read.numbers, Sample().numbers);
  EXPECT_EQ(read.texts, Sample().texts);
  const auto& queue = read.batches.at("queue");
  ASSERT_EQ(queue.size(), 3u);
  EXPECT_TRUE(queue[0].rows->Equals(*Rows("x", {"one", "two"})));
  EXPECT_EQ(queue[0].order, 7);
  EXPECT_FALSE(queue[0].last_of_order);
  EXPECT_EQ(queue[0].input, 1);
  EXPECT_EQ(queue[1].rows->num_rows(), 0);
  EXPECT_TRUE(queue[2].rows->Equals(*Rows("y", {"five"})));
}

TEST(Snapshot, DamageIsAnErrorAndNoCrash) {
  const auto whole = Bytes(Sample());
  for (int64_t size = 0; size < whole->size() - 64; size += 7) {
    EXPECT_FALSE(ReadSnapshot(arrow::SliceBuffer(whole, 0, size)).ok()) << size;
  }
  for (int64_t at = 0; at < 200; ++at) {
    std::string damaged = whole->ToString();
    damaged[static_cast<size_t>(at)] = static_cast<char>(damaged[static_cast<size_t>(at)] ^ 0x55);
    (void)ReadSnapshot(arrow::Buffer::FromString(std::move(damaged)));
  }
}

TEST(Snapshot, ScopesNestAndComeApart) {
  Snapshot outer;
  outer.Add("stage/1", Sample());
  outer.Add("stage/10", Snapshot{.numbers = {{"a", 5}}, .texts = {}, .batches = {}});
  Snapshot stage = outer.Extract("stage/1");
  EXPECT_EQ(stage.numbers, Sample().numbers);
  EXPECT_EQ(stage.batches.size(), 1u);
  EXPECT_EQ(outer.Number("stage/10/a"), 5);
  EXPECT_EQ(outer.numbers.size(), 1u);
}

TEST(DeclaredState, RestoresMembersOfAnotherObject) {
  struct Members {
    int64_t number = 0;
    bool flag = false;
    std::vector<Batch> rows;
    int64_t order_of_loading = 0;
    DeclaredState state;
    Members() {
      state.Number("number", &number);
      state.Flag("flag", &flag);
      state.Batches("rows", &rows);
      state.Form([](Snapshot&) {}, [this](Snapshot&) { order_of_loading = number; return Status::OK(); });
    }
  };
  Members before;
  before.number = 42;
  before.flag = true;
  before.rows = {{.rows = Rows("x", {"a"}), .order = 3}};
  Members after;
  ASSERT_TRUE(after.state.Restore(before.state.Take()).ok());
  EXPECT_EQ(after.number, 42);
  EXPECT_TRUE(after.flag);
  ASSERT_EQ(after.rows.size(), 1u);
  EXPECT_EQ(after.rows[0].order, 3);
  EXPECT_EQ(after.order_of_loading, 42);
}

}  // namespace
}  // namespace mainstem
