#include "mainstem/services/call_queue.h"

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mainstem/services/batch_size.h"
#include "mainstem/services/protocol.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;

const auto kOutput = arrow::schema({arrow::field("y", arrow::int64())});

std::shared_ptr<arrow::Array> Column(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<OpenCall> MakeCall(const std::vector<int64_t>& values) {
  auto call = std::make_shared<OpenCall>();
  call->rows = arrow::RecordBatch::Make(kOutput, static_cast<int64_t>(values.size()), {Column(values)});
  call->bytes = static_cast<int64_t>(values.size()) * 8;
  return call;
}

TEST(CallQueue, MergesCallsAndTakesTheReplyApart) {
  CallQueue queue(ReplyShape::kScalar, kOutput);
  queue.Add(MakeCall({1, 2, 3}));
  queue.Add(MakeCall({4, 5}));
  const WorkBatch first = *queue.Next(4);
  EXPECT_EQ(first.rows, 4);
  EXPECT_TRUE(RowsOf(first).ValueOrDie()->column(0)->Equals(Column({1, 2, 3, 4})));
  EXPECT_EQ(queue.rows(), 1);
  const WorkBatch second = *queue.Next(4);
  EXPECT_EQ(queue.bytes(), 0);
  // Answers may come in any order.
  ASSERT_TRUE(queue.Answer(second, arrow::RecordBatch::Make(kOutput, 1, {Column({50})}), {}).ok());
  EXPECT_TRUE(queue.TakeFinished().empty());
  ASSERT_TRUE(queue.Answer(first, arrow::RecordBatch::Make(kOutput, 4, {Column({10, 20, 30, 40})}), {{3, "why"}}).ok());
  const auto finished = queue.TakeFinished();
  ASSERT_EQ(finished.size(), 2u);
  EXPECT_TRUE(finished[0].reply.rows->column(0)->Equals(Column({10, 20, 30})));
  EXPECT_TRUE(finished[0].reply.failures.empty());
  EXPECT_TRUE(finished[1].reply.rows->column(0)->Equals(Column({40, 50})));
  ASSERT_EQ(finished[1].reply.failures.size(), 1u);
  EXPECT_EQ(finished[1].reply.failures[0].row, 0);
}

TEST(CallQueue, TableRowsAreNumberedAsInTheirCall) {
  CallQueue queue(ReplyShape::kTable, ReplySchema(kOutput, ReplyShape::kTable));
  queue.Add(MakeCall({1, 2}));
  queue.Add(MakeCall({3, 4}));
  const WorkBatch batch = *queue.Next(10);
  const auto reply = arrow::RecordBatch::Make(ReplySchema(kOutput, ReplyShape::kTable), 5,
                                              {Column({0, 1, 1, 3, 3}), Column({10, 20, 21, 40, 41})});
  ASSERT_TRUE(queue.Answer(batch, reply, {}).ok());
  const auto finished = queue.TakeFinished();
  EXPECT_TRUE(finished[0].reply.rows->column(0)->Equals(Column({0, 1, 1})));
  EXPECT_TRUE(finished[1].reply.rows->column(0)->Equals(Column({1, 1})));
  EXPECT_TRUE(finished[1].reply.rows->column(1)->Equals(Column({40, 41})));
}

TEST(CallQueue, RefusesRepliesThatDoNotFit) {
  CallQueue queue(ReplyShape::kTable, ReplySchema(kOutput, ReplyShape::kTable));
  queue.Add(MakeCall({1, 2}));
  const WorkBatch batch = *queue.Next(10);
  for (const std::vector<int64_t>& rows : {std::vector<int64_t>{1, 0}, {0, 2}, {-1, 0}}) {
    const auto reply = arrow::RecordBatch::Make(ReplySchema(kOutput, ReplyShape::kTable), 2, {Column(rows), Column(rows)});
    EXPECT_THAT(queue.Answer(batch, reply, {}).message(), HasSubstr("__row"));
  }
}

TEST(CallQueue, BatchShapedCallsAreNotMerged) {
  CallQueue queue(ReplyShape::kBatch, kOutput);
  queue.Add(MakeCall({1, 2}));
  queue.Add(MakeCall({3}));
  EXPECT_EQ(queue.Next(10)->rows, 2);
}

TEST(CallQueue, PartsOfAFailedCallAreDropped) {
  CallQueue queue(ReplyShape::kScalar, kOutput);
  queue.Add(MakeCall({1, 2, 3, 4}));
  queue.Add(MakeCall({5}));
  const WorkBatch first = *queue.Next(2);
  queue.FailCalls(first, JobError("broken"));
  const WorkBatch second = *queue.Next(10);
  EXPECT_TRUE(RowsOf(second).ValueOrDie()->column(0)->Equals(Column({5})));
  EXPECT_EQ(queue.TakeFinished().size(), 1u);
}

TEST(CallQueue, CutsBatchesAcrossCalls) {
  CallQueue queue(ReplyShape::kScalar, kOutput);
  queue.Add(MakeCall({1, 2, 3}));
  queue.Add(MakeCall({4, 5, 6}));
  const WorkBatch batch = *queue.Next(6);
  EXPECT_TRUE(RowsOf(Cut(batch, 2, 2)).ValueOrDie()->column(0)->Equals(Column({3, 4})));
  EXPECT_TRUE(RowsOf(Cut(batch, 5, 1)).ValueOrDie()->column(0)->Equals(Column({6})));
}

TEST(BatchSizeTest, FollowsTheTimeOfRows) {
  BatchSize size(0);
  size.Observe(16, 16'000);  // 1 µs a row: 75,000 rows would take 75 ms, but it grows step by step
  EXPECT_EQ(size.rows(), 128);
  size.Observe(128, 128'000);
  EXPECT_EQ(size.rows(), 1024);
  BatchSize slow(0);
  slow.Observe(16, 16 * int64_t{150'000'000});
  EXPECT_EQ(slow.rows(), 1);
}

TEST(BatchSizeTest, LargeRowsMakeSmallBatches) {
  BatchSize size(0);
  for (int i = 0; i < 10; ++i) size.Observe(size.rows(), size.rows());
  EXPECT_EQ(size.RowsFor(100, 100 * (int64_t{1} << 20)), 8);
  EXPECT_EQ(BatchSize(64).RowsFor(100, 100 * (int64_t{1} << 20)), 64);
}

TEST(ProtocolTest, FailuresOfAnotherProcessAreChecked) {
  EXPECT_EQ(DecodeFailures(EncodeFailures({{1, "a\nb"}, {5, "c"}}), 6)->at(1).row, 5);
  for (const char* wrong : {"{}", "[[1]]", "[[1,2]]", "[[\"1\",\"x\"]]", "[[6,\"x\"]]", "[[-1,\"x\"]]", "[[", "nul",
                            "[[2,\"x\"],[2,\"y\"]]", "[[1.5,\"x\"]]", "[[99999999999999999999,\"x\"]]"}) {
    EXPECT_FALSE(DecodeFailures(wrong, 6).ok()) << wrong;
  }
}

TEST(ProtocolTest, CutMessagesAreRefused) {
  const std::string bytes = EncodeMessage({.kind = MessageKind::kReply, .call = 7, .slot = 1, .text = "hello"});
  EXPECT_EQ(DecodeMessage(bytes)->text, "hello");
  for (size_t length = 0; length < 56; ++length) EXPECT_FALSE(DecodeMessage(bytes.substr(0, length)).ok());
  EXPECT_FALSE(DecodeMessage(std::string(56, '\xff')).ok());
}

}  // namespace
}  // namespace mainstem
