// Calls to Python replicas that behave.
#include <gmock/gmock.h>
#include <unistd.h>

#include "mainstem/services/service_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using PoolTest = ServiceHarness;

TEST_F(PoolTest, AnswersEveryRowInOrder) {
  Start(Spec("def f(x): return 2 * x + 1"));
  const Reply reply = Ask(Numbers(1000));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.rows->num_rows(), 1000);
  EXPECT_TRUE(reply.failures.empty());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(NumberAt(reply, i), 2 * i + 1);
}

TEST_F(PoolTest, AnswersACallWithoutRows) {
  Start(Spec("def f(x): return x"));
  const Reply reply = Ask(Numbers(0));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(reply.rows->num_rows(), 0);
  EXPECT_EQ(reply.rows->schema()->field(0)->name(), "y");
}

TEST_F(PoolTest, FailsTheRowThatRaises) {
  Start(Spec("def f(x):\n  if x % 100 == 7: raise ValueError(f\"no {x}\")\n  return x"));
  const Reply reply = Ask(Numbers(300));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.failures.size(), 3u);
  EXPECT_EQ(reply.failures[1].row, 107);
  EXPECT_THAT(reply.failures[1].reason, HasSubstr("ValueError: no 107"));
  EXPECT_THAT(reply.failures[1].reason, HasSubstr("in f"));
  EXPECT_TRUE(reply.rows->column(0)->IsNull(107));
  EXPECT_EQ(NumberAt(reply, 108), 108);
  EXPECT_EQ(reply.rows->column(0)->null_count(), 3);
}

TEST_F(PoolTest, FailsTheRowWhoseResultHasTheWrongType) {
  Start(Spec("def f(x): return \"seven\" if x == 7 else x"));
  const Reply reply = Ask(Numbers(20));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.failures.size(), 1u);
  EXPECT_EQ(reply.failures[0].row, 7);
  EXPECT_THAT(reply.failures[0].reason, HasSubstr("expected int64, got str 'seven'"));
}

TEST_F(PoolTest, FindsTheRowsOfABatchFormThatRaise) {
  Start(Spec("def f(x):\n  if (x == 13).any() or (x == 600).any(): raise KeyError(\"bad\")\n  return x + 1", "scalar",
             "pandas"));
  const Reply reply = Ask(Numbers(1000));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.failures.size(), 2u);
  EXPECT_EQ(reply.failures[0].row, 13);
  EXPECT_EQ(reply.failures[1].row, 600);
  EXPECT_THAT(reply.failures[1].reason, HasSubstr("KeyError"));
  EXPECT_EQ(NumberAt(reply, 601), 602);
}

TEST_F(PoolTest, FailsTheCallWhenABatchFormReturnsTheWrongNumberOfRows) {
  Start(Spec("def f(x): return x[:-1]", "scalar", "numpy"));
  const Reply reply = Ask(Numbers(10));
  ASSERT_FALSE(reply.status.ok());
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("has 9 values; expected 10"));
}

TEST_F(PoolTest, RefusesRowsOfAnotherSchema) {
  Start(Spec("def f(x): return x"));
  const auto rows = arrow::RecordBatch::Make(arrow::schema({arrow::field("z", arrow::int64())}), 1, {Int64s({1})});
  const Reply reply = Ask(rows);
  EXPECT_EQ(ClassOf(reply.status), ErrorClass::kJob);
  EXPECT_THAT(reply.status.message(), HasSubstr("z: int64"));
}

TEST_F(PoolTest, TableFunctionsNameTheRowOfEachResult) {
  ServiceSpec spec = Spec("def f(x):\n  if x == 3: raise ValueError(\"three\")\n  for i in range(x): yield x * 10 + i",
                          "table");
  spec.shape = ReplyShape::kTable;
  spec.batch_rows = 2;
  Start(spec);
  const Reply reply = Ask(Numbers(6));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.rows->num_columns(), 2);
  ASSERT_EQ(reply.rows->num_rows(), 0 + 1 + 2 + 4 + 5);
  EXPECT_EQ(NumberAt(reply, 0, 0), 1);
  EXPECT_EQ(NumberAt(reply, 0, 1), 10);
  EXPECT_EQ(NumberAt(reply, 6, 0), 4);
  EXPECT_EQ(NumberAt(reply, 6, 1), 43);
  EXPECT_EQ(NumberAt(reply, 11, 0), 5);
  EXPECT_EQ(NumberAt(reply, 11, 1), 54);
  ASSERT_EQ(reply.failures.size(), 1u);
  EXPECT_EQ(reply.failures[0].row, 3);
}

TEST_F(PoolTest, RunsAsyncFunctionsTogether) {
  // Every row waits until all have started: one after the other they would never end.
  ServiceSpec spec = Spec(
      "import asyncio\n"
      "class F:\n"
      "  def __init__(self): self.n, self.go = 0, None\n"
      "  async def __call__(self, x):\n"
      "    self.go = self.go or asyncio.Event()\n"
      "    self.n += 1\n"
      "    if self.n == 8: self.go.set()\n"
      "    await self.go.wait()\n"
      "    return x + 1\n"
      "f = F()\n");
  Start(spec);
  const Reply reply = Ask(Numbers(8));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(NumberAt(reply, 7), 8);
}

TEST_F(PoolTest, BuildsAClassOnceOnTheWorker) {
  ServiceSpec spec;
  spec.name = "counter";
  spec.payload = Pickled("class C:\n  def __init__(self, n): self.n = n\n  def __call__(self, x):\n    self.n += 1\n    return self.n",
                         "{\"callable\": C, \"kind\": \"scalar\", \"is_class\": True, \"init_args\": (100,)}");
  spec.input = arrow::schema({arrow::field("x", arrow::int64())});
  spec.output = arrow::schema({arrow::field("y", arrow::int64())});
  Start(spec);
  EXPECT_EQ(NumberAt(Ask(Numbers(3)), 2), 103);
  EXPECT_EQ(NumberAt(Ask(Numbers(3)), 2), 106);
}

TEST_F(PoolTest, KeptRowsStayAsTheyWere) {
  // The function keeps its arguments and gives back the first one for ever.
  ServiceSpec spec = Spec("kept = []\ndef f(x):\n  kept.append(x)\n  return kept[0][:len(x)]", "scalar", "arrow");
  spec.batch_rows = 100;
  Start(spec);
  for (int64_t call = 0; call < 5; ++call) {
    const Reply reply = Ask(Numbers(100, call * 1000));
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    EXPECT_EQ(NumberAt(reply, 50), 50);
  }
}

TEST_F(PoolTest, LargeBatchesAndRepliesGetLargerArenas) {
  ServiceSpec spec = Spec("def f(x): return x + x", "scalar", "general");
  spec.input = arrow::schema({arrow::field("x", arrow::large_binary())});
  spec.output = arrow::schema({arrow::field("y", arrow::large_binary())});
  spec.batch_rows = 4;
  Start(spec);
  arrow::LargeBinaryBuilder builder;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(builder.Append(std::string(size_t{8} << 20, static_cast<char>('a' + i))).ok());
  const auto rows = arrow::RecordBatch::Make(spec.input, 4, {builder.Finish().ValueOrDie()});
  for (int i = 0; i < 2; ++i) {
    const Reply reply = Ask(rows);
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    const auto& values = static_cast<const arrow::LargeBinaryArray&>(*reply.rows->column(0));
    EXPECT_EQ(values.GetView(3).size(), size_t{16} << 20);
    EXPECT_EQ(values.GetView(3).back(), 'd');
  }
}

TEST_F(PoolTest, BatchesOverTheLimitAreSentInParts) {
  options_.arena_bytes_max = 64 * 1024;
  ServiceSpec spec = Spec("def f(x): return x");
  spec.batch_rows = 100'000;
  Start(spec);
  const Reply reply = Ask(Numbers(100'000));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_TRUE(reply.failures.empty()) << reply.failures[0].reason;
  EXPECT_EQ(NumberAt(reply, 99'999), 99'999);
}

TEST_F(PoolTest, ARowOverTheLimitFailsAlone) {
  options_.arena_bytes_max = 64 * 1024;
  ServiceSpec spec = Spec("def f(x): return len(x)");
  spec.input = arrow::schema({arrow::field("x", arrow::large_binary())});
  Start(spec);
  arrow::LargeBinaryBuilder builder;
  for (const size_t size : {10, 100'000, 20}) ASSERT_TRUE(builder.Append(std::string(size, 'x')).ok());
  const Reply reply = Ask(arrow::RecordBatch::Make(spec.input, 3, {builder.Finish().ValueOrDie()}));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.failures.size(), 1u);
  EXPECT_EQ(reply.failures[0].row, 1);
  EXPECT_THAT(reply.failures[0].reason, HasSubstr("too large"));
  EXPECT_EQ(NumberAt(reply, 2), 20);
}

TEST_F(PoolTest, ManyCallsInFlightOverSeveralReplicas) {
  ServiceSpec spec = Spec("def f(x): return -x");
  spec.max_replicas = 3;
  Start(spec);
  std::vector<std::future<Reply>> replies;
  for (int64_t call = 0; call < 500; ++call) replies.push_back(Submit(Numbers(1 + call % 97, call)));
  for (int64_t call = 0; call < 500; ++call) {
    const Reply reply = Get(std::move(replies[static_cast<size_t>(call)]));
    ASSERT_TRUE(reply.status.ok()) << reply.status;
    ASSERT_EQ(reply.rows->num_rows(), 1 + call % 97);
    EXPECT_EQ(NumberAt(reply, call % 97), -(call + call % 97));
  }
  EXPECT_EQ(endpoint_->Stats().calls, 500);
  EXPECT_LE(endpoint_->Stats().replicas, 3);
}

TEST_F(PoolTest, WhatUserCodePrintsReachesTheUser) {
  Start(Spec("import sys\ndef f(x):\n  print(\"row\", x)\n  print(\"oops\", file=sys.stderr)\n  return x"));
  ASSERT_TRUE(Ask(Numbers(2)).status.ok());
  endpoint_->Stop();
  // Each stream keeps its order; which of the two is read first is not promised.
  EXPECT_THAT(Printed(), HasSubstr("[f] row 0\n"));
  EXPECT_THAT(Printed(), HasSubstr("[f] row 1\n"));
  EXPECT_LT(Printed().find("row 0"), Printed().find("row 1"));
  EXPECT_THAT(Printed(), HasSubstr("[f] oops\n"));
}

TEST_F(PoolTest, MapTakesAndGivesDicts) {
  ServiceSpec spec = Spec("def f(row):\n  if row[\"x\"] == 2: return {\"y\": 1, \"typo\": 2}\n  return {\"y\": row[\"x\"] * 3}", "map");
  Start(spec);
  const Reply reply = Ask(Numbers(4));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  EXPECT_EQ(NumberAt(reply, 3), 9);
  ASSERT_EQ(reply.failures.size(), 1u);
  EXPECT_THAT(reply.failures[0].reason, HasSubstr("'typo'"));
}

TEST_F(PoolTest, BatchShapeReplacesTheRows) {
  ServiceSpec spec = Spec("def f(columns): return {\"y\": [v for v in columns[\"x\"].tolist() if v % 2 == 0]}",
                          "map_batches", "numpy");
  spec.shape = ReplyShape::kBatch;
  Start(spec);
  const Reply reply = Ask(Numbers(100));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_EQ(reply.rows->num_rows(), 50);
  EXPECT_EQ(NumberAt(reply, 49), 98);
}

TEST_F(PoolTest, AWorkerIsAForkOfAWarmProcessAndAChildOfThisOne) {
  Start(Spec("import os, sys\ndef f(x):\n"
             "  return int([\"mainstem.host_forks\" in sys.modules, os.getppid(), os.getsid(0) - os.getpid(),\n"
             "              \"MAINSTEM_FORK_FD\" in os.environ, \"MAINSTEM_CONTROL_FD\" in os.environ][x])"));
  const Reply reply = Ask(Numbers(5));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_TRUE(reply.failures.empty()) << reply.failures[0].reason;
  EXPECT_EQ(NumberAt(reply, 0), 1);
  EXPECT_EQ(NumberAt(reply, 1), ::getpid());
  EXPECT_EQ(NumberAt(reply, 2), 0);
  EXPECT_EQ(NumberAt(reply, 3), 0);
  EXPECT_EQ(NumberAt(reply, 4), 0);
}

TEST_F(PoolTest, WithThreadsInItsParentAWorkerIsStartedInTheUsualWay) {
  // Whoever asks for threads of linear algebra gets them, and a process with threads is not forked.
  options_.environment = {"OPENBLAS_NUM_THREADS=2"};
  Start(Spec("import os, sys\ndef f(x): return int([\"mainstem.host_forks\" in sys.modules, os.getppid()][x])"));
  const Reply reply = Ask(Numbers(2));
  ASSERT_TRUE(reply.status.ok()) << reply.status;
  ASSERT_TRUE(reply.failures.empty()) << reply.failures[0].reason;
  EXPECT_EQ(NumberAt(reply, 0), 0);
  EXPECT_EQ(NumberAt(reply, 1), ::getpid());
}

}  // namespace
}  // namespace mainstem
