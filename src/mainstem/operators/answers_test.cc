#include <gmock/gmock.h>

#include "mainstem/operators/call.h"
#include "mainstem/operators/fetch.h"
#include "mainstem/operators/operator_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using namespace mainstem::testing;

using Shape = CallOptions::Shape;

OperatorHarness Calling(const Rows& rows, CallOptions options) {
  options.name = "f";
  options.arguments = {0};
  options.call = ToArrow({{"a0", rows.columns[0].type}});
  Columns output = rows.columns;
  if (options.shape == Shape::kBatch) output.clear();
  output.push_back({"reply", LogicalType::Int64()});
  OperatorHarness harness(MakeCall(options, rows.columns, ToArrow(output)));
  return harness;
}

std::shared_ptr<arrow::RecordBatch> ReplyRows(const std::string& cells) {
  return Rows({{"r", "int64", cells}}).batch;
}
std::shared_ptr<arrow::RecordBatch> TableReply(const std::string& parents, const std::string& cells) {
  return Rows({{"__row", "int64", parents}, {"r", "int64", cells}}).batch;
}

const std::vector<Rows::Spec> kThree = {{"n", "int64", "[1, 2, 3]"}, {"who", "string", R"(["a", "b", "c"])"}};

TEST(Call, KeepsTheOrderOfRowsWhateverTheOrderOfReplies) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows, 0).ok());
  ASSERT_TRUE(harness.Feed(rows, 1).ok());
  ASSERT_EQ(harness.calls.size(), 2u);
  ASSERT_TRUE(harness.tested().OnReply(2, {.rows = ReplyRows("[4, 5, 6]")}).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kBlocked);
  EXPECT_TRUE(harness.emitted.empty());
  ASSERT_TRUE(harness.tested().OnReply(1, {.rows = ReplyRows("[1, 2, 3]")}).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
  harness.ExpectColumn("reply", "int64", "[1, 2, 3, 4, 5, 6]");
  EXPECT_EQ(harness.emitted[0].order, 0);
  EXPECT_EQ(harness.emitted[1].order, 1);
}

TEST(Call, WaitsForRoomInTheOutput) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  ASSERT_TRUE(harness.tested().OnReply(1, {.rows = ReplyRows("[1, 2, 3]")}).ok());
  harness.room = 0;
  EXPECT_EQ(*harness.Advance(), Progress::kMore);
  harness.room = 1;
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
}

TEST(Call, BlocksAtTheLimitOfRowsInFlight) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {});
  harness.rows_limit = 6;
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_EQ(*harness.Feed(rows), Progress::kDone);
  EXPECT_EQ(*harness.Feed(rows), Progress::kDone);
  EXPECT_EQ(*harness.Feed(rows), Progress::kBlocked);
}

TEST(Call, SendsALargeBatchInPiecesThatAreEmittedAsTheyAreAnswered) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {});
  harness.rows_limit = 4;
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_EQ(*harness.Feed(rows), Progress::kDone);
  ASSERT_EQ(harness.calls.size(), 2u);  // two rows, then the third
  ASSERT_TRUE(harness.tested().OnReply(1, {.rows = ReplyRows("[1, 2]")}).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kBlocked);
  harness.ExpectColumn("who", "string", R"(["a", "b"])");
  EXPECT_FALSE(harness.emitted.back().last_of_order);
  ASSERT_TRUE(harness.tested().OnReply(2, {.rows = ReplyRows("[3]")}).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
  EXPECT_TRUE(harness.emitted.back().last_of_order);
}

TEST(Call, DoesNotCollectRepliesWithoutEndBehindASlowOne) {
  const Rows rows({{"n", "string", "[\"" + std::string(1 << 20, 'x') + "\"]"}});
  OperatorHarness harness = Calling(rows, {});
  ASSERT_TRUE(harness.Open().ok());
  int taken = 0;
  while (taken < 1000 && *harness.Feed(rows, taken) == Progress::kDone) {
    ++taken;
    if (taken == 1) continue;  // the slow one
    ASSERT_TRUE(harness.tested().OnReply(taken, {.rows = ReplyRows("[7]")}).ok());
  }
  EXPECT_LT(taken, 100);  // of 1 MiB each
  ASSERT_TRUE(harness.tested().OnReply(1, {.rows = ReplyRows("[7]")}).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
  EXPECT_EQ(*harness.Feed(rows), Progress::kDone);
}

TEST(Call, FailedRowsObeyThePolicy) {
  const Rows rows(kThree);
  const CallReply reply{.rows = ReplyRows("[1, null, 3]"), .failures = {{1, "too hot"}}};
  for (const std::string policy : {"raise", "null", "dead_letter"}) {
    OperatorHarness harness = Calling(rows, {.on_error = policy});
    ASSERT_TRUE(harness.Open().ok());
    ASSERT_TRUE(harness.Feed(rows).ok());
    ASSERT_TRUE(harness.tested().OnReply(1, reply).ok());
    const auto result = harness.Advance();
    if (policy == "raise") {
      EXPECT_EQ(result.status().message(), "b: f: too hot");
      continue;
    }
    ASSERT_TRUE(result.ok());
    if (policy == "null") {
      harness.ExpectColumn("reply", "int64", "[1, null, 3]");
    } else {
      harness.ExpectColumn("reply", "int64", "[1, 3]");
      harness.ExpectColumn("who", "string", R"(["a", "c"])");
      ASSERT_EQ(harness.letters.size(), 1u);
      EXPECT_EQ(harness.letters[0].input, "b");
    }
  }
}

Result<Progress> Answered(OperatorHarness& harness, const Rows& rows, CallReply reply) {
  ARROW_RETURN_NOT_OK(harness.Open());
  ARROW_RETURN_NOT_OK(harness.Feed(rows).status());
  ARROW_RETURN_NOT_OK(harness.tested().OnReply(1, std::move(reply)));
  return harness.Advance();
}

TEST(Call, TableRepliesJoinRowsWithGaps) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {.shape = Shape::kTable, .ignore_empty = true});
  ASSERT_TRUE(Answered(harness, rows, {.rows = TableReply("[0, 2, 2]", "[5, 6, 7]")}).ok());
  harness.ExpectColumn("who", "string", R"(["a", "c", "c"])");
  harness.ExpectColumn("reply", "int64", "[5, 6, 7]");
  OperatorHarness keeping = Calling(rows, {.shape = Shape::kTable, .ignore_empty = false});
  ASSERT_TRUE(Answered(keeping, rows, {.rows = TableReply("[1, 1]", "[6, 7]")}).ok());
  keeping.ExpectColumn("who", "string", R"(["a", "b", "b", "c"])");
  keeping.ExpectColumn("reply", "int64", "[null, 6, 7, null]");
}

TEST(Call, FailedRowsOfATableReplyAreNotFilled) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {.shape = Shape::kTable, .on_error = "dead_letter", .ignore_empty = false});
  // Row 0 failed after it had given a row; row 2 failed at once; row 1 is empty.
  ASSERT_TRUE(Answered(harness, rows, {.rows = TableReply("[0]", "[5]"), .failures = {{0, "x"}, {2, "y"}}}).ok());
  harness.ExpectColumn("who", "string", R"(["a", "b"])");
  EXPECT_EQ(harness.letters.size(), 2u);
}

TEST(Call, BatchRepliesReplaceTheRows) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {.shape = Shape::kBatch});
  ASSERT_TRUE(Answered(harness, rows, {.rows = ReplyRows("[8, 9]")}).ok());
  harness.ExpectColumn("reply", "int64", "[8, 9]");
}

TEST(Call, RefusesRepliesThatDoNotFit) {
  const Rows rows(kThree);
  const std::pair<Shape, CallReply> cases[] = {
      {Shape::kScalar, {.rows = ReplyRows("[1, 2]")}},
      {Shape::kScalar, {.rows = nullptr}},
      {Shape::kScalar, {.rows = ReplyRows("[1, 2, 3]"), .failures = {{3, "beyond"}}}},
      {Shape::kScalar, {.rows = ReplyRows("[1, 2, 3]"), .failures = {{-1, "before"}}}},
      {Shape::kTable, {.rows = TableReply("[3]", "[1]")}},
      {Shape::kTable, {.rows = TableReply("[-1]", "[1]")}},
      {Shape::kTable, {.rows = TableReply("[null]", "[1]")}},
      {Shape::kTable, {.rows = TableReply("[2, 0]", "[1, 2]")}},
      {Shape::kTable, {.rows = Rows({{"r", "string", "[]"}}).batch}},
      {Shape::kBatch, {.rows = TableReply("[1]", "[1]")}},
  };
  for (const auto& [shape, reply] : cases) {
    OperatorHarness harness = Calling(rows, {.shape = shape, .on_error = "dead_letter"});
    const auto result = Answered(harness, rows, reply);
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(ClassOf(result.status()), ErrorClass::kJob) << result.status();
    EXPECT_THAT(result.status().message(), HasSubstr("f: "));
  }
}

TEST(Call, EmptyBatchesAreNotSent) {
  const Rows rows(kThree);
  OperatorHarness harness = Calling(rows, {});
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(Batch{.rows = rows.batch->Slice(0, 0), .order = 4}).ok());
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
  EXPECT_TRUE(harness.calls.empty());
  ASSERT_EQ(harness.emitted.size(), 1u);
  EXPECT_TRUE(harness.emitted[0].last_of_order);
}

Rows Files(int count) {
  std::string cells = "[";
  for (int i = 0; i < count; ++i) {
    cells += (i ? "," : "") + std::string(R"({"uri": "u)") + std::to_string(i) +
             R"(", "offset": 0, "length": -1, "version": "", "data": null})";
  }
  return Rows({{"file", "\"file\"", cells + "]"}});
}

OperatorHarness Fetching(const Rows& rows, const std::string& policy) {
  Columns output = rows.columns;
  output.push_back({"fetched", LogicalType::File()});
  return OperatorHarness(MakeFetch({.column = 0, .on_error = policy}, rows.columns, ToArrow(output)));
}

std::string Text(const arrow::Array& files, int field, int64_t row) {
  return (*static_cast<const arrow::StructArray&>(files).field(field)->GetScalar(row))->ToString();
}

TEST(Fetch, KeepsTheOrderWhateverArrivesFirst) {
  const Rows rows = Files(3);
  OperatorHarness harness = Fetching(rows, "raise");
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  ASSERT_EQ(harness.fetches.size(), 3u);
  for (const int64_t id : {3, 1, 2}) {
    EXPECT_EQ(*harness.Advance(), Progress::kBlocked);
    ASSERT_TRUE(harness.tested().OnFetched(id, Bytes::Own("bytes of " + harness.fetches[id].uri)).ok());
  }
  EXPECT_EQ(*harness.Advance(), Progress::kDone);
  const auto fetched = harness.Column("fetched");
  for (int row = 0; row < 3; ++row) {
    EXPECT_EQ(Text(*fetched, 0, row), "u" + std::to_string(row));
    EXPECT_EQ(static_cast<const arrow::LargeBinaryArray&>(*static_cast<const arrow::StructArray&>(*fetched).field(4))
                  .GetString(row),
              "bytes of u" + std::to_string(row));
  }
}

TEST(Fetch, FilesThatCannotBeHadObeyThePolicy) {
  const Rows rows = Files(2);
  for (const std::string policy : {"raise", "null", "dead_letter"}) {
    OperatorHarness harness = Fetching(rows, policy);
    ASSERT_TRUE(harness.Open().ok());
    ASSERT_TRUE(harness.Feed(rows).ok());
    ASSERT_TRUE(harness.tested().OnFetched(1, RowError("404")).ok());
    ASSERT_TRUE(harness.tested().OnFetched(2, Bytes::Own("x")).ok());
    const auto result = harness.Advance();
    if (policy == "raise") {
      EXPECT_EQ(ClassOf(result.status()), ErrorClass::kRow);
      continue;
    }
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(harness.Table()->num_rows(), policy == "null" ? 2 : 1);
    EXPECT_EQ(harness.Column("fetched")->IsNull(0), policy == "null");
    EXPECT_EQ(harness.letters.size(), policy == "null" ? 0u : 1u);
  }
}

TEST(Fetch, ErrorsOfTheJobAreNotHidden) {
  const Rows rows = Files(1);
  OperatorHarness harness = Fetching(rows, "null");
  ASSERT_TRUE(harness.Open().ok());
  ASSERT_TRUE(harness.Feed(rows).ok());
  ASSERT_TRUE(harness.tested().OnFetched(1, JobError("the store is gone")).ok());
  EXPECT_EQ(ClassOf(harness.Advance().status()), ErrorClass::kJob);
}

TEST(Fetch, BoundsTheNumberOfRequests) {
  const Rows rows = Files(1000);
  OperatorHarness harness = Fetching(rows, "raise");
  ASSERT_TRUE(harness.Open().ok());
  EXPECT_EQ(*harness.Feed(rows), Progress::kBlocked);
  EXPECT_LE(harness.fetches.size(), 128u);
}

TEST(Fetch, DoesNotCollectFilesWithoutEndBehindASlowOne) {
  const Rows rows = Files(10'000);
  OperatorHarness harness = Fetching(rows, "raise");
  harness.target_bytes = 1000;
  ASSERT_TRUE(harness.Open().ok());
  const std::string kilobyte(1000, 'x');
  int64_t answered = 1;  // the first is never answered
  while (answered < 10'000) {
    const auto progress = harness.Feed(rows);
    ASSERT_TRUE(progress.ok());
    if (static_cast<int64_t>(harness.fetches.size()) == answered) break;
    while (answered < static_cast<int64_t>(harness.fetches.size())) {
      ASSERT_TRUE(harness.tested().OnFetched(++answered, Bytes::Own(kilobyte)).ok());
    }
    ASSERT_TRUE(harness.Advance().ok());
  }
  EXPECT_LT(answered, 200);
}

}  // namespace
}  // namespace mainstem
