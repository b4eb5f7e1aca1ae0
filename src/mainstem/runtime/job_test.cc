#include "mainstem/runtime/job.h"

#include <gmock/gmock.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <numeric>
#include <sstream>

#include "mainstem/operators/limit.h"
#include "mainstem/runtime/job_harness.h"

namespace mainstem {
namespace {

using ::testing::HasSubstr;
using namespace mainstem::testing;

constexpr int kParallelism = 4;

std::vector<int64_t> FromZero(int64_t count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

plan::TaskSpec SourceTask(std::shared_ptr<Source> source, std::vector<plan::OperatorSpec> operators = {}) {
  return {.name = "source", .parallelism = kParallelism, .source = std::move(source),
          .operators = std::move(operators), .output = NumberSchema()};
}

plan::JobGraph Graph(std::vector<plan::TaskSpec> tasks) {
  return {.tasks = std::move(tasks), .output = {{"n", LogicalType::Int64()}}};
}

std::shared_ptr<Job> StartJob(plan::JobGraph graph, JobSettings settings = {}, ServiceStarter* services = nullptr) {
  settings.parallelism = kParallelism;
  return *Job::Start(std::move(graph), settings, {.services = services});
}

TEST(Job, GivesResultsInTheOrderOfTheSource) {
  const auto job = StartJob(Graph({SourceTask(std::make_shared<NumberSource>(100, 10))}));
  EXPECT_EQ(*Read(*job), FromZero(2000));
}

TEST(Job, KeepsTheOrderWhenASingleSubtaskSpreadsToMany) {
  plan::TaskSpec gather{.name = "gather", .parallelism = 1, .inputs = {0}, .operators = {Look([](auto&, auto&) { return Status::OK(); })}};
  plan::TaskSpec spread{.name = "spread", .parallelism = kParallelism, .inputs = {1},
                        .operators = {Look([](const Batch& batch, Output&) {
                          for (int64_t i = 0; i < batch.order * 5 % 7; ++i) std::this_thread::yield();
                          return Status::OK();
                        })}};
  const auto job = StartJob(Graph({SourceTask(std::make_shared<NumberSource>(50, 10)), gather, spread}));
  EXPECT_EQ(*Read(*job), FromZero(1000));
}

TEST(Job, AUnionWithAnOperatorBehindItReadsOneInputAfterTheOther) {
  plan::TaskSpec both{.name = "union", .parallelism = 1, .inputs = {0, 1}, .concatenates = true,
                      .operators = {Look([](auto&, auto&) { return Status::OK(); })}};
  plan::TaskSpec spread{.name = "spread", .parallelism = kParallelism, .inputs = {2},
                        .operators = {Look([](auto&, auto&) { return Status::OK(); })}};
  const auto job = StartJob(Graph({SourceTask(std::make_shared<NumberSource>(50, 10)),
                              SourceTask(std::make_shared<NumberSource>(50, 10)), both, spread}));
  std::vector<int64_t> expected = FromZero(1000);
  expected.resize(2000);
  std::iota(expected.begin() + 1000, expected.end(), 0);
  EXPECT_EQ(*Read(*job), expected);
}

TEST(Job, ALimitStopsTheSourceEarly) {
  const auto source = std::make_shared<NumberSource>(1'000'000, 10);
  plan::TaskSpec limit{.name = "limit", .parallelism = 1, .inputs = {0},
                       .operators = {{.name = "limit", .make = []() -> Result<std::unique_ptr<Operator>> {
                                        return MakeLimit(25, 10);
                                      }}}};
  const auto job = StartJob(Graph({SourceTask(source), limit}));
  std::vector<int64_t> expected(25);
  std::iota(expected.begin(), expected.end(), 10);
  EXPECT_EQ(*Read(*job), expected);
  EXPECT_TRUE(*job->WaitEnd(kLongNs));
  EXPECT_LT(source->batches_read, 10'000);
}

TEST(Job, CommitsOnceWhatAllSubtasksStaged) {
  const auto sink = std::make_shared<CountingSink>();
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(20, 10));
  task.sink = sink;
  const auto job = StartJob(Graph({task}));
  EXPECT_TRUE(*job->WaitEnd(kLongNs));
  EXPECT_EQ(sink->rows, 400);
  EXPECT_EQ(sink->commits, 1);
  EXPECT_EQ(sink->committed, static_cast<size_t>(kParallelism));
  EXPECT_EQ(sink->aborts, 0);
}

TEST(Job, AFailureGivesTheFirstCauseAndCommitsNothing) {
  const auto sink = std::make_shared<CountingSink>();
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(100, 10), {Look([](const Batch& batch, Output&) {
                                     return batch.order == 30 ? JobError("row 600 is broken") : Status::OK();
                                   })});
  task.sink = sink;
  const auto job = StartJob(Graph({task}));
  EXPECT_THAT(job->WaitEnd(kLongNs).status().message(), HasSubstr("row 600 is broken"));
  job->Cancel();  // what happens afterwards does not hide the cause
  EXPECT_THAT(job->WaitEnd(kLongNs).status().message(), HasSubstr("row 600 is broken"));
  EXPECT_EQ(sink->commits, 0);
  EXPECT_EQ(sink->aborts, 1);
}

TEST(Job, AFailedCommitIsTheJobsErrorAndIsAborted) {
  const auto sink = std::make_shared<CountingSink>();
  sink->commit_status = JobError("the disk is full");
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(2, 10));
  task.sink = sink;
  const auto job = StartJob(Graph({task}));
  EXPECT_THAT(job->WaitEnd(kLongNs).status().message(), HasSubstr("the disk is full"));
  EXPECT_EQ(sink->aborts, 1);
}

TEST(Job, DoesNotStartWhereTheSinkRefuses) {
  const auto sink = std::make_shared<CountingSink>();
  sink->begin_status = JobError("it exists");
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(2, 10));
  task.sink = sink;
  const auto job = Job::Start(Graph({task}), {.parallelism = kParallelism}, {});
  EXPECT_THAT(job.status().message(), HasSubstr("it exists"));
  EXPECT_EQ(sink->commits, 0);
}

TEST(Job, CancelEndsAJobWithoutEnd) {
  const auto sink = std::make_shared<CountingSink>();
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(1'000'000'000, 10));
  task.sink = sink;
  const auto job = StartJob(Graph({task}));
  job->Cancel();
  EXPECT_EQ(ClassOf(job->WaitEnd(kLongNs).status()), ErrorClass::kCancelled);
  EXPECT_EQ(sink->commits, 0);
  EXPECT_EQ(sink->aborts, 1);
}

TEST(Job, AJobThatIsDroppedWhileItRunsRemovesWhatItStaged) {
  const auto sink = std::make_shared<CountingSink>();
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(1'000'000'000, 10));
  task.sink = sink;
  StartJob(Graph({task})).reset();
  EXPECT_EQ(sink->commits, 0);
  EXPECT_EQ(sink->aborts, 1);
}

TEST(Job, GoesOnUnderABudgetThatIsAlwaysExceeded) {
  const auto start = std::chrono::steady_clock::now();
  // The task behind the source runs while a source's subtask asks for memory, so that the subtask has to wait.
  plan::TaskSpec gather{.name = "gather", .parallelism = 1, .inputs = {0}, .operators = {Look([](auto&, auto&) {
                          for (int i = 0; i < 20; ++i) std::this_thread::yield();
                          return Status::OK();
                        })}};
  const auto job = StartJob(Graph({SourceTask(std::make_shared<NumberSource>(200, 10)), gather}), {.memory_budget = 1});
  EXPECT_EQ(*Read(*job), FromZero(4000));
  // At a batch for each tick of the watchdog it would take 50 seconds or more.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST(Job, CountsDeadLettersAndWritesThemDown) {
  const std::string path = ::testing::TempDir() + "dead_letters_" + std::to_string(::getpid()) + ".jsonl";
  std::remove(path.c_str());
  plan::TaskSpec task = SourceTask(std::make_shared<NumberSource>(10, 10), {Look([](const Batch& batch, Output& output) {
                                     if (batch.rows->num_rows() > 0) {
                                       output.SetAside({.function = "f", .input = "row", .reason = "bad \"quote\""});
                                     }
                                     return Status::OK();
                                   })});
  const auto job = StartJob(Graph({task}), {.name = "j", .dead_letter_path = path});
  ASSERT_TRUE(Read(*job).ok());
  EXPECT_EQ(job->SetAside().size(), 20u);
  EXPECT_THAT(job->FiguresJson(), HasSubstr("\"dead_letters\":20"));
  std::ifstream file(path);
  std::string line;
  int lines = 0;
  while (std::getline(file, line)) {
    ++lines;
    EXPECT_THAT(line, HasSubstr(R"("reason":"bad \"quote\"")"));
  }
  EXPECT_EQ(lines, 20);
  std::remove(path.c_str());
}

plan::JobGraph CallingGraph(int64_t splits) {
  plan::OperatorSpec call{.name = "call f",
                          .make = []() -> Result<std::unique_ptr<Operator>> {
                            return MakeCall({.name = "f", .arguments = {0}, .call = NumberSchema()},
                                            {{"n", LogicalType::Int64()}},
                                            arrow::schema({arrow::field("n", arrow::int64()), arrow::field("r", arrow::int64())}));
                          },
                          .service = 0};
  plan::JobGraph graph = Graph({SourceTask(std::make_shared<NumberSource>(splits, 10), {call})});
  graph.services.push_back({.name = "f"});
  return graph;
}

TEST(Job, KeepsTheOrderWhenRepliesComeLate) {
  const auto service = std::make_shared<FakeService>([](const Call& call, int64_t number) -> std::optional<Reply> {
    for (int64_t i = 0; i < number * 13 % 11; ++i) std::this_thread::yield();
    return Reply{.rows = call.rows};
  });
  const auto job = StartJob(CallingGraph(30), {}, service.get());
  EXPECT_EQ(*Read(*job), FromZero(600));
}

TEST(Job, AServiceThatFailsFailsTheJob) {
  const auto service = std::make_shared<FakeService>([](const Call& call, int64_t number) -> std::optional<Reply> {
    if (number == 5) return Reply{.status = JobError("out of order")};
    return Reply{.rows = call.rows};
  });
  const auto job = StartJob(CallingGraph(30), {}, service.get());
  EXPECT_THAT(Read(*job).status().message(), HasSubstr("f: out of order"));
}

TEST(Job, CancelDoesNotWaitForAServiceThatNeverAnswers) {
  std::promise<void> asked;
  const auto service = std::make_shared<FakeService>([&](const Call&, int64_t number) -> std::optional<Reply> {
    if (number == 0) asked.set_value();
    return {};
  });
  const auto job = StartJob(CallingGraph(30), {}, service.get());
  asked.get_future().wait();
  job->Cancel();
  EXPECT_EQ(ClassOf(job->WaitEnd(kLongNs).status()), ErrorClass::kCancelled);
}

TEST(Job, SurvivesAnswersThatArriveAfterItsEnd) {
  const auto service = std::make_shared<FakeService>([](const Call& call, int64_t number) -> std::optional<Reply> {
    if (number == 0) return Reply{.status = JobError("first")};
    for (int i = 0; i < 1000; ++i) std::this_thread::yield();
    return Reply{.rows = call.rows};
  });
  {
    const auto job = StartJob(CallingGraph(30), {}, service.get());
    EXPECT_FALSE(Read(*job).ok());
  }
  service->Stop();
}

TEST(Job, TwoJobsRunBesideEachOther) {
  const auto first = StartJob(Graph({SourceTask(std::make_shared<NumberSource>(50, 10))}));
  const auto second = StartJob(Graph({SourceTask(std::make_shared<NumberSource>(60, 10))}));
  EXPECT_EQ(*Read(*second), FromZero(1200));
  EXPECT_EQ(*Read(*first), FromZero(1000));
}

}  // namespace
}  // namespace mainstem
